"""A large body outside of this process's own memory: in a file without a name, which is also in
memory.

It is written as it arrives, passed to another process by its descriptor, and read in pieces as it
is sent, so that all of it is never processed in one round of the loop.
"""

from __future__ import annotations

import os
import sys
import threading

from casedesk_proxy.errors import Busy

__all__ = ["HeldBody"]

#: A body of so many bytes is closed in a thread: Linux takes 2 ms to free 10 MB.
_CLOSED_APART_BYTES = 2**20


class HeldBody:
    """``size`` bytes. It owns its descriptor, and closes it."""

    __slots__ = ("_fd", "size")

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self.size = size

    @classmethod
    def create(cls, content: bytes | bytearray = b"") -> HeldBody:
        """Raises Busy (503) if there is no descriptor or no memory."""
        try:
            held = cls(os.memfd_create("casedesk-body", os.MFD_CLOEXEC), 0)
        except OSError:
            raise _no_memory() from None
        held.write(content)
        return held

    def __len__(self) -> int:
        return self.size

    def __del__(self) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"HeldBody(size={self.size})"

    def fileno(self) -> int:
        return self._fd

    def write(self, data: bytes | bytearray) -> None:
        """Append to what was written. Raises Busy (503) if there is no memory."""
        view = memoryview(data)
        try:
            while view:
                done = os.pwrite(self._fd, view, self.size)
                view = view[done:]
                self.size += done
        except OSError:
            raise _no_memory() from None

    def read(self, at: int, most: int) -> bytes:
        """Up to ``most`` bytes from ``at`` on; b"" after the end. Raises OSError."""
        return os.pread(self._fd, most, at)

    def read_all(self) -> bytes:
        pieces, at = [], 0
        while piece := self.read(at, self.size - at):
            pieces.append(piece)
            at += len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        # A process that ends can start no threads: it would wait for one forever.
        if self.size < _CLOSED_APART_BYTES or sys.is_finalizing():
            os.close(fd)
        else:
            threading.Thread(target=os.close, args=(fd,), name="held body").start()


def _no_memory() -> Busy:
    return Busy(
        "the proxy has no memory for the request's body; send it again later",
        status=503,
        code="bodies_full",
    )
