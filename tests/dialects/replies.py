"""The recorded replies of real nodes, read for tests."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["REPLIES", "Recorded", "names", "read_reply"]

REPLIES = Path(__file__).parent.parent / "corpus" / "replies"


class Recorded(NamedTuple):
    """A node's reply as it stood on the wire; ``chunks`` are the body's pieces as it sent them."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    chunks: list[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


def names(*patterns: str) -> list[str]:
    """Names of the recorded replies that fit a glob pattern, sorted."""
    return sorted({path.stem for one in patterns for path in REPLIES.glob(f"{one}.http")})


def read_reply(name: str) -> Recorded:
    head, _, rest = (REPLIES / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    headers = tuple(
        (key, value.strip()) for key, _, value in (one.partition(b":") for one in lines)
    )
    chunked = any(
        key.lower() == b"transfer-encoding" and value == b"chunked" for key, value in headers
    )
    chunks = list(_chunks(rest)) if chunked else [rest]
    return Recorded(int(first.split()[1]), headers, chunks)


def _chunks(rest: bytes) -> list[bytes]:
    found = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            break
        found.append(rest[:length])
        rest = rest[length + 2 :]
    return found
