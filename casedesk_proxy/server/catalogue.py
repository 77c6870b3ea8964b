"""Model lists and single models, answered from cached metadata.

No node is asked for them, but for two waits, both short: after a start until each node has been
looked at once, so that nobody takes an empty list for the truth, and for a name that is not known,
which may be new.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping

from casedesk_proxy import jsonio
from casedesk_proxy.catalog.lists import describe, visible
from casedesk_proxy.catalog.names import ModelRules
from casedesk_proxy.errors import NotFound
from casedesk_proxy.server.waits import Waits
from casedesk_proxy.surfaces.envelopes import OwnReply, list_reply, model_reply
from casedesk_proxy.terms import Action, Call, ModelInfo
from casedesk_proxy.upstream.metadata import Metadata

__all__ = ["Remembered", "catalogue", "list_models"]

_MAX_LISTS = 32
#: Characters; SDKs ask for a page's size and token.
_MAX_QUERY_CHARS = 200

_HEADERS = ((b"content-type", b"application/json"),)


class Remembered:
    """The last lists, with what they were made of: making one of a thousand models takes as long
    as a hundred events, and clients ask for it at every start."""

    __slots__ = ("_lists",)

    def __init__(self) -> None:
        self._lists: dict[tuple[object, ...], tuple[tuple[object, ...], OwnReply]] = {}

    def list_models(
        self, call: Call, rules: ModelRules, reported: Mapping[str, tuple[ModelInfo, ...]]
    ) -> OwnReply:
        """As `list_models`."""
        if call.action is not Action.LIST_MODELS or len(call.query) > _MAX_QUERY_CHARS:
            return list_models(call, rules, reported)
        asked = call.surface, call.deployment is None, call.query, id(rules)
        sources = rules, *(reported.get(name) for name in rules.nodes)
        made_of, reply = self._lists.get(asked, ((), None))
        if (
            reply is None
            or len(made_of) != len(sources)
            or any(map(operator.is_not, made_of, sources))
        ):
            reply = list_models(call, rules, reported)
            if len(self._lists) >= _MAX_LISTS:
                del self._lists[next(iter(self._lists))]
            self._lists[asked] = sources, reply
        return reply


async def catalogue(
    call: Call, rules: ModelRules, metadata: Metadata, lists: Remembered, waits: Waits
) -> OwnReply:
    """The reply to LIST_MODELS or GET_MODEL. Raises NotFound for a model that is not there."""
    await metadata.first_look(rules.nodes, waits.first_look_s)
    for name in rules.nodes:
        # Whoever looks at the list twice sees what is new.
        metadata.used(name)
    try:
        return lists.list_models(call, rules, metadata.reported)
    except NotFound:
        before = metadata.reported
        await metadata.refresh(waits.model_refresh_s)
        if metadata.reported is before:
            raise
        return lists.list_models(call, rules, metadata.reported)


def list_models(
    call: Call, rules: ModelRules, reported: Mapping[str, tuple[ModelInfo, ...]]
) -> OwnReply:
    """The reply to LIST_MODELS or GET_MODEL. Raises NotFound for a model that is not there."""
    if call.action is Action.LIST_MODELS:
        models = visible(rules, reported)
        return OwnReply(200, _HEADERS, jsonio.dumps(list_reply(call, models)))
    model = describe(call.model or "", rules, reported)
    return OwnReply(200, _HEADERS, jsonio.dumps(model_reply(call.surface, model)))
