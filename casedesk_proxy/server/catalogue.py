"""Model lists and single models, answered from cached metadata; no node is asked."""

from __future__ import annotations

from collections.abc import Mapping

from casedesk_proxy import jsonio
from casedesk_proxy.catalog.lists import describe, visible
from casedesk_proxy.catalog.names import ModelRules
from casedesk_proxy.surfaces.envelopes import Reply, list_reply, model_reply
from casedesk_proxy.terms import Action, Call, ModelInfo

__all__ = ["list_models"]

_HEADERS = ((b"content-type", b"application/json"),)


def list_models(
    call: Call, rules: ModelRules, reported: Mapping[str, tuple[ModelInfo, ...]]
) -> Reply:
    """The reply to LIST_MODELS or GET_MODEL. Raises NotFound for a model that is not there."""
    models = visible(rules, reported)
    if call.action is Action.LIST_MODELS:
        return Reply(200, _HEADERS, jsonio.dumps(list_reply(call, models)))
    model = describe(call.model or "", rules, reported)
    return Reply(200, _HEADERS, jsonio.dumps(model_reply(call.surface, model)))
