"""A client's connection under TLS, whose socket OpenSSL reads and writes directly.

The event loop's own transport copies each piece between a buffer of the loop and one of OpenSSL, in
both directions. Here TLS adds 31 % to the cost of an event instead of 46, and 17 KB to a stream
instead of 45 (bench/NOTES.md). For its protocol it behaves like any asyncio transport. As with the
loop's transport under TLS, a connection cannot be closed in one direction only.

    open ──close──▶ flushing ──▶ parting ──peer's end or timeout──▶ closed ◀──abort, a fault── any
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections import deque
from typing import Any, cast

__all__ = ["TlsTransport"]

log = logging.getLogger(__name__)

#: The size of the largest record (RFC 8446 section 5.1): a read of so much leaves nothing in
#: OpenSSL of which the event loop would not know.
_RECORD_BYTES = 16384
#: Reads in one round of the loop.
_READ_TIMES = 8
#: Unsent bytes: above the first its protocol is paused, below the second resumed.
_HIGH_WATER_BYTES, _LOW_WATER_BYTES = 65536, 16384
#: How long a client may take to end its side after ours has ended. What it sends meanwhile is
#: dropped; closing before would make its kernel discard what we sent (RFC 9112 section 9.6).
_PARTING_S = 2.0


class TlsTransport(asyncio.Transport):
    """``sock`` has done its handshake and does not block; the transport owns it. The protocol is
    called at once."""

    __slots__ = (
        "_buffer", "_fd", "_high", "_is_closing", "_is_lost", "_is_parting", "_is_paused",
        "_is_reading", "_is_writing", "_loop", "_low", "_parting_s", "_protocol", "_sock", "_timer",
        "_unsent",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: ssl.SSLSocket,
        protocol: asyncio.Protocol,
        *,
        parting_s: float = _PARTING_S,
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._fd = sock.fileno()
        self._protocol = protocol
        self._buffer: deque[bytes | memoryview] = deque()
        self._unsent = 0
        self._parting_s = parting_s
        self._high, self._low = _HIGH_WATER_BYTES, _LOW_WATER_BYTES
        self._timer: asyncio.TimerHandle | None = None
        self._is_reading = self._is_writing = False
        #: Whether the protocol was asked to write no more.
        self._is_paused = False
        self._is_closing = self._is_parting = self._is_lost = False
        self._start_reading()
        # Nothing is read yet in this round: the protocol may pause reading, or close.
        protocol.connection_made(self)

    # Its properties.

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """``socket`` and ``ssl_object`` are the socket, only for reading its properties."""
        sock = self._sock
        with contextlib.suppress(OSError):
            match name:
                case "socket" | "ssl_object":
                    return sock
                case "sslcontext":
                    return sock.context
                case "peername":
                    return sock.getpeername()
                case "sockname":
                    return sock.getsockname()
                case "cipher":
                    return sock.cipher()
        return default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def is_closing(self) -> bool:
        return self._is_closing

    # Reading.

    def is_reading(self) -> bool:
        return self._is_reading and not self._is_closing

    def pause_reading(self) -> None:
        if self._is_reading and not self._is_closing:
            self._stop_reading()

    def resume_reading(self) -> None:
        if not self._is_reading and not self._is_closing:
            self._start_reading()

    def _start_reading(self) -> None:
        self._is_reading = True
        self._loop.add_reader(self._fd, self._read)

    def _stop_reading(self) -> None:
        self._is_reading = False
        self._loop.remove_reader(self._fd)

    def _read(self) -> None:
        for _ in range(_READ_TIMES):
            try:
                data = self._sock.recv(_RECORD_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLWantWriteError:
                # It must answer first, a new key for instance; what it wrote triggers another read.
                self._start_writing()
                break
            except BrokenPipeError:
                data = b""  # The client cut; OpenSSL 3.6 failed to answer that by an alert.
            except OSError as error:
                # Python raises an error when both sides have ended.
                self._lose(None if self._is_parting else error)
                return
            if not self._hand_over(data):
                return
            if len(data) < _RECORD_BYTES:
                break

    def _hand_over(self, data: bytes) -> bool:
        """Whether more is to be read now."""
        if self._is_parting:
            if not data:
                self._lose(None)
            return bool(data)
        try:
            if data:
                self._protocol.data_received(data)
            else:
                # Its result cannot be respected: see the class.
                self._protocol.eof_received()
                self.close()
        except Exception as error:
            log.exception("internal error in a TLS connection")
            self._lose(error)
        return self._is_reading and not self._is_closing

    # Writing.

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = _HIGH_WATER_BYTES if high is None else high
        self._low = self._high // 4 if low is None else low

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        return self._unsent

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Write at once what the kernel accepts. Does nothing once it is closing."""
        if self._is_closing or not data:
            return
        if not self._buffer:
            sent = self._send(data)
            if sent == len(data) or self._is_lost:
                return
            data = memoryview(data)[sent:] if isinstance(data, bytes) else bytes(data[sent:])
        elif not isinstance(data, bytes):
            # Copied, since the caller may reuse its memory.
            data = bytes(data)
        self._buffer.append(data)
        self._unsent += len(data)
        if self._is_writing:
            self._set_pace()
        else:
            self._flush()

    def _send(self, data: bytes | bytearray | memoryview[Any]) -> int:
        """How many bytes of it the kernel accepted: at most those of one record."""
        try:
            return self._sock.send(data)
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return 0
        except OSError as error:
            self._lose(error)
            return 0

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return False

    def write_eof(self) -> None:
        raise NotImplementedError("TLS has no half-closed connections")

    def _start_writing(self) -> None:
        if not self._is_writing:
            self._is_writing = True
            self._loop.add_writer(self._fd, self._flush)

    def _stop_writing(self) -> None:
        if self._is_writing:
            self._is_writing = False
            self._loop.remove_writer(self._fd)

    def _flush(self) -> None:
        """Piece by piece, as much as the kernel accepts."""
        while self._buffer:
            piece = self._buffer[0]
            sent = self._send(piece)
            if self._is_lost:
                return
            self._unsent -= sent
            if sent == len(piece):
                self._buffer.popleft()
            elif sent:
                self._buffer[0] = memoryview(piece)[sent:]
            else:
                self._start_writing()
                break
        else:
            self._stop_writing()
            if self._is_closing:
                self._part()
        self._set_pace()

    def _set_pace(self) -> None:
        if not self._is_paused and self._unsent > self._high:
            self._is_paused = True
            self._protocol.pause_writing()
        elif self._is_paused and self._unsent <= self._low:
            self._is_paused = False
            self._protocol.resume_writing()

    # Closing.

    def close(self) -> None:
        """Close after what was written is sent."""
        if self._is_closing:
            return
        self._is_closing = True
        if self._is_reading:
            self._stop_reading()
        if not self._buffer:
            self._part()

    def abort(self) -> None:
        self._lose(None)

    def _part(self) -> None:
        """End our side, since all is sent, and wait for a while for the client to do the same."""
        if self._is_lost:
            return
        if not self._is_parting:
            self._is_parting = True
            self._timer = self._loop.call_later(self._parting_s, self._lose, None)
        try:
            self._sock.unwrap()
        except ssl.SSLWantReadError:
            self._start_reading()
        except ssl.SSLWantWriteError:
            # A client that reads slowly has no room for it yet.
            self._start_writing()
        except (OSError, ValueError):
            self._lose(None)
        else:
            self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        """End the connection; its protocol is called in a later round."""
        if self._is_lost:
            return
        self._is_lost = self._is_closing = True
        self._buffer.clear()
        self._unsent = 0
        if self._timer is not None:
            self._timer.cancel()
        if self._is_reading:
            self._stop_reading()
        self._stop_writing()
        self._loop.call_soon(self._end, error)

    def _end(self, error: Exception | None) -> None:
        try:
            self._protocol.connection_lost(error)
        finally:
            self._sock.close()
