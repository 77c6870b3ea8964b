"""WebSocket frames (RFC 6455 section 5), as far as a relay needs them: finds where each frame ends,
so that the proxy can insert a frame, and whether a frame closes the connection."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["CloseCode", "FrameFollower", "close_frame"]


class CloseCode(IntEnum):
    """RFC 6455 section 7.4.1; RESTART is of IANA's registry."""

    GOING_AWAY = 1001
    ERROR = 1011
    RESTART = 1012


class _Bits(IntEnum):
    """Bits of a frame's first byte, and of its second."""

    OPCODE = 0xF
    CLOSE = 0x8
    FINAL = 0x80
    MASKED = 0x80
    LENGTH = 0x7F


#: The 7-bit value that announces a longer length, and the number of bytes of that length.
_LENGTH_BYTES = {126: 2, 127: 8}
_MASK_BYTES = 4
_MAX_HEAD_BYTES = 2 + max(_LENGTH_BYTES.values())
#: A control frame's payload is not longer, and a close frame has its code before the reason.
_MAX_REASON_BYTES = 123


class FrameFollower:
    """Follows the bytes of one direction. ``closed``: a close frame has begun."""

    __slots__ = ("_head", "_left", "closed")

    def __init__(self) -> None:
        #: The part of a frame's head that has arrived; and how much of a payload is still to come.
        self._head = b""
        self._left = 0
        self.closed = False

    @property
    def at_boundary(self) -> bool:
        """Whether another frame may be inserted here. A control frame may be inserted between the
        fragments of a message."""
        return not self._left and not self._head

    def follow(self, data: bytes) -> None:
        """Take the next bytes, of any number of frames."""
        size = len(data)
        if not self._left and size > 3 and not self._head:
            # Nearly all reads are one frame (masked if from a client) that is not a close: the hot
            # path.
            length, head = data[1], 2
            if length > 127:
                length, head = length - 128, 6
            if length == 126:
                length = (data[2] << 8 | data[3]) + 2
            if length + head == size and data[0] & 0xF != 8:
                return
        self._walk(data)

    def _walk(self, data: bytes) -> None:
        at, size = 0, len(data)
        while at < size:
            if self._left:
                used = min(self._left, size - at)
                self._left -= used
                at += used
                continue
            known = len(self._head)
            self._head += data[at : at + _MAX_HEAD_BYTES - known]
            used = self._read_head()
            if not used:
                return
            at += used - known
            self._head = b""

    def _read_head(self) -> int:
        """The length in bytes of the head in ``_head``, without its mask; 0 if it is incomplete."""
        head = self._head
        if len(head) < 2:
            return 0
        length = head[1] & _Bits.LENGTH
        end = 2 + _LENGTH_BYTES.get(length, 0)
        if len(head) < end:
            return 0
        if end > 2:
            length = int.from_bytes(head[2:end], "big")
        self._left = length + (_MASK_BYTES if head[1] & _Bits.MASKED else 0)
        self.closed = self.closed or head[0] & _Bits.OPCODE == _Bits.CLOSE
        return end


def close_frame(code: int, reason: str, mask: bytes = b"") -> bytes:
    """``mask``: four random bytes for a frame to a server, empty for a frame to a client."""
    payload = code.to_bytes(2, "big") + _cut(reason)
    head = bytes([_Bits.FINAL | _Bits.CLOSE, len(payload) | (_Bits.MASKED if mask else 0)])
    if mask:
        payload = bytes(byte ^ mask[at % _MASK_BYTES] for at, byte in enumerate(payload))
    return head + mask + payload


def _cut(reason: str) -> bytes:
    return reason.encode("utf-8", "replace")[:_MAX_REASON_BYTES].decode("utf-8", "ignore").encode()
