"""What an alias or a key changes in a request: its rules, compiled for each form of body, and
applied.

Rules with shared names change the client's body, in its own fields; a shared name for which its
protocol has no field changes the request for a node of another protocol, if that has one. A
protocol's own rules change every body of that protocol: the client's, or the one made for a node.
Requests that only count or embed are not changed, as they have none of these fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from casedesk_proxy.config.alias import FORMS, SECTIONS, ParameterRules
from casedesk_proxy.config.parameter_fields import SHARED
from casedesk_proxy.surfaces.body_changes import FieldPath
from casedesk_proxy.surfaces.form_changes import FormChange
from casedesk_proxy.surfaces.parameter_changes import BodyChange
from casedesk_proxy.surfaces.parameter_steps import (
    CapAt,
    Case,
    ChangeBy,
    Default,
    Remove,
    SetTo,
    Step,
    read_case,
)
from casedesk_proxy.terms import Action, Call, Dialect

__all__ = ["Parameters", "compile_parameters"]

K = TypeVar("K")

#: The section with a body's fields, by action.
_SECTIONS = {
    Action.GENERATE: "gemini",
    Action.STREAM_GENERATE: "gemini",
    Action.MESSAGES: "anthropic",
    Action.CHAT: "openai",
    Action.COMPLETE: "openai",
    Action.RESPOND: "responses",
    Action.OLLAMA_CHAT: "ollama",
    Action.OLLAMA_GENERATE: "ollama",
    Action.PLAIN_COMPLETION: "openai",
    Action.INFILL: "openai",
    Action.TRANSCRIBE: "transcriptions",
    Action.TRANSLATE: "transcriptions",
    Action.DRAW: "images",
    Action.EDIT_IMAGE: "images",
    Action.VARY_IMAGE: "images",
}
#: Other names of the same field. llama-server has three names for the limit of a reply.
_SAME = ("max_tokens", "max_completion_tokens", "n_predict")
#: A limit is absent if these fields are missing.
_LIMITS = {section: fields["max_tokens"] for section, fields in SHARED.items()}
_BUDGETS = {section: fields.get("thinking_budget", "") for section, fields in SHARED.items()}
_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")
#: Google's highest value.
_NO_MAX = {"max": "XHIGH"}
#: Ollama accepts low, medium and high, or true and false.
_THINKS: Mapping[str, Any] = {"none": False, "minimal": "low", "xhigh": "high", "max": "high"}
_ABOUT_THINKING = ("effort", "thinking_budget")
_THINKING: FieldPath = (("thinking",),)


@dataclass(frozen=True, slots=True)
class Parameters:
    """``own``: the changes of a client's body, by section. ``made``: those of a body that was made
    for a node, by the client's section and the node's protocol. ``forms``: those of a client's
    form, by section."""

    own: Mapping[str, BodyChange | None]
    made: Mapping[tuple[str, str], BodyChange | None]
    forms: Mapping[str, FormChange]

    def for_client(self, call: Call, form: object = None) -> BodyChange | None:
        """None also for a ``form``."""
        return self.own.get(_SECTIONS.get(call.action, "")) if form is None else None

    def for_form(self, call: Call) -> FormChange | None:
        change = self.forms.get(_SECTIONS.get(call.action, ""))
        return change if change is not None and change.stages else None

    def then(self, other: Parameters) -> Parameters:
        """These changes, then the others."""
        forms = {name: one.then(other.forms[name]) for name, one in self.forms.items()}
        return Parameters(_join(self.own, other.own), _join(self.made, other.made), forms)

    def for_dialect(self, call: Call, dialect: Dialect) -> BodyChange | None:
        """For a body in that protocol, from the client or translated."""
        section = _SECTIONS.get(call.action, "")
        return self.own.get(section if dialect is call.surface or not section else dialect)

    def for_node(self, call: Call, dialect: Dialect) -> BodyChange | None:
        """The change for a request that was translated."""
        return self.made.get((_SECTIONS.get(call.action, ""), dialect))


def _join(
    first: Mapping[K, BodyChange | None], second: Mapping[K, BodyChange | None]
) -> dict[K, BodyChange | None]:
    both = {key: (first[key], second[key]) for key in first}
    return {
        key: BodyChange.of(tuple(step for one in pair if one is not None for step in one.steps))
        for key, pair in both.items()
    }


def compile_parameters(rules: ParameterRules) -> Parameters | None:
    """None if the rules change nothing."""
    shared = rules.rules()
    theirs = {section: tuple(_own_steps(section, rules.rules(section))) for section in SECTIONS}
    own = {
        section: (*_shared_steps(section, shared, SHARED[section]), *theirs[section])
        for section in SECTIONS
    }
    made = {
        (client, node): (*_shared_steps(node, shared, _lacking(client, node)), *theirs[node])
        for client in SECTIONS
        for node in SECTIONS
        if client != node
    }
    own["images"] = tuple(_own_steps("images", rules.rules("images")))
    forms = {section: FormChange.of(rules.rules(section)) for section in FORMS}
    if not any((*own.values(), *made.values(), *(one.stages for one in forms.values()))):
        return None
    return Parameters(
        {section: BodyChange.of(steps) for section, steps in own.items()},
        {pair: BodyChange.of(steps) for pair, steps in made.items()},
        forms,
    )


def _lacking(client: str, node: str) -> dict[str, str]:
    """The shared names that the node's protocol has and the client's lacks."""
    known = SHARED[client]
    return {name: path for name, path in SHARED[node].items() if name not in known}


def _own_steps(section: str, rules: Mapping[str, Any]) -> Iterator[Step]:
    """The steps in the order of `config.alias.RULES`."""
    for name in rules.get("remove", ()):
        yield Remove(_path(section, name))
    for name, value in rules.get("default", {}).items():
        path = _path(section, name)
        yield Default((path,), (SetTo(path, value),))
    for name, cases in rules.get("map", {}).items():
        path = _path(section, name)
        yield ChangeBy(path, tuple(_own_case(section, path, *one) for one in cases.items()))
    for name, most in rules.get("cap", {}).items():
        yield _cap(section, name, most)
    for name, value in rules.get("set", {}).items():
        yield SetTo(_path(section, name), value)


def _own_case(section: str, path: FieldPath, text: str, result: Any) -> Case:
    steps: tuple[Step, ...] = (SetTo(path, result),)
    if result is None or isinstance(result, dict):
        fields = result or {}
        steps = (Remove(path), *(SetTo(_path(section, name), fields[name]) for name in fields))
    return read_case(text, steps)


def _shared_steps(
    section: str, rules: Mapping[str, Any], fields: Mapping[str, str]
) -> Iterator[Step]:
    """As `_own_steps`, for the shared names among ``fields``."""
    for name in rules.get("remove", ()):
        if name in fields:
            yield _removal(section, name, fields)
    for name, value in rules.get("default", {}).items():
        if name in fields:
            steps = tuple(_assign(section, name, value, fields))
            yield Default(_said_by(section, name, fields), steps)
    for name, cases in rules.get("map", {}).items():
        if name in fields:
            found = tuple(_shared_case(section, name, fields, *one) for one in cases.items())
            yield ChangeBy(_path(section, fields[name]), found)
    for name, most in rules.get("cap", {}).items():
        if name in fields:
            yield _cap(section, fields[name], most)
    for name, value in rules.get("set", {}).items():
        if name in fields:
            yield from _assign(section, name, value, fields)


def _shared_case(
    section: str, name: str, fields: Mapping[str, str], text: str, result: Any
) -> Case:
    results = {name: result} if result is not None and not isinstance(result, dict) else result
    steps: list[Step] = []
    if name not in (results or {}):
        steps.append(_removal(section, name, fields))
    for other, value in (results or {}).items():
        if other in SHARED[section]:
            steps += _assign(section, other, value, SHARED[section])
    return read_case(text, tuple(steps))


def _removal(section: str, name: str, fields: Mapping[str, str]) -> Remove:
    if section == "anthropic" and name == "thinking_budget":
        return Remove(_THINKING)  # A budget must not be missing there.
    return Remove(_path(section, fields[name]))


def _said_by(section: str, name: str, fields: Mapping[str, str]) -> tuple[FieldPath, ...]:
    """The fields any of which makes a default unnecessary: the amount of thinking is set by an
    effort or by a budget."""
    names = _ABOUT_THINKING if name in _ABOUT_THINKING else (name,)
    known = SHARED[section]
    paths = [_path(section, known[one]) for one in names if one in known]
    return (*paths, _THINKING) if section == "anthropic" and len(names) > 1 else tuple(paths)


def _assign(section: str, name: str, value: Any, fields: Mapping[str, str]) -> Iterator[Step]:
    """The steps that set a shared name's value. Efforts and budgets of thinking are set in
    different fields, of which only one may be present."""
    path = _path(section, fields[name])
    if name == "effort" and section == "gemini":
        budget = _path(section, SHARED[section]["thinking_budget"])
        yield Remove(path if value == "none" else budget)
        yield (
            SetTo(budget, 0) if value == "none" else SetTo(path, _NO_MAX.get(value, value.upper()))
        )
    elif name == "effort" and section == "anthropic":
        if value == "none":
            yield Remove(path)
            yield SetTo(_THINKING, {"type": "disabled"})
        else:
            yield SetTo(path, "low" if value == "minimal" else value)
    elif name == "effort" and section == "ollama":
        yield SetTo(path, _THINKS.get(value, value))
    elif name == "thinking_budget" and section == "gemini":
        yield Remove(_path(section, SHARED[section]["effort"]))
        yield SetTo(path, value)
    elif name == "thinking_budget":
        enabled = {"type": "enabled", "budget_tokens": value}
        yield SetTo(_THINKING, enabled if value else {"type": "disabled"})
    else:
        yield SetTo(path, value)


def _cap(section: str, name: str, most: int | float) -> CapAt:
    path = _path(section, name)
    fills = path == _path(section, _LIMITS.get(section, "")) or (
        section == "openai" and name in _SAME
    )
    return CapAt(path, most, fills or name == _BUDGETS.get(section), fills)


def _path(section: str, name: str) -> FieldPath:
    """Gemini's fields have two names each, as all of protocol buffers."""
    levels = name.split(".")
    if section == "gemini":
        camel = [re.sub(r"_([a-z])", lambda found: found[1].upper(), one) for one in levels]
        snake = [_CAPITAL.sub(r"_\1", one).lower() for one in camel]
        return tuple(tuple(dict.fromkeys(pair)) for pair in zip(camel, snake, strict=True))
    if section == "openai" and name in _SAME:
        return ((name, *(one for one in _SAME if one != name)),)
    return tuple((one,) for one in levels)
