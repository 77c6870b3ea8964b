"""Resolves a model's name from a client to the name at a node, and to the nodes that have the
model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import islice

from casedesk_proxy.catalog.index import PatternIndex, by_name, find_near
from casedesk_proxy.errors import NotFound
from casedesk_proxy.terms import ModelInfo, ResolvedModel
from casedesk_proxy.wording import quoted

__all__ = ["ModelRules", "Reported", "may_use", "resolve"]

#: The models of each node that has reported its list. A node that is missing may have any model.
Reported = Mapping[str, tuple[ModelInfo, ...]]

_LATEST = ":latest"
#: Longer names match no model, and comparing them with patterns would be expensive.
_MAX_NAME_CHARS = 512
#: If there are more names than this, they are not compared with the requested one for suggestions.
_MAX_COMPARED_NAMES = 500
#: How many names a 404 lists if none is similar to the requested one.
_MAX_LISTED_NAMES = 5


@dataclass(frozen=True, slots=True)
class ModelRules:
    """What a deployment says about names. ``models`` limits, by the nodes' own names, which models
    may be requested; None: all that its nodes report. ``nodes`` are names, in the operator's order.
    ``descriptions`` are those of aliases. ``only``: the names and patterns that a key is limited
    to, be they clients' names or nodes'; None: all. A model that a key may not use does not exist
    for it."""

    aliases: Mapping[str, str]
    patterns: tuple[tuple[str, str], ...]
    prefix: str
    models: tuple[str, ...] | None
    nodes: tuple[str, ...]
    descriptions: Mapping[str, str] = field(default_factory=dict)
    only: tuple[str, ...] | None = None
    #: Built from the other fields.
    pattern_index: PatternIndex = field(init=False, compare=False, repr=False)
    allowed: frozenset[str] | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern_index", PatternIndex(self.patterns))
        allowed = None if self.models is None else frozenset(self.models)
        object.__setattr__(self, "allowed", allowed)


def resolve(asked: str, rules: ModelRules, reported: Reported) -> ResolvedModel:
    """The nodes that have the model that the client calls ``asked``, and its name there.

    The prefix is removed if it is there. Then, in this order: an exact alias; a model that a node
    reports; the first pattern that matches; a node whose list is not known. Aliases apply once. As
    in Ollama, ``name`` and ``name:latest`` are the same. Raises NotFound, code model_not_found,
    with up to three similar names of those that the deployment shows, else with some of all.
    """
    if len(asked) > _MAX_NAME_CHARS:
        raise _not_found(asked, rules, reported)
    resolved = _resolve(asked, rules, reported)
    if not may_use(asked, resolved.model, rules):
        raise _not_found(asked, rules, reported)
    return resolved


def may_use(name: str, model: str, rules: ModelRules) -> bool:
    """Whether a key may use the model that clients call ``name`` and nodes call ``model``."""
    if rules.only is None:
        return True
    names = {*_readings(name, rules.prefix), *_spellings(name), *_spellings(model)}
    return any(
        allowed in names or any(fnmatchcase(one, allowed) for one in names)
        for allowed in rules.only
    )


def _resolve(asked: str, rules: ModelRules, reported: Reported) -> ResolvedModel:
    names = _readings(asked, rules.prefix)
    for name in reversed(names):
        if name in rules.aliases:
            return _behind_alias(asked, name, rules.aliases[name], rules, reported)
    for name in names:
        found = _reporters(name, rules, reported)
        if found is not None:
            return ResolvedModel(asked, *found)
    pattern = _fitting_pattern(names, rules)
    if pattern is not None:
        return _behind_alias(asked, *pattern, rules, reported)
    for name in names:
        found = _silent(name, rules, reported)
        if found is not None:
            return ResolvedModel(asked, *found)
    raise _not_found(asked, rules, reported)


def locate(model: str, rules: ModelRules, reported: Reported) -> tuple[str, tuple[str, ...]] | None:
    """A node's name for ``model`` and the nodes that have it, or may have it; None if no node
    may."""
    return _reporters(model, rules, reported) or _silent(model, rules, reported)


def is_allowed(model: str, rules: ModelRules) -> bool:
    return rules.allowed is None or any(same in rules.allowed for same in _spellings(model))


def visible_names(rules: ModelRules, reported: Reported) -> Iterator[tuple[str, str]]:
    """What the deployment shows: (name for clients, name at the nodes), each once, unsorted.

    Aliases are shown as they are written, models with the prefix. A model that has the same name as
    an alias is not shown: a request for that name gets the alias' target. Models that the
    configuration lists are shown unless each of the deployment's nodes has reported a list without
    them: a node that is down may have them.
    """
    for name, model in _all_names(rules, reported):
        if may_use(name, model, rules):
            yield name, model


def _all_names(rules: ModelRules, reported: Reported) -> Iterator[tuple[str, str]]:
    for alias, model in rules.aliases.items():
        name = _name_there(model, rules, reported)
        if name is not None:
            yield alias, name
    aliases = rules.aliases.keys()
    for model in _models(rules, reported):
        name = rules.prefix + model
        if not aliases or aliases.isdisjoint(_readings(name, rules.prefix)):
            yield name, model


def _models(rules: ModelRules, reported: Reported) -> Iterator[str]:
    """The models that nodes report and the deployment allows, and configured ones that may exist;
    each once."""
    if rules.models is None:
        yield from _reported_names(rules, reported)
        return
    known = dict.fromkeys(
        name for model in rules.models for name in _spellings(model) if is_allowed(name, rules)
    )
    yield from (name for name in known if _is_reported(name, rules, reported))
    for model in dict.fromkeys(rules.models):
        if _name_reported(model, rules, reported) is None and _silent(model, rules, reported):
            pattern = _fitting_pattern(_readings(rules.prefix + model, rules.prefix), rules)
            if pattern is None or _name_there(pattern[1], rules, reported) is not None:
                yield model


def _reported_names(rules: ModelRules, reported: Reported) -> Iterator[str]:
    """Node by node, so that a caller who needs a few names does not pay for all."""
    known: set[str] = set()
    for node in rules.nodes:
        names = by_name(reported.get(node, ()))
        yield from [name for name in names if name not in known]
        known.update(names)


def _fitting_pattern(names: tuple[str, ...], rules: ModelRules) -> tuple[str, str] | None:
    """The first pattern that matches, and its target."""
    for name in names:
        if (found := rules.pattern_index.find(name)) is not None:
            return found
    return None


def _readings(asked: str, prefix: str) -> tuple[str, ...]:
    """What a name may mean, from the shortest reading to the name as it was written: a client may
    have put ``models/`` before it, and a node's model may itself begin with that or with the
    prefix."""
    bare = asked.removeprefix("models/")
    found = dict.fromkeys((_without(bare, prefix), bare, _without(asked, prefix), asked))
    return tuple(found)


def _without(name: str, prefix: str) -> str:
    return name.removeprefix(prefix) or name


def _behind_alias(
    asked: str, alias: str, model: str, rules: ModelRules, reported: Reported
) -> ResolvedModel:
    found = locate(model, rules, reported)
    if found is None:
        raise _not_found(asked, rules, reported, model)
    return ResolvedModel(asked, *found, alias)


def _reporters(
    model: str, rules: ModelRules, reported: Reported
) -> tuple[str, tuple[str, ...]] | None:
    """Only nodes that report the model, under the first of its spellings that any node reports."""
    if not is_allowed(model, rules):
        return None
    for name in _spellings(model):
        nodes = tuple(node for node in rules.nodes if name in by_name(reported.get(node, ())))
        if nodes:
            return name, nodes
    return None


def _name_there(model: str, rules: ModelRules, reported: Reported) -> str | None:
    """A node's name for the model, if a node has it or may have it."""
    if (name := _name_reported(model, rules, reported)) is not None:
        return name
    silent = _silent(model, rules, reported)
    return silent[0] if silent is not None else None


def _name_reported(model: str, rules: ModelRules, reported: Reported) -> str | None:
    if not is_allowed(model, rules):
        return None
    names = (name for name in _spellings(model) if _is_reported(name, rules, reported))
    return next(names, None)


def _is_reported(name: str, rules: ModelRules, reported: Reported) -> bool:
    return any(name in by_name(reported.get(node, ())) for node in rules.nodes)


def _silent(
    model: str, rules: ModelRules, reported: Reported
) -> tuple[str, tuple[str, ...]] | None:
    """The nodes whose lists are not known."""
    nodes = tuple(node for node in rules.nodes if node not in reported)
    return (model, nodes) if nodes and is_allowed(model, rules) else None


def _spellings(model: str) -> tuple[str, ...]:
    """The name itself, then the names that mean the same to Ollama."""
    if model.endswith(_LATEST):
        return model, model.removesuffix(_LATEST)
    if ":" in model.rpartition("/")[2]:
        return (model,)
    return model, model + _LATEST


def _not_found(
    asked: str, rules: ModelRules, reported: Reported, target: str | None = None
) -> NotFound:
    """``target``: the alias' target; its name is the one to correct."""
    shown = visible_names(rules, reported)
    names = [name for name, _ in islice(shown, _MAX_COMPARED_NAMES + 1)]
    message = f"model {quoted(asked)} is not served here"
    if rules.only is not None:
        message += ", or not to your key"
    if target is not None:
        message = f"alias {quoted(asked)} points to {quoted(target)}, which no node serves"
    wanted = target or asked
    near = []
    if len(wanted) <= _MAX_NAME_CHARS and len(names) <= _MAX_COMPARED_NAMES:
        near = get_close_matches(wanted, find_near(wanted, names), n=3, cutoff=0.5)
    if near:
        message += f"; similar names: {', '.join(near)}"
    elif not names:
        message += "; check that its node runs"
    else:
        some = sorted(names)[:_MAX_LISTED_NAMES]
        others = " and others" if len(names) > _MAX_LISTED_NAMES else ""
        message += f"; available: {', '.join(some)}{others}"
    error = NotFound(message, code="model_not_found")
    error.model = asked[:_MAX_NAME_CHARS]
    return error
