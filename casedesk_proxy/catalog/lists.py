"""The models that a deployment shows, from what its nodes have reported; no node is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from casedesk_proxy.catalog.index import by_name
from casedesk_proxy.catalog.names import ModelRules, Reported, may_use, resolve, visible_names
from casedesk_proxy.terms import ModelInfo

__all__ = ["describe", "each_visible", "in_order", "offered", "visible"]

_LATEST = ":latest"


def visible(rules: ModelRules, reported: Reported) -> tuple[ModelInfo, ...]:
    """All models under the names that clients use for them, sorted, each once.

    These are the nodes' models that the deployment serves, with its prefix, and its exact aliases
    as they are written, with their targets' metadata. If nodes report different metadata for a
    model, the first node in the operator's order counts.
    """
    return in_order(each_visible(rules, reported))


def each_visible(rules: ModelRules, reported: Reported) -> Iterator[ModelInfo]:
    """As `visible`, unsorted and one by one: thousands of models take milliseconds."""
    known = _by_name(rules, reported)
    for name, model in visible_names(rules, reported):
        info = known.get(model) or ModelInfo(model)
        yield _named(info, name, rules.descriptions.get(name, ""))


def in_order(models: Iterable[ModelInfo]) -> tuple[ModelInfo, ...]:
    return tuple(sorted(models, key=lambda info: info.name))


def describe(asked: str, rules: ModelRules, reported: Reported) -> ModelInfo:
    """The one model that ``asked`` means, under that name. Raises NotFound as `resolve` does."""
    resolved = resolve(asked, rules, reported)
    lists = (by_name(reported.get(node, ())) for node in rules.nodes)
    found = next((known[resolved.model] for known in lists if resolved.model in known), None)
    return _named(
        found or ModelInfo(resolved.model), asked, rules.descriptions.get(resolved.alias, "")
    )


def offered(rules: ModelRules, reported: Reported) -> tuple[str, ...]:
    """One name for each model that may be requested, sorted: a request without a model means the
    only one. Models that the configuration lists count until their nodes have reported theirs."""
    known = _by_name(rules, reported)
    names: dict[str, str] = {}
    for name, model in visible_names(rules, reported):
        info = known.get(model)
        first = info.alias_of if info is not None else ""
        same = (first or model).removesuffix(_LATEST)
        if not first and name == rules.prefix + model:
            names[same] = name
        else:
            names.setdefault(same, name)
    if any(node not in reported for node in rules.nodes):
        for model in rules.models or ():
            if may_use(rules.prefix + model, model, rules):
                names.setdefault(model.removesuffix(_LATEST), rules.prefix + model)
    return tuple(sorted(set(names.values())))


def _named(info: ModelInfo, name: str, description: str) -> ModelInfo:
    if info.name == name and not description:
        return info
    return replace(info, name=name, description=description)


def _by_name(rules: ModelRules, reported: Reported) -> dict[str, ModelInfo]:
    known: dict[str, ModelInfo] = {}
    for node in reversed(rules.nodes):
        known.update(by_name(reported.get(node, ())))
    return known
