"""Model lists and single models, answered from cached metadata; no node is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from casedesk_proxy import jsonio
from casedesk_proxy.catalog.lists import visible
from casedesk_proxy.catalog.names import ModelRules, resolve
from casedesk_proxy.surfaces.envelopes import Reply, list_reply, model_reply
from casedesk_proxy.terms import Action, Call, ModelInfo

__all__ = ["list_models"]

_HEADERS = ((b"content-type", b"application/json; charset=UTF-8"),)


def list_models(
    call: Call, rules: ModelRules, reported: Mapping[str, tuple[ModelInfo, ...]]
) -> Reply:
    """The reply to LIST_MODELS or GET_MODEL. Raises NotFound for a model that is not there."""
    models = visible(rules, reported)
    if call.action is Action.LIST_MODELS:
        return Reply(200, _HEADERS, jsonio.dumps(list_reply(call, models)))
    asked = call.model or ""
    shown = next((model for model in models if model.name == asked), None)
    if shown is None:
        shown = _resolved(asked, rules, reported)
    return Reply(200, _HEADERS, jsonio.dumps(model_reply(call.surface, shown)))


def _resolved(
    asked: str, rules: ModelRules, reported: Mapping[str, tuple[ModelInfo, ...]]
) -> ModelInfo:
    """A name that no list shows but that would be served: a pattern's, or one without prefix."""
    target = resolve(asked, rules, reported)
    known = (model for node in target.nodes for model in reported.get(node, ()))
    found = next((model for model in known if model.name == target.model), ModelInfo(asked))
    return replace(found, name=asked)
