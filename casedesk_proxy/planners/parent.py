"""The planners' parent process, seen from the daemon: how it is started, asked for a planner and
ended."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import subprocess
import sys
import threading

from casedesk_proxy import __version__
from casedesk_proxy.fastpath.switches import VARIABLE
from casedesk_proxy.planners.parent_process import OTHER_VERSION_STATUS

__all__ = ["NICE_WEIGHT", "Parent", "wait_for_exit"]

#: Seconds that a process has to exit before it is killed.
_LEAVE_S = 1.0
#: Seconds for its start on a very busy machine; it takes 0.4 s of CPU.
_START_S = 60.0
#: The nice value of planners, so that the daemon goes first on a busy machine. Their parent has
#: none: beside 20 other programs its start takes half a minute, for which there would be no
#: planner.
NICE_WEIGHT = 5
#: The part of the daemon's environment that planners get: without secrets, and all that Python
#: needs to start. One that is linked to a libpython in a place of its own needs LD_LIBRARY_PATH, as
#: those of environment modules do, and some of conda.
_PASSED_ON = (
    "PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "LANG", "LC_ALL", VARIABLE,
)  # fmt: skip
_MAX_NUMBER_BYTES = 16


class Parent:
    """Started at the latest when a planner is needed, and again if it has died. All methods but
    ``close`` wait and are for threads; one at a time may ask."""

    def __init__(self, *, leave_s: float = _LEAVE_S) -> None:
        self._leave_s = leave_s
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    def start(self) -> None:
        """Start it early, so that planners are made sooner. Does not wait until it is ready. Raises
        OSError."""
        with self._lock:
            if self._sock is None and not self._is_closed:
                self._start()

    def start_planner(self, theirs: socket.socket, nice: int = NICE_WEIGHT) -> int:
        """The process id of a new planner, which gets ``theirs``. Raises OSError."""
        with self._lock:
            is_old = self._process is not None
            try:
                return self._ask(theirs, nice)
            except ConnectionError:
                # It has died. A new one may be of another version, which it reports.
                if not is_old or self._is_closed:
                    raise
                return self._ask(theirs, nice)

    def _ask(self, theirs: socket.socket, nice: int) -> int:
        sock = self._sock or self._start()
        try:
            socket.send_fds(sock, [b"%d" % nice], [theirs.fileno()])
            answer = sock.recv(_MAX_NUMBER_BYTES)
        except TimeoutError:
            self._part()
            raise OSError(errno.ETIMEDOUT, f"it takes more than {_START_S:g} s") from None
        except OSError:
            answer = b""
        if not answer:
            raise self._explain(self._part())
        pid = int(answer)
        if pid < 0:
            raise OSError(-pid, os.strerror(-pid))
        return pid

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_START_S)
        number = theirs.fileno()
        # Its modules are those of the daemon, not those in the daemon's working directory (-P); no
        # other part of the environment is passed on.
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(place or os.getcwd() for place in sys.path)
        module = "casedesk_proxy.planners.parent_process"
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", module, str(number), __version__],
                    pass_fds=[number], env=environment,
                    process_group=0,  # the terminal's Ctrl-C is for the daemon
                )  # fmt: skip
            except OSError:
                ours.close()
                raise
        self._sock = ours
        if self._is_closed:
            self.close()
        return ours

    def _part(self) -> int:
        """Let go of it; return its exit status."""
        sock, process = self._sock, self._process
        self._sock = self._process = None
        if sock is not None:
            sock.close()
        if process is None:
            return 0
        try:
            return process.wait(self._leave_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def _explain(self, status: int) -> OSError:
        if status == OTHER_VERSION_STATUS:
            return OSError(
                errno.ESTALE,
                f"another version than {__version__} was installed since this one started; restart"
                " the service",
            )
        return ConnectionResetError(errno.ECONNRESET, f"their parent has ended with {status}")

    def close(self) -> None:
        """Code that waits for a planner gets none, now and later."""
        self._is_closed = True
        sock = self._sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def part(self) -> None:
        """Wait until its process has exited, after ``close``."""
        with self._lock:
            self._part()


def wait_for_exit(pid: int, sock: socket.socket, *, leave_s: float = _LEAVE_S) -> None:
    """Wait until a planner has exited, to which nothing more is sent; kill it after that time. It
    is not our child: only the other end of ``sock`` remains of it, which is closed here."""
    with sock:
        hangup = select.poll()
        # epoll reports its exit without being asked; what it still sends is not read.
        hangup.register(sock, 0)
        if not hangup.poll(leave_s * 1000):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            hangup.poll()
