"""What each node serves, asked in the background and answered from cache.

Only list endpoints are asked: nothing here runs inference or loads a model. A node that does
not answer keeps its last known list; one that never answered is absent, which planning takes
as "may have any model".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import aiohttp

from casedesk_proxy import jsonio
from casedesk_proxy.exchange.snapshot import NodeSpec, Snapshot
from casedesk_proxy.surfaces.catalogues import read_catalogue
from casedesk_proxy.terms import Dialect, ModelInfo
from casedesk_proxy.upstream.tls import node_tls
from casedesk_proxy.wire.headers import node_credential

__all__ = ["Metadata"]

log = logging.getLogger(__name__)

#: Seconds between two rounds; least seconds between a round and one asked for out of turn.
PERIOD = 30.0
LEAST = 1.0
#: What one list may take: seconds and bytes.
TIMEOUT = 5.0
MAX_LIST = 4 * 1024 * 1024

_LISTS = {
    Dialect.OPENAI: "/v1/models",
    Dialect.ANTHROPIC: "/v1/models?limit=1000",
    Dialect.GEMINI: "/v1beta/models?pageSize=1000",
}


class Metadata:
    """``reported``: the models of each node that told them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._snapshot: Snapshot | None = None
        self._round: asyncio.Task[None] | None = None
        self._asked_at = float("-inf")
        self.reported: Mapping[str, tuple[ModelInfo, ...]] = {}

    def adopt(self, snapshot: Snapshot) -> None:
        """Take over a configuration: models named in it count at once."""
        self._snapshot = snapshot
        known = dict(self.reported)
        for name, node in snapshot.nodes.items():
            if node.models is not None:
                known[name] = tuple(ModelInfo(model) for model in node.models)
        self.reported = {name: known[name] for name in snapshot.nodes if name in known}

    async def refresh(self) -> None:
        """One round over all nodes; joins a round that is under way. Rounds that follow within
        LEAST seconds are skipped, so that a storm of unknown names cannot become one of ours."""
        if self._round is None or self._round.done():
            if self._loop.time() - self._asked_at < LEAST:
                return
            self._asked_at = self._loop.time()
            self._round = self._loop.create_task(self._ask_all(), name="metadata round")
        await asyncio.shield(self._round)

    async def keep_fresh(self) -> None:
        """Runs until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(PERIOD)

    async def _ask_all(self) -> None:
        assert self._snapshot is not None
        nodes = [node for node in self._snapshot.nodes.values() if node.models is None]
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            lists = await asyncio.gather(*(self._ask(session, node) for node in nodes))
        told = {node.name: models for node, models in zip(nodes, lists, strict=True) if models}
        self.reported = {**self.reported, **told}

    async def _ask(
        self, session: aiohttp.ClientSession, node: NodeSpec
    ) -> tuple[ModelInfo, ...] | None:
        dialect = node.speaks[0]
        scheme = "https" if node.secure else "http"
        url = f"{scheme}://{node.host_header.decode()}{node.base}{_LISTS[dialect]}"
        headers = {"anthropic-version": "2023-06-01"} if dialect is Dialect.ANTHROPIC else {}
        if node.key is not None:
            name, value = node_credential(dialect, node.key)
            headers[name.decode()] = value.decode()
        try:
            async with session.get(
                url, headers=headers, ssl=node_tls(node) or True, allow_redirects=False
            ) as reply:
                if reply.status != 200:
                    return None
                return read_catalogue(dialect, await _bounded_json(reply))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            log.debug("node %s did not list its models: %s", node.name, type(error).__name__)
            return None


async def _bounded_json(reply: aiohttp.ClientResponse) -> Any:
    data = await reply.content.read(MAX_LIST)
    while len(data) < MAX_LIST and (piece := await reply.content.read(MAX_LIST - len(data))):
        data += piece
    return jsonio.loads(data)
