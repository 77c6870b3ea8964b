"""What a deployment shows of its models, from what its nodes reported; nothing is asked of them."""

from __future__ import annotations

from dataclasses import replace

from casedesk_proxy.catalog.names import ModelRules, Reported, resolve, visible_names
from casedesk_proxy.terms import ModelInfo

__all__ = ["describe", "visible"]


def visible(rules: ModelRules, reported: Reported) -> tuple[ModelInfo, ...]:
    """All models under the names that clients use for them, sorted, each once.

    These are the nodes' models, as far as the deployment serves them, with its prefix, and its
    exact aliases, as they are written, with their targets' metadata. Where nodes differ about a
    model, the first in the operator's order is believed.
    """
    known = _by_name(rules, reported)
    shown = [
        replace(known.get(model, ModelInfo(model)), name=name)
        for name, model in visible_names(rules, reported)
    ]
    return tuple(sorted(shown, key=lambda info: info.name))


def describe(asked: str, rules: ModelRules, reported: Reported) -> ModelInfo:
    """The one model that ``asked`` means, under that name. Raises NotFound as resolve does."""
    model = resolve(asked, rules, reported).model
    return replace(_by_name(rules, reported).get(model, ModelInfo(model)), name=asked)


def _by_name(rules: ModelRules, reported: Reported) -> dict[str, ModelInfo]:
    known: dict[str, ModelInfo] = {}
    for node in rules.nodes:
        for info in reported.get(node, ()):
            known.setdefault(info.name, info)
    return known
