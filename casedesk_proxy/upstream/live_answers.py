"""Current answers of nodes to short questions, shared by several clients.

Facts that planning needs are asked in the background (`metadata`). Facts that change within
seconds, such as which models are loaded, are asked when a client requests them. However many
clients ask, a node gets the same question at most once a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import aiohttp

from casedesk_proxy.engines.inquiries import Inquiry, NodeAnswer
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.upstream.inquiries import Inquirer
from casedesk_proxy.upstream.listings import node_url
from casedesk_proxy.upstream.tls import context_of
from casedesk_proxy.upstream.unix_sockets import make_connector

__all__ = ["LiveAnswers"]

#: Seconds for which an answer is reused, and for which a node is waited for.
_FRESH_S = 1.0
_PATIENCE_S = 2.0


class LiveAnswers:
    """Answers are kept for the nodes that were asked last: those of one configuration."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        fresh_s: float = _FRESH_S,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._loop = loop
        self._fresh_s = fresh_s
        self._patience_s = patience_s
        self._asked: dict[tuple[str, str], tuple[float, NodeSpec, asyncio.Task[NodeAnswer]]] = {}

    async def ask(self, nodes: Iterable[NodeSpec], path: str) -> dict[str, Mapping[str, Any]]:
        """The JSON objects of the nodes that answered, by the nodes' names, in the given order."""
        asked = {node.name: self._find(node, path) for node in nodes}
        if asked:
            # ``wait`` cancels no task: a client that leaves does not end what other clients wait
            # for.
            await asyncio.wait(asked.values())
        facts = {name: task.result().facts for name, task in asked.items()}
        return {name: one for name, one in facts.items() if one}

    async def close(self) -> None:
        """Cancel running questions."""
        tasks = [task for _, _, task in self._asked.values() if not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _find(self, node: NodeSpec, path: str) -> asyncio.Task[NodeAnswer]:
        """The question that is running or was just answered, or a new one."""
        now, key = self._loop.time(), (node.name, path)
        known = self._asked.get(key)
        if known is not None and known[1] is node and now - known[0] < self._fresh_s:
            return known[2]
        task = self._loop.create_task(self._ask(node, path), name=f"{path} of {node.name}")
        self._asked[key] = now, node, task
        return task

    async def _ask(self, node: NodeSpec, path: str) -> NodeAnswer:
        connector = make_connector(node.socket, context_of(node))
        async with aiohttp.ClientSession(connector=connector) as session:
            inquirer = Inquirer(session, node_url(node), node.key, self._patience_s)
            return await inquirer.ask(Inquiry(path))
