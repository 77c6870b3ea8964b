"""A successor in our own place: the program as it is installed now takes over our listening
sockets and our service, while we drain.

us ──our sockets──▶ successor ──"ready PID"──▶ us ──MAINPID──▶ the manager, ──"main"──▶ successor

The two keep a channel. Where it ends before "main", the successor ends, too; later it means that we
have ended. A successor that stops waits for us, because the manager kills what is left of a service
when its main process ends; ``hurry`` passes a second signal on.
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
#: Seconds that a successor may take until it serves, nodes that do not answer included.
_START_S = 60.0
#: Where the manager's sockets begin: sd_listen_fds(3).
_FIRST_DESCRIPTOR = 3
#: Copies stand from here on, so that none is in the place of another.
_FIRST_COPY_DESCRIPTOR = 100
#: A process of no parent but the manager, which hears of its end, and that knows its own number.
_SHELL = ("/bin/sh", "-c", """/bin/sh -c 'LISTEN_PID=$$ exec "$@"' sh "$@" &""", "sh")
_MAX_MESSAGE_BYTES = 64


class SuccessionError(Exception):
    """There is no successor; the process that serves continues."""


@record
class Program:
    """``command`` starts what is installed now under the name by which we were started; ``mark``
    differs where that is not what we are. None: we are no file that could be replaced."""

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
        """It is the service's main process now."""
        with contextlib.suppress(OSError):
            self._channel.send(b"main\n")

    async def wait_hurry(self) -> None:
        """Until it passes on that what drains is to end at once."""
        while await _receive(self._channel):
            return
        await asyncio.Event().wait()


class Predecessor:
    """The process whose place we take, as its successor sees it."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    async def announce(self) -> None:
        """Say that we serve, and wait until the manager knows us. Raises OSError where the
        predecessor ended before that: then nobody follows it."""
        with contextlib.suppress(OSError):
            self._channel.send(b"ready %d\n" % os.getpid())
        if not await _receive(self._channel):
            raise OSError("the process that this one was to follow has ended")

    async def wait_ended(self) -> None:
        while await _receive(self._channel):
            pass

    def hurry(self) -> None:
        """It shall end what it drains at once."""
        with contextlib.suppress(OSError):
            self._channel.send(b"hurry\n")


def take_predecessor(environ: Mapping[str, str]) -> Predecessor | None:
    """The one that started us to follow it, if any. A process of ours that inherits the variable
    without being meant has no such channel."""
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
    """A process that serves. ``sockets``: descriptors of listening sockets, and whose they are, as
    the manager calls them. Raises SuccessionError where it ends before or takes too long; then,
    and if this is cancelled, it ends by itself."""
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
    """The shell that starts the command and ends. The last descriptor is the channel."""
    names = [name for _, name in descriptors[:-1]]
    variables = {
        **environ,
        "LISTEN_FDS": str(len(names)),
        "LISTEN_FDNAMES": ":".join(names),
        _CHANNEL: str(_FIRST_DESCRIPTOR + len(names)),
    }
    # It names our process.
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
    """One message; none where the other side has ended."""
    try:
        return await asyncio.get_running_loop().sock_recv(channel, _MAX_MESSAGE_BYTES)
    except OSError:
        return b""
