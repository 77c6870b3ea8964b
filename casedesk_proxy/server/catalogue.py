"""Model lists and single models, answered from cached metadata.

No node is asked for them, but for two waits, both short: after a start until each node has been
looked at once, so that nobody takes an empty list for the truth, and for a name that is not known,
which may be new.
"""

from __future__ import annotations

from collections.abc import Mapping

from casedesk_proxy import jsonio
from casedesk_proxy.catalog.lists import describe, visible
from casedesk_proxy.catalog.names import ModelRules
from casedesk_proxy.errors import NotFound
from casedesk_proxy.surfaces.envelopes import Reply, list_reply, model_reply
from casedesk_proxy.terms import Action, Call, ModelInfo
from casedesk_proxy.upstream.metadata import Metadata

__all__ = ["catalogue", "list_models"]

#: Seconds that the first look at the nodes may keep a client, while nothing at all is known.
FIRST_LOOK_S = 3.0

_HEADERS = ((b"content-type", b"application/json"),)


async def catalogue(call: Call, rules: ModelRules, metadata: Metadata, patience: float) -> Reply:
    """The reply to LIST_MODELS or GET_MODEL. ``patience``: seconds for a name that is not known.
    Raises NotFound for a model that is not there."""
    await metadata.first_look(rules.nodes, FIRST_LOOK_S)
    for name in rules.nodes:
        # Whoever looks at the list twice sees what is new.
        metadata.used(name)
    try:
        return list_models(call, rules, metadata.reported)
    except NotFound:
        await metadata.refresh(patience)
        return list_models(call, rules, metadata.reported)


def list_models(
    call: Call, rules: ModelRules, reported: Mapping[str, tuple[ModelInfo, ...]]
) -> Reply:
    """The reply to LIST_MODELS or GET_MODEL. Raises NotFound for a model that is not there."""
    models = visible(rules, reported)
    if call.action is Action.LIST_MODELS:
        return Reply(200, _HEADERS, jsonio.dumps(list_reply(call, models)))
    model = describe(call.model or "", rules, reported)
    return Reply(200, _HEADERS, jsonio.dumps(model_reply(call.surface, model)))
