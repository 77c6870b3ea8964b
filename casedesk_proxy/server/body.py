"""The request body, read whole: planning looks into it, and a failover sends it again."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_exceptions import HTTPException

from casedesk_proxy.errors import BadRequest, TooLarge

__all__ = ["read_request_body"]

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def read_request_body(request: web.BaseRequest, limit: int, silence: float) -> bytes:
    """The body's bytes, content codings undone. Raises TooLarge beyond ``limit`` bytes, and
    BadRequest for broken framing (400) or a client silent for ``silence`` seconds (408)."""
    content = request.content
    if content.is_eof():
        return _within(content.read_nowait(-1), limit)
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
        request.transport.write(_CONTINUE)
    pieces: list[bytes] = []
    total = 0
    try:
        while True:
            async with asyncio.timeout(silence):
                piece = await content.readany()
            if not piece:
                return b"".join(pieces)
            total += len(piece)
            pieces.append(_within(piece, limit, total))
    except TimeoutError:
        raise BadRequest("the request body took too long", status=408) from None
    except (HttpProcessingError, HTTPException, web.RequestPayloadError):
        raise BadRequest("the request body is not well-formed") from None


def _within(piece: bytes, limit: int, total: int | None = None) -> bytes:
    if (len(piece) if total is None else total) > limit:
        raise _too_large(limit)
    return piece


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the request body is larger than {limit} bytes (server.max_body)")
