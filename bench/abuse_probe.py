"""Checks whether a proxy answers while it is abused: with new requests, and by its watchdog
pings."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.target import UNARY_BODY

__all__ = ["Prober", "Pulse"]

_EVERY_S = 0.1
_LIMIT_S = 60.0
#: The manager's timeout that the proxy is given: it pings three times within it.
_WATCHDOG_S = 1.5


class Pulse:
    """The service manager's socket: the times of WATCHDOG=1."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._beats: list[float] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.environment = {
            "NOTIFY_SOCKET": str(path),
            "WATCHDOG_USEC": str(int(_WATCHDOG_S * 1e6)),
        }

    def __enter__(self) -> Self:
        self._socket.bind(str(self._path))
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while said := self._socket.recv(4096):
                if b"WATCHDOG=1" in said.split(b"\n"):
                    self._beats.append(time.monotonic())

    def restart(self) -> None:
        """Count from the last ping on."""
        self._beats = self._beats[-1:] or [time.monotonic()]

    def longest(self) -> float:
        """Seconds between two pings, or since the last one, whichever is longer."""
        beats = [*self._beats, time.monotonic()]
        return max((after - before for before, after in pairwise(beats)), default=0.0)


class Prober:
    """Opens a new connection with one small request ten times a second, whether or not earlier ones
    were answered."""

    def __init__(self, port: int, key: str, path: str) -> None:
        self._port = port
        self._request = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(UNARY_BODY)}\r\n\r\n"
        ).encode() + UNARY_BODY
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._began = time.monotonic()
        self._took: list[tuple[float, float]] = []  # when it was sent, and seconds
        self._open: set[float] = set()
        self._counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join()

    def restart(self) -> None:
        """Forget earlier requests."""
        self._began = time.monotonic()
        self._took, self._counts = [], Counter()

    def counts(self) -> dict[str, int]:
        """Requests by status or error."""
        return dict(self._counts)

    def slowest_ms(self, *, since: float = 0.0) -> float:
        """Of requests at least so many seconds after the restart, including unanswered ones."""
        now, begun = time.monotonic(), self._began + since
        took = [seconds for asked, seconds in self._took if asked >= begun]
        took += [now - asked for asked in tuple(self._open) if asked >= begun]
        return max(took, default=0.0) * 1e3

    def waiting_ms(self) -> float:
        """How long the request that waits longest has waited."""
        return (time.monotonic() - min(tuple(self._open), default=time.monotonic())) * 1e3

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._ask_on())
        self._loop.close()

    def _stop(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    async def _ask_on(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._ask())
                await asyncio.sleep(_EVERY_S)

    async def _ask(self) -> None:
        asked = time.monotonic()
        self._open.add(asked)
        try:
            async with asyncio.timeout(_LIMIT_S):
                said = await self._exchange()
        except TimeoutError:
            said = "no reply in time"
        except OSError:
            said = "connection lost"
        finally:
            self._open.discard(asked)
        if asked >= self._began:
            self._took.append((asked, time.monotonic() - asked))
            self._counts[said] += 1

    async def _exchange(self) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(self._request)
            reply = await reader.read()
        finally:
            writer.transport.abort()
        words = reply.split(None, 2)
        return words[1].decode(errors="replace") if len(words) > 1 else "no reply"
