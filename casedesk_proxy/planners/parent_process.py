"""The parent of planners: it has loaded everything that they need, and starts each by a fork.

python -m casedesk_proxy.planners.parent_process DESCRIPTOR VERSION

So a planner is ready within milliseconds, shares unchanged memory with the others, and uses the
files that existed when the daemon started, even if others have been installed since. No request
reaches this process. It ends with the daemon.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys

import casedesk_proxy
from casedesk_proxy.fastpath.switches import VARIABLE, read_plain, turn_off
from casedesk_proxy.planners.process import main as plan

__all__ = ["OTHER_VERSION_STATUS", "main", "start_planners"]

#: The exit status if the installed files are no longer the daemon's version.
OTHER_VERSION_STATUS = 3
_MAX_NUMBER_BYTES = 16


def main(descriptor: int, version: str) -> None:
    if version != casedesk_proxy.__version__:
        sys.exit(OTHER_VERSION_STATUS)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # The exit status of a planner is not needed: the kernel drops it at once.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    turn_off(read_plain(os.environ.get(VARIABLE, "")))
    # Reference counts free what a request leaves; scanning its million parts would take long.
    gc.disable()
    # All planners share pages that are never written to, except reference counts.
    gc.freeze()
    start_planners(socket.socket(fileno=descriptor))


def start_planners(daemon: socket.socket) -> None:
    """Start a planner for each message of the daemon's, until the daemon has gone. A message is the
    planner's nice value, and its socket; the answer is its process id, or a negative error
    number."""
    while True:
        try:
            nice, descriptors, _, _ = socket.recv_fds(daemon, _MAX_NUMBER_BYTES, 1)
        except ConnectionError:
            return
        if not nice or not descriptors:
            return
        with socket.socket(fileno=descriptors[0]) as theirs:
            answer = _fork(daemon, theirs, int(nice))
        try:
            daemon.send(b"%d" % answer)
        except ConnectionError:
            return


def _fork(daemon: socket.socket, theirs: socket.socket, nice: int) -> int:
    try:
        pid = os.fork()
    except OSError as error:
        return -(error.errno or 1)
    if pid:
        return pid
    status = 1
    try:
        daemon.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # A unit's filter of system calls may refuse it; the planner works without.
        with contextlib.suppress(OSError):
            os.nice(nice)
        plan(theirs)
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        # The child must not end anything of the parent's.
        os._exit(status)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
