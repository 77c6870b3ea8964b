"""The list of models that a node returns in its protocol."""

from __future__ import annotations

import hashlib
import logging

import aiohttp

from casedesk_proxy import jsonio
from casedesk_proxy.catalog.index import ModelList
from casedesk_proxy.engines.model_lists import is_catalogue, read_catalogue
from casedesk_proxy.fastpath.memory import Memory
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.terms import Dialect
from casedesk_proxy.upstream.inquiries import read_bounded
from casedesk_proxy.wire.headers import node_credential

__all__ = ["Listings", "fetch_models", "list_headers", "list_url", "node_url"]

log = logging.getLogger(__name__)

_MAX_LIST_BYTES = 4 * 1024 * 1024
#: How many lists are remembered.
_MAX_LISTINGS = 256
_PATHS = {
    Dialect.OPENAI: "/v1/models",
    Dialect.ANTHROPIC: "/v1/models?limit=1000",
    Dialect.GEMINI: "/v1beta/models?pageSize=1000",
    Dialect.OLLAMA: "/api/tags",
}


class Listings:
    """Lists after parsing: the same bytes are not parsed again, whichever node sends them, and
    nodes with the same models share one list."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: Memory[tuple[Dialect, bytes], ModelList | None] = Memory(_MAX_LISTINGS)

    def read(self, dialect: Dialect, body: bytes) -> ModelList | None:
        """None if the body is not a list. Raises ValueError if it is not JSON."""
        key = dialect, hashlib.sha256(body).digest()
        if key not in self._known:
            listing = jsonio.loads(body)
            is_list = is_catalogue(dialect, listing)
            models = ModelList(read_catalogue(dialect, listing)) if is_list else None
            self._known.remember(key, models)
        return self._known[key]


async def fetch_models(
    session: aiohttp.ClientSession, node: NodeSpec, listings: Listings
) -> ModelList | None:
    """None if the node returns no list. Raises only CancelledError."""
    dialect = node.speaks[0]
    try:
        async with session.get(
            list_url(node),
            headers=list_headers(node),
            allow_redirects=False,
        ) as reply:
            if reply.status != 200:
                return None
            return listings.read(dialect, await read_bounded(reply, _MAX_LIST_BYTES))
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        log.debug("node %s did not list its models: %s", node.name, type(error).__name__)
        return None


def list_url(node: NodeSpec) -> str:
    return node_url(node) + _PATHS[node.speaks[0]]


def node_url(node: NodeSpec) -> str:
    scheme = "https" if node.secure else "http"
    return f"{scheme}://{node.host_header.decode()}{node.base}"


def list_headers(node: NodeSpec) -> dict[str, str]:
    """Headers with the node's key, in the form of its protocol."""
    dialect = node.speaks[0]
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    if dialect is Dialect.ANTHROPIC:
        headers["anthropic-version"] = "2023-06-01"
    if node.key is not None:
        name, value = node_credential(dialect, node.key)
        headers[name.decode()] = value.decode()
    return headers
