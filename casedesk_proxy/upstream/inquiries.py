"""Makes the inquiries of `engines`: questions about facts, which nodes are asked in the background.

Inquiries and probes use aiohttp. An exchange needs connections of our own (`upstream.connection`):
to know where in a read a message ends, to pass on the exact bytes, to be cancelled at once, and to
use little of the loop per event. Here, short JSON replies are read whole, a few per node and
minute, from a URL that may lead to any kind of server: a complete HTTP client with redirects off,
timeouts and limits matters more.

Each inquiry has a session of its own, and so has each list: its connections, cookies and TLS belong
to one node, and none of them lives longer (the node would close a kept connection before the next
inquiry). Making a session costs less than one of its requests.
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
from casedesk_proxy.upstream.tracebacks import drop_tracebacks

__all__ = ["ANSWER_TIMEOUT_S", "Answers", "Inquirer", "read_bounded"]

T = TypeVar("T")

#: Seconds that one answer may take. Engines need milliseconds; a busy engine needs a second.
ANSWER_TIMEOUT_S = 3.0
_MAX_BODY_BYTES = 2 * 2**20
#: Answers of at least so many bytes are remembered, and so many of them.
_MIN_LONG_BYTES = 16_384
_MAX_ANSWERS = 16


class Answers:
    """Long answers after parsing: the same bytes are not parsed again, whichever node sends
    them."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: Memory[bytes, Listing] = Memory(_MAX_ANSWERS)

    def parse(self, body: bytes) -> Any:
        """None if the body is not JSON."""
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
    """``url`` is a node's URL in the configuration; ``api_key`` is sent as ``Authorization:
    Bearer``. A reply is read up to a limit, redirects are not followed, and each inquiry has its
    own timeout. ``answers`` are those of earlier inquiries, at any node."""

    session: aiohttp.ClientSession
    url: str
    api_key: str | None = field(default=None, repr=False)
    answer_timeout_s: float = ANSWER_TIMEOUT_S
    answers: Answers = field(default_factory=Answers)

    async def follow(self, asking: Asking[T]) -> T:
        """Make all inquiries of ``asking``; return its result. A node that does not answer is
        recorded as NodeAnswer(): this raises only CancelledError."""
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
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            drop_tracebacks(error)
            return NodeAnswer()

    def _headers(self) -> Mapping[str, str]:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        return headers


async def read_bounded(reply: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """The body; empty if it is longer than the limit."""
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
