"""Makes the inquiries of `engines`: facts asked of nodes in the background.

This is aiohttp's work, and so are probes. An exchange needs to know where in a read a message
ends, to pass on the very bytes, to be given up at once, and as little of the loop per event as
can be: that is what connections of our own are for (`upstream.connection`). Here short JSON
replies are read whole, a few per node and minute, from whatever stands at a URL that nobody has
looked at yet: what counts is a full client of HTTP with redirects off, timeouts and bounds.

Each look has a session of its own, and so have the lists: its connections, cookies and TLS belong
to one node, and none of them lives longer than the look (a kept one would be closed by the node
before the next). Making one costs less than one of its requests.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from casedesk_proxy import jsonio
from casedesk_proxy.engines.inquiries import Asking, Inquiry, NodeAnswer
from casedesk_proxy.engines.model_lists import Listing
from casedesk_proxy.fastpath.memory import Memory

__all__ = ["ANSWER_TIMEOUT_S", "Answers", "Inquirer", "read_bounded"]

T = TypeVar("T")

#: How long one answer may take. Engines give these in milliseconds; a busy one in a second.
ANSWER_TIMEOUT_S = 3.0
_MAX_BODY_BYTES = 2 * 2**20
#: Answers of so many bytes are remembered, so many of them.
_MIN_LONG_BYTES = 16_384
_MAX_ANSWERS = 16


class Answers:
    """Long answers as they were parsed: the same bytes are not parsed again, whichever node sends
    them."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: Memory[bytes, Listing] = Memory(_MAX_ANSWERS)

    def parse(self, body: bytes) -> Any:
        """None for what is no JSON."""
        if len(body) < _MIN_LONG_BYTES:
            return _parse(body)
        digest = hashlib.sha256(body).digest()
        if digest not in self._known:
            value = _parse(body)
            if not isinstance(value, dict):
                return value
            self._known.remember(digest, Listing(value))
        return self._known[digest]


@dataclass(frozen=True, slots=True)
class Inquirer:
    """``url`` as a node's in the configuration; ``api_key`` goes along as
    ``Authorization: Bearer``. A reply is read up to a limit, redirects are not followed, and each
    inquiry has its own timeout. ``answers`` are those of earlier looks, at whichever nodes."""

    session: aiohttp.ClientSession
    url: str
    api_key: str | None = field(default=None, repr=False)
    answer_timeout_s: float = ANSWER_TIMEOUT_S
    answers: Answers = field(default_factory=Answers)

    async def follow(self, asking: Asking[T]) -> T:
        """What it returns, once all that it asks has been asked. A node that does not answer has
        NodeAnswer() for it: this raises nothing but what cancels it."""
        answers: tuple[NodeAnswer, ...] | None = None
        while True:
            try:
                inquiries = next(asking) if answers is None else asking.send(answers)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            answers = tuple(await asyncio.gather(*map(self.ask, inquiries)))

    async def ask(self, inquiry: Inquiry) -> NodeAnswer:
        try:
            async with self.session.request(
                "GET" if inquiry.body is None else "POST",
                URL(self.url.rstrip("/") + inquiry.path, encoded=True),
                json=inquiry.body,
                headers=self._headers(),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self.answer_timeout_s),
            ) as reply:
                body = await read_bounded(reply, _MAX_BODY_BYTES)
                value = self.answers.parse(body)
                return NodeAnswer(reply.status, reply.headers.get("Server", ""), value)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return NodeAnswer()

    def _headers(self) -> Mapping[str, str]:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        return headers


async def read_bounded(reply: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """The body; nothing of one that is longer."""
    body = bytearray()
    async for piece in reply.content.iter_chunked(65536):
        body += piece
        if len(body) > most_bytes:
            return b""
    return bytes(body)


def _parse(body: bytes) -> Any:
    try:
        return jsonio.loads(body)
    except jsonio.JSONError:
        return None
