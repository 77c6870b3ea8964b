"""Answers that do not pass a request to a node: lists of models, Ollama's own lists and its
version, and what a key has used.

Lists of models come from cached metadata, with two short waits: after a start until each node has
been asked once, so that no client gets an incomplete list, and for an unknown name, which may be
new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from casedesk_proxy import jsonio
from casedesk_proxy.catalog.lists import describe, each_visible, in_order
from casedesk_proxy.catalog.names import ModelRules
from casedesk_proxy.errors import NotFound
from casedesk_proxy.fastpath.memory import Memory
from casedesk_proxy.planning.admission import Admitted
from casedesk_proxy.server.limiting import Limiter
from casedesk_proxy.server.ollama_lists import merge_answers
from casedesk_proxy.server.usage_page import show_usage
from casedesk_proxy.server.waits import Waits
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.surfaces.envelopes import OwnReply, list_reply, model_reply
from casedesk_proxy.terms import Action, Call, Dialect, ModelInfo
from casedesk_proxy.turns import in_turns
from casedesk_proxy.upstream.live_answers import LiveAnswers
from casedesk_proxy.upstream.metadata import Metadata

__all__ = ["Catalogue", "ListMemory", "list_models"]

_MAX_LISTS = 32
#: At some 5 µs each.
_MODELS_PER_TURN = 100
#: Characters; SDKs send a page's size and token.
_MAX_QUERY_CHARS = 200

_HEADERS = ((b"content-type", b"application/json"),)


class Catalogue:
    """Answers the actions of `planning.admission.CATALOGUE`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, metadata: Metadata, limiter: Limiter, waits: Waits
    ) -> None:
        self._metadata = metadata
        self._limiter = limiter
        self._waits = waits
        self._lists = ListMemory()
        self._live = LiveAnswers(loop)

    async def answer(self, admitted: Admitted, snapshot: Snapshot) -> OwnReply:
        """Raises a ProxyError."""
        call, deployment = admitted.call, admitted.deployment
        if call.action is Action.USAGE:
            return await show_usage(self._limiter, admitted)
        if call.surface is Dialect.OLLAMA:
            name, rules = deployment.name, deployment.rules
            return await merge_answers(call, name, rules, snapshot, self._metadata, self._live)
        return await self._list_models(admitted, snapshot)

    async def _list_models(self, admitted: Admitted, snapshot: Snapshot) -> OwnReply:
        """LIST_MODELS or GET_MODEL. Raises NotFound for a model that is not there."""
        metadata, nodes = self._metadata, admitted.deployment.rules.nodes
        await metadata.first_look(nodes, self._waits.first_look_s)
        for name in nodes:
            # The nodes are asked again soon: a second request for the list then shows what is new.
            metadata.used(name)
        before = metadata.reported
        try:
            return await self._lists.list_models(admitted, snapshot, before)
        except NotFound:
            await metadata.refresh(self._waits.model_refresh_s)
            if metadata.reported is before:
                raise
            return await self._lists.list_models(admitted, snapshot, metadata.reported)

    async def close(self) -> None:
        """Cancel questions to nodes."""
        await self._live.close()


class ListMemory:
    """The latest lists: making one of a thousand models takes as long as a hundred events, and
    clients request it at every start."""

    def __init__(self) -> None:
        self._made: Memory[tuple[object, ...], OwnReply] = Memory(_MAX_LISTS)

    async def list_models(
        self,
        admitted: Admitted,
        snapshot: Snapshot,
        reported: Mapping[str, tuple[ModelInfo, ...]],
    ) -> OwnReply:
        """As the function `list_models`."""
        call, deployment = admitted.call, admitted.deployment
        if call.action is not Action.LIST_MODELS or len(call.query) > _MAX_QUERY_CHARS:
            return await list_models(call, deployment.rules, reported)
        made = self._made.under(snapshot, reported)
        # A deployment's rules are the snapshot's, except the models that the key is limited to.
        wanted = (
            call.surface, call.deployment is None, call.query, deployment.name,
            deployment.rules.only,
        )  # fmt: skip
        if (reply := made.get(wanted)) is None:
            reply = await list_models(call, deployment.rules, reported)
            # Other lists may have been requested meanwhile.
            made.under(snapshot, reported).remember(wanted, reply)
        return reply


async def list_models(
    call: Call, rules: ModelRules, reported: Mapping[str, tuple[ModelInfo, ...]]
) -> OwnReply:
    """The reply to LIST_MODELS or GET_MODEL. Raises NotFound for an unknown model."""
    if call.action is Action.LIST_MODELS:
        models = in_turns(each_visible(rules, reported), _MODELS_PER_TURN)
        shown = in_order([model async for model in models])
        return OwnReply(200, _HEADERS, jsonio.dumps(list_reply(call, shown)))
    model = describe(call.model or "", rules, reported)
    return OwnReply(200, _HEADERS, jsonio.dumps(model_reply(call.surface, model)))
