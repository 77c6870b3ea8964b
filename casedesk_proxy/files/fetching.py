"""Content fetched from the web for a request, only from hosts that an operator allows.

A name is resolved once, its addresses are checked, and the connection goes to the checked address:
a name that resolves to another address a moment later has no effect. Redirects are not followed,
cookies not kept, and nothing of a client's request is sent.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from casedesk_proxy.config.fetching import FetchUrls
from casedesk_proxy.terms import record
from casedesk_proxy.wire.web_addresses import WebAddress, is_public

__all__ = ["FetchFault", "Fetched", "fetch"]

_HEADERS = {"Accept-Encoding": "identity", "Accept": "*/*", "User-Agent": "casedesk-proxy"}


class FetchFault(Exception):
    """Why it cannot be fetched, in words for the client."""


class _Forbidden(OSError):
    """The name leads to an address to which no request may be sent."""


@record
class Fetched:
    mime_type: str
    content: bytes


async def fetch(
    address: WebAddress,
    settings: FetchUrls,
    most: int,
    take: Callable[[int], None],
    *,
    may_connect: Callable[[str], bool] = is_public,
    resolver: AbstractResolver | None = None,
) -> Fetched:
    """At most ``most`` bytes. ``take`` is called with each piece before it is held, and may raise.
    ``may_connect`` judges IP addresses; ``resolver`` finds them. Raises FetchFault. For a task, not
    for a fiber."""
    if _is_address(address.host) and not may_connect(address.host.strip("[]")):
        raise FetchFault("it points to an address that is not public")
    checked = _CheckedResolver(resolver or aiohttp.ThreadedResolver(), may_connect)
    connector = aiohttp.TCPConnector(resolver=checked, use_dns_cache=False, force_close=True)
    timeout = aiohttp.ClientTimeout(total=settings.timeout)
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False, trust_env=False, headers=_HEADERS,
            ) as session,
            session.get(address.url, allow_redirects=False) as reply,
        ):  # fmt: skip
            return await _read(reply, settings, most, take)
    except TimeoutError:
        raise FetchFault("its host did not answer in time") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        if checked.has_refused:
            raise FetchFault("it points to an address that is not public") from None
        if isinstance(error, aiohttp.ClientSSLError):
            raise FetchFault("its host's certificate is not trusted") from None
        raise FetchFault("its host cannot be reached, or closed the connection") from None


async def _read(
    reply: aiohttp.ClientResponse, settings: FetchUrls, most: int, take: Callable[[int], None]
) -> Fetched:
    if 300 <= reply.status < 400:
        raise FetchFault("its host redirects it, which is not followed")
    if reply.status != 200:
        raise FetchFault(f"its host answered with status {reply.status}")
    mime = reply.content_type.lower()
    if mime not in settings.types and f"{mime.partition('/')[0]}/*" not in settings.types:
        raise FetchFault("its media type is not allowed (fetch_urls.types)")
    if reply.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FetchFault("its host compresses it although it was asked not to")
    pieces, size = [], 0
    if (reply.content_length or 0) <= most:
        async for piece in reply.content.iter_any():
            size += len(piece)
            if size > most:
                break
            take(len(piece))
            pieces.append(piece)
    if size > most or (reply.content_length or 0) > most:
        raise FetchFault("it is larger than fetch_urls.max_size")
    return Fetched(mime, b"".join(pieces))


def _is_address(host: str) -> bool:
    """Also for notations that only resolvers read as an address, such as 127.1 and 0x7f000001."""
    return ":" in host or host.rpartition(".")[2][:1].isdigit()


class _CheckedResolver(AbstractResolver):
    """Returns nothing if one of the addresses is not public: such a name is likely an attack."""

    def __init__(self, inner: AbstractResolver, may_connect: Callable[[str], bool]) -> None:
        self._inner = inner
        self._may_connect = may_connect
        self.has_refused = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not all(self._may_connect(one["host"]) for one in found):
            self.has_refused = True
            raise _Forbidden
        return found

    async def close(self) -> None:
        await self._inner.close()
