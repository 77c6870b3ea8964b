"""A successor in our place: the installed version of the program takes over our listening sockets
and our service, while we drain.

us ──our sockets──▶ successor ──"ready PID"──▶ us ──MAINPID──▶ the manager, ──"main"──▶ successor

The two processes keep a channel. If it ends before "main", the successor ends, too; later its end
means that we have ended. A successor that stops waits for us, because the manager kills the rest of
a service when its main process ends; ``hurry`` passes a second signal on.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence

from casedesk_proxy.terms import record

__all__ = [
    "Predecessor",
    "Program",
    "SuccessionError",
    "Successor",
    "installed_program",
    "start_successor",
    "take_predecessor",
]

_CHANNEL = "CASEDESK_PREDECESSOR"
#: Seconds that a successor may take until it serves, including the time for nodes that do not
#: answer.
_START_S = 60.0
#: The first of the manager's sockets: sd_listen_fds(3).
_FIRST_DESCRIPTOR = 3
#: Copies begin here, so that none replaces another one.
_FIRST_COPY_DESCRIPTOR = 100
#: Makes a process whose only parent is the manager, which notices its end, and which knows its own
#: process id.
_SHELL = ("/bin/sh", "-c", """/bin/sh -c 'LISTEN_PID=$$ exec "$@"' sh "$@" &""", "sh")
_MAX_MESSAGE_BYTES = 64


class SuccessionError(Exception):
    """There is no successor; the current process continues."""


@record
class Program:
    """``command`` starts the installed version under the name by which we were started; ``mark``
    differs if that is another version. None: our program is not a file that could be replaced."""

    command: tuple[str, ...]
    mark: tuple[str, int, int] | None


def installed_program(argv: Sequence[str], orig_argv: Sequence[str]) -> Program:
    """``argv``, ``orig_argv``: those of ``sys``."""
    script = argv[0]
    if os.access(script, os.X_OK) and not os.path.isdir(script):
        return Program((os.path.abspath(script), *argv[1:]), _mark(script))
    return Program((sys.executable, *orig_argv[1:]), _mark(script))


def _mark(script: str) -> tuple[str, int, int] | None:
    try:
        status = os.stat(script)
    except OSError:
        return None
    return os.path.realpath(script), status.st_ino, status.st_mtime_ns


class Successor:
    """The process that serves from now on, as its predecessor sees it."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self._channel = channel

    def appoint(self) -> None:
        """Make it the service's main process."""
        with contextlib.suppress(OSError):
            self._channel.send(b"main\n")

    async def wait_hurry(self) -> None:
        """Wait until it asks to end the drain at once."""
        while await _receive(self._channel):
            return
        await asyncio.Event().wait()


class Predecessor:
    """The process whose place we take, as its successor sees it."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    async def announce(self) -> None:
        """Report that we serve, and wait until the manager knows us. Raises OSError if the
        predecessor ended before that: then it has no successor."""
        with contextlib.suppress(OSError):
            self._channel.send(b"ready %d\n" % os.getpid())
        if not await _receive(self._channel):
            raise OSError("the process that this one was to follow has ended")

    async def wait_ended(self) -> None:
        while await _receive(self._channel):
            pass

    def hurry(self) -> None:
        """Ask it to end its drain at once."""
        with contextlib.suppress(OSError):
            self._channel.send(b"hurry\n")


def take_predecessor(environ: Mapping[str, str]) -> Predecessor | None:
    """The process that started us to follow it, if any. A child process that inherits the variable,
    which is not meant for it, has no such channel."""
    text = environ.get(_CHANNEL, "")
    if environ.get("LISTEN_PID") != str(os.getpid()) or not text.isdecimal():
        return None
    channel = socket.socket(fileno=int(text))
    channel.set_inheritable(False)
    channel.setblocking(False)
    return Predecessor(channel)


async def start_successor(
    command: Sequence[str],
    environ: Mapping[str, str],
    sockets: Sequence[tuple[int, str]],
    *,
    start_s: float = _START_S,
) -> Successor:
    """A process that serves. ``sockets``: descriptors of listening sockets, with their names for
    the manager. Raises SuccessionError if it ends before it serves or takes too long; then, and if
    this is cancelled, it ends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    try:
        with theirs:
            shell = _spawn(command, environ, [*sockets, (theirs.fileno(), "")])
        await asyncio.to_thread(os.waitpid, shell, 0)
        async with asyncio.timeout(start_s):
            message = await _receive(ours)
    except TimeoutError:
        ours.close()
        raise SuccessionError(f"it did not serve within {start_s:g} s") from None
    except OSError as error:
        ours.close()
        raise SuccessionError(f"it could not be started: {error.strerror}") from error
    except BaseException:
        ours.close()
        raise
    word, _, pid = message.decode().partition(" ")
    if word != "ready" or not pid.strip().isdecimal():
        ours.close()
        raise SuccessionError("it ended before it served; the lines above say why")
    return Successor(int(pid), ours)


def _spawn(
    command: Sequence[str], environ: Mapping[str, str], descriptors: Sequence[tuple[int, str]]
) -> int:
    """The shell, which starts the command and ends. The last descriptor is the channel."""
    names = [name for _, name in descriptors[:-1]]
    variables = {
        **environ,
        "LISTEN_FDS": str(len(names)),
        "LISTEN_FDNAMES": ":".join(names),
        _CHANNEL: str(_FIRST_DESCRIPTOR + len(names)),
    }
    # It contains our process id.
    variables.pop("WATCHDOG_PID", None)
    with _copied([number for number, _ in descriptors]) as copies:
        places = enumerate(copies, _FIRST_DESCRIPTOR)
        moves = [(os.POSIX_SPAWN_DUP2, copy, place) for place, copy in places]
        return os.posix_spawn(_SHELL[0], [*_SHELL, *command], variables, file_actions=moves)


@contextlib.contextmanager
def _copied(descriptors: Sequence[int]) -> Iterator[list[int]]:
    copies: list[int] = []
    try:
        for number in descriptors:
            copies.append(fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _FIRST_COPY_DESCRIPTOR))
        yield copies
    finally:
        for copy in copies:
            os.close(copy)


async def _receive(channel: socket.socket) -> bytes:
    """One message; empty if the other side has ended."""
    try:
        return await asyncio.get_running_loop().sock_recv(channel, _MAX_MESSAGE_BYTES)
    except OSError:
        return b""
