"""Parses heads that peers repeat only once.

Clients and nodes send nearly the same head every time, on one connection or on many; only the value
of Content-Length, and a node's Date once a second, differ. Parsing a head takes 15 to 20 µs,
recognising it 1 µs (CPython 3.11).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, TypeVar

from casedesk_proxy.fastpath.memory import Memory
from casedesk_proxy.fastpath.switches import Trick, is_on
from casedesk_proxy.wire.http1 import BodyFraming, RequestHead, ResponseHead

__all__ = ["HeadCache"]

Head = TypeVar("Head", RequestHead, ResponseHead)

#: How many heads, up to how many bytes each, are remembered: 4 MB if all have the full size.
MAX_HEADS = 512
MAX_HEAD_BYTES = 4096

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,15})(?=\r\n|$)", re.IGNORECASE)


class HeadCache(Generic[Head]):
    """``read`` returns the result of ``parse``, with one difference: if the same head came before
    with another length, ``headers`` are those of the earlier head, with its Content-Length.
    ``length`` is always right.

    The cache is shared by all connections: a client's credential stays in it until other heads
    displace it, as it stays in memory while its connection is open.
    """

    __slots__ = ("_known", "_last", "_parse", "_said")

    def __init__(self, parse: Callable[[bytes], Head]) -> None:
        self._parse: Callable[[bytes], Head] = parse
        #: By the bytes before the length and after it; None: the whole head is in the first part.
        self._known: Memory[tuple[bytes, bytes | None], Head] = Memory(
            MAX_HEADS if is_on(Trick.HEADS) else 0
        )
        self._said = b""
        self._last: Head | None = None

    def read(self, block: bytes) -> Head:
        """A head, given without the empty line that ends it. Raises MalformedMessage."""
        if self._last is not None and block == self._said:
            return self._last
        match = _LENGTH.search(block)
        key: tuple[bytes, bytes | None] = (block, None)
        if match is not None:
            begin, end = match.span(1)
            key = block[:begin], block[end:]
        head = self._known.get(key)
        if head is None:
            head = self._parse(block)
            if match is not None and not _is_sole_length(head, block):
                key = block, None
            if len(block) > MAX_HEAD_BYTES:
                return head
            self._known.remember(key, head)
        elif match is not None:
            head = head.with_length(int(match[1]))
        if self._known:
            self._said, self._last = block, head
        return head


def _is_sole_length(head: RequestHead | ResponseHead, block: bytes) -> bool:
    """Whether the head has one length and the body has that length: 304 may have the one without
    the other."""
    return head.body is BodyFraming.LENGTH and block.lower().count(b"content-length") == 1
