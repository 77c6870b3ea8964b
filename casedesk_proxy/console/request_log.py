"""A line of the access log for each request of the console: the caller, the request and its result.

It goes to the same sink as the API's requests, with ``surface=console``. It contains neither
queries nor bodies, which may contain keys and passwords.
"""

from __future__ import annotations

import asyncio
import secrets

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from casedesk_proxy.console.desk import CALLER, Desk
from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.wire.headers import accept_request_id
from casedesk_proxy.wire.query import log_target

__all__ = ["log_requests"]

_PREFIXES = ("/console", "/swagger-ui", "/api-docs")


def log_requests(desk: Desk) -> Middleware:
    """Requests are logged when they end."""

    @web.middleware
    async def log_request(request: web.Request, handler: Handler) -> web.StreamResponse:
        write = desk.place().access_log
        if write is None or not request.path.startswith(_PREFIXES):
            return await handler(request)
        started, client = asyncio.get_running_loop().time(), desk.client_of(request)
        status, sent, terminal = 500, 0, Terminal.FAILED
        try:
            response = await handler(request)
            status, terminal = response.status, Terminal.COMPLETED
            sent = response.body_length or response.content_length or 0
            return response
        except web.HTTPException as told:
            status, terminal = told.status, Terminal.COMPLETED
            raise
        except (asyncio.CancelledError, ConnectionError):
            status, terminal = 200, Terminal.CLIENT_GONE
            raise
        finally:
            caller = request.get(CALLER)
            write(
                ExchangeRecord(
                    accept_request_id(request.raw_headers) or secrets.token_hex(16),
                    started, request.method, log_target(request.rel_url.raw_path),
                    client, surface="console",
                    key="" if caller is None else caller.principal.name, status=status,
                    terminal=terminal, ended=asyncio.get_running_loop().time(), sent=sent,
                )
            )  # fmt: skip

    return log_request
