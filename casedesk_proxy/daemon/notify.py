"""Notifications to the service manager: the protocol of sd_notify(3), one datagram for each
message."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Mapping

__all__ = ["Notifier", "watchdog_timeout"]

log = logging.getLogger(__name__)

#: Messages that wait while the manager's queue is full (a daemon-reload keeps it busy for seconds);
#: blocking would stop every stream.
_MAX_UNSENT_MESSAGES = 64


class Notifier:
    """Without a manager every method does nothing. Nothing here raises or blocks: a service
    continues if its manager does not listen. Messages that could not be sent are sent before the
    next one."""

    def __init__(self, address: str | None) -> None:
        """``address``: the value of NOTIFY_SOCKET, a path or an abstract name after ``@``."""
        self._socket: socket.socket | None = None
        self._unsent: deque[bytes] = deque(maxlen=_MAX_UNSENT_MESSAGES)
        if not address:
            return
        address = "\0" + address[1:] if address.startswith("@") else address
        try:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
            self._socket.connect(address)
        except OSError as error:
            log.warning("cannot reach the service manager: %s", error.strerror)
            self.close()

    @property
    def is_connected(self) -> bool:
        """Whether there is a manager."""
        return self._socket is not None

    def send(self, *lines: str) -> None:
        """Send assignments that belong together, in one message; without any: try to send waiting
        messages."""
        if self._socket is None:
            return
        if lines:
            self._unsent.append("\n".join(lines).encode())
        while self._unsent:
            try:
                self._socket.send(self._unsent[0])
            except BlockingIOError:
                return
            except OSError as error:
                log.warning("cannot notify the service manager: %s", error.strerror)
            self._unsent.popleft()

    def reloading(self) -> None:
        # The time lets the manager distinguish this reload from a later one that it requests.
        self.send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def name_successor(self, pid: int) -> None:
        """Report that another process of the service is its main one now, and that the reload is
        complete. Nothing more is sent."""
        self.send(f"MAINPID={pid}", "READY=1")
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def watchdog_timeout(environ: Mapping[str, str]) -> float | None:
    """The time in seconds within which the manager needs a ping; None if it needs none."""
    meant = environ.get("WATCHDOG_PID")
    if meant and meant != str(os.getpid()):
        return None
    text = environ.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isdecimal() and int(text) else None
