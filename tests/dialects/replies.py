"""The recorded replies of real nodes, read for tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["REPLIES", "Recorded", "cuts", "kind_of", "names", "read_reply"]

REPLIES = Path(__file__).parent.parent / "corpus" / "replies"


class Recorded(NamedTuple):
    """A node's reply as it was on the wire; ``chunks`` are the pieces of the body as the node sent
    them."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    chunks: list[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


#: What a recording is, by its name; the first that fits. ``native`` and ``other`` are of routes
#: that nobody is ever asked for: a proxy that gets them all the same must not take them for more.
_KINDS = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"error|loading", "error"),
        (r"^ollama-\d+\.\d+\.\d+\.(?!v1-)|\.ollama-|native|\.generate", "native"),
        (r"^(?!litellm).*\.gemini-", "error"),
        (r"\.gemini-(count|embed|model)", "error"),
        (r"\.gemini-stream", "gemini stream"),
        (r"\.gemini-", "gemini body"),
        (r"count|input-tokens|tokenize-chat", "count"),
        (r"messages-stream", "messages stream"),
        (r"messages", "messages body"),
        (r"\.(v1-)?chat-stream", "chat stream"),
        (r"\.(v1-)?chat", "chat body"),
        (r"\.(v1-)?embeddings", "embeddings"),
        (
            r"responses|completions|tokenize|template|health|ping|metrics|options|slots|props"
            r"|models|version",
            "other",
        ),
    )
)


def names(*patterns: str, kind: str = "") -> list[str]:
    """The sorted names of the recorded replies that match a glob pattern, and that are of this kind
    if one is given."""
    found = {path.stem for one in patterns for path in REPLIES.glob(f"{one}.http")}
    return sorted(name for name in found if not kind or kind_of(name) == kind)


def kind_of(name: str) -> str:
    return next((kind for pattern, kind in _KINDS if pattern.search(name)), "")


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


def cuts(body: bytes, end: int) -> list[int]:
    """Places where a stream may break off: after each event; at each byte from ``end``, where its
    finish is reported, on for fifty bytes; after each later line's end; and at some places within
    lines, so many that a long stream takes no longer than others."""
    step = 1 + len(body) // 50
    places = {*range(0, len(body), step), *range(end, len(body), 10), *range(end, end + 50)}
    places |= {found.end() for found in re.finditer(rb"\n\n", body)}
    for found in re.finditer(rb"\n+", body[end:]):
        places |= {*range(end + found.start() - 4, end + found.end() + 5)}
    return sorted(at for at in {*places, len(body)} if at <= len(body))


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
