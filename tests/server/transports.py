"""A transport in memory: records what is written, and which methods are called."""

from __future__ import annotations

import asyncio


class RecordingTransport(asyncio.Transport):
    """``written`` has all written bytes; ``asked`` the names of the other calls, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.asked: list[str] = []
        self.protocol: asyncio.BaseProtocol | None = None

    def write(self, data: bytes) -> None:
        if self.is_closing():
            raise RuntimeError("the handler is closed")  # as uvloop's transports do
        self.written += data

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol | None:  # type: ignore[override]
        return self.protocol

    def is_reading(self) -> bool:
        calls = [call for call in self.asked if call in ("pause", "resume")]
        return calls[-1:] != ["pause"]

    def pause_reading(self) -> None:
        self.asked.append("pause")

    def resume_reading(self) -> None:
        self.asked.append("resume")

    def close(self) -> None:
        self.asked.append("close")

    def abort(self) -> None:
        self.asked.append("abort")

    def is_closing(self) -> bool:
        return "close" in self.asked or "abort" in self.asked

    def get_write_buffer_size(self) -> int:
        return 0
