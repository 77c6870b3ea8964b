"""Heads that a peer repeats on one connection, read once.

Clients and nodes say nearly the same head every time; only the value of Content-Length, and a
node's Date once a second, differ. Reading one takes 15 to 20 µs, recognising it 0.5 (measured).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, TypeVar

from casedesk_proxy.wire.http1 import Body, RequestHead, ResponseHead

__all__ = ["RepeatedHead"]

Head = TypeVar("Head", RequestHead, ResponseHead)

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,15})(?=\r\n|$)", re.IGNORECASE)


class RepeatedHead(Generic[Head]):
    """``read`` gives what ``parse`` does. Where a head is the one before but for its length, it
    shares its ``headers`` with that one: the same tuple, in which Content-Length stands as it
    was first said. So ``headers is`` tells that nothing else has changed.
    """

    __slots__ = ("_after", "_before", "_block", "_head", "_parse")

    def __init__(self, parse: Callable[[bytes], Head]) -> None:
        self._parse: Callable[[bytes], Head] = parse
        self.forget()

    def forget(self) -> None:
        """Keep nothing: a stream of hours has no use for it."""
        self._head: Head | None = None
        self._block = self._before = self._after = b""

    def read(self, block: bytes) -> Head:
        """A head, given without the empty line that ends it. Raises MalformedMessage."""
        head = self._head
        if head is not None:
            if block == self._block:
                return head
            if self._before and block.startswith(self._before):
                end = block.find(b"\r\n", len(self._before))
                value = block[len(self._before) : end if end >= 0 else len(block)]
                is_length = value.isdigit() and len(value) <= 15
                if is_length and block[len(self._before) + len(value) :] == self._after:
                    return head.with_length(int(value))
        return self._learn(block)

    def _learn(self, block: bytes) -> Head:
        head = self._parse(block)
        self._head, self._block = head, block
        self._before = self._after = b""
        match = _LENGTH.search(block)
        # One length, and the body is of that length: 304 may have the one without the other.
        if match and head.body is Body.LENGTH and block.lower().count(b"content-length") == 1:
            self._before, self._after = block[: match.start(1)], block[match.end(1) :]
        return head
