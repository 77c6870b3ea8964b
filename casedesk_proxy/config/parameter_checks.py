"""Checks the rules of an alias or a key: names of fields, types of values, rules that exclude each
other.

Works on the plain values of a file, as `references` does. A name that is not shared is an error,
since its place is not known; an unknown field of one protocol is a warning, since engines have
fields of their own, and the node gets it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from casedesk_proxy.config.alias import FORMS, RULES, SECTIONS
from casedesk_proxy.config.findings import Finding
from casedesk_proxy.config.parameter_fields import OWN, PROTECTED, Kind, kind_of
from casedesk_proxy.config.settings import Path, show
from casedesk_proxy.config.wording import nearest

__all__ = ["RANGE", "check_parameters", "check_rules"]

#: Numbers of a map's case: ``..1024``, ``1025..``, ``0..0``, or one number.
RANGE = re.compile(r"(-?\d+(?:\.\d+)?)?\.\.(-?\d+(?:\.\d+)?)?|-?\d+(?:\.\d+)?", re.ASCII)
_TITLES = {"gemini": "Gemini's", "anthropic": "Anthropic's", "openai": "OpenAI's"}
_TITLES |= {"responses": "Responses'", "ollama": "Ollama's"}
_TITLES |= {"transcriptions": "a transcription's", "images": "an image's"}


def check_parameters(data: dict[str, Any]) -> Iterator[Finding]:
    for path, rules in (*_aliases(data), *_limits(data)):
        yield from check_rules(path, rules)
    for path, rules in _nodes(data):
        yield from check_rules(path, rules)
        for section in FORMS:
            if rules.get(section):
                remedy = "write it at an alias, or at a key"
                yield Finding((*path, section), "cannot be changed for a node", remedy, at_key=True)


def check_rules(path: Path, rules: dict[str, Any]) -> Iterator[Finding]:
    """For one alias, or for a key's ``parameters``."""
    yield from _check_rules(path, "", {name: rules.get(name) for name in RULES})
    for section in (*SECTIONS, *FORMS):
        own = rules.get(section)
        if isinstance(own, dict):
            yield from _check_names(path, section, own)
            yield from _check_rules((*path, section), section, own)


def _limits(data: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Those of keys, of users, and of keys that have none of their own."""
    defaults = data.get("limits")
    places: list[tuple[Path, Any]] = [
        ((kind, index, "limits"), one.get("limits"))
        for kind in ("keys", "users")
        if isinstance(listed := data.get(kind), list)
        for index, one in enumerate(listed)
        if isinstance(one, dict)
    ]
    if isinstance(defaults, dict):
        places.append((("limits", "keys"), defaults.get("keys")))
    for path, limits in places:
        if isinstance(limits, dict) and isinstance(rules := limits.get("parameters"), dict):
            yield (*path, "parameters"), rules


def _nodes(data: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    nodes = data.get("nodes")
    for name, node in (nodes if isinstance(nodes, dict) else {}).items():
        if isinstance(node, dict) and isinstance(rules := node.get("parameters"), dict):
            yield ("nodes", name, "parameters"), rules


def _aliases(data: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    deployments = data.get("deployments")
    for name, deployment in (deployments if isinstance(deployments, dict) else {}).items():
        aliases = deployment.get("aliases") if isinstance(deployment, dict) else None
        for alias, value in (aliases if isinstance(aliases, dict) else {}).items():
            if isinstance(value, dict):
                yield ("deployments", name, "aliases", alias), value


def _check_names(path: Path, section: str, rules: dict[str, Any]) -> Iterator[Finding]:
    for name in rules:
        if name in RULES:
            continue
        remedy = f"known settings here: {', '.join(RULES)}"
        if meant := nearest(name, RULES):
            remedy = f"did you mean {meant}?"
        elif kind_of(section, name):
            remedy = f"write it as set: {{{name}: …}}, or below default"
        yield Finding((*path, section, name), "unknown setting", remedy, at_key=True)


def _check_rules(path: Path, section: str, rules: dict[str, Any]) -> Iterator[Finding]:
    for rule in RULES:
        if rule not in rules:
            continue
        given, here = rules[rule], (*path, rule)
        if rule == "remove":
            if not isinstance(given, list):
                if section:
                    yield Finding(here, "is not a list", "write [field, …]")
                continue
            for index, name in enumerate(given):
                if isinstance(name, str):
                    yield from _check_field((*here, index), section, name)
                elif section:
                    yield Finding((*here, index), "is not the name of a field")
        elif not isinstance(given, dict):
            if section:
                yield Finding(here, "is not a mapping", "write {field: value}")
        else:
            for name, value in given.items():
                yield from _check_field((*here, name), section, name)
                yield from _check_value((*here, name), rule, section, name, value)
    yield from _check_forced(path, rules)


def _check_field(path: Path, section: str, name: str) -> Iterator[Finding]:
    top = name.partition(".")[0]
    if not all(name.split(".")):
        yield Finding(path, "is not the name of a field", "write it as outer.inner", at_key=True)
    elif top in PROTECTED.get(section, ()) or (not section and top in ("model", "stream")):
        is_alias = top == "model" and path[0] == "deployments"
        remedy = "write the alias's model" if is_alias else ""
        yield Finding(path, "cannot be changed by parameters", remedy, at_key=True)
    elif kind_of(section, name) is None:
        yield _unknown(path, section, name)


def _unknown(path: Path, section: str, name: str) -> Finding:
    known = OWN[section]
    meant = nearest(name, known) or _same_end(name, known)
    if section:
        message = f"is not one of {_TITLES[section]} known fields; it is used all the same"
        return Finding(path, message, f"did you mean {meant}?" if meant else "", True, at_key=True)
    message = "is not one of the field names that all APIs share"
    places = [one for one in SECTIONS if kind_of(one, name)]
    if places:
        remedy = f"put it below {' or '.join(places)}"
    elif meant:
        remedy = f"did you mean {meant}?"
    else:
        remedy = f"shared names: {', '.join(known)}; put other fields below {', '.join(SECTIONS)}"
    return Finding(path, message, remedy, at_key=True)


def _same_end(name: str, known: Iterable[str]) -> str | None:
    """``topK`` for ``generationConfig.topK``."""
    return next((one for one in known if one.rpartition(".")[2].lower() == name.lower()), None)


def _check_value(path: Path, rule: str, section: str, name: str, value: Any) -> Iterator[Finding]:
    kind = kind_of(section, name)
    if rule == "map":
        yield from _check_map(path, section, kind, value)
    elif rule == "cap":
        if kind is not None and not kind.number and not kind.fits(object()):
            yield Finding(path, "cannot have a maximum, as it is not a number", "use map")
        elif type(value) not in (int, float):
            wanted = kind.wanted if kind is not None and kind.number else "a number"
            yield Finding(path, f"must be {wanted}")
        elif kind is not None and not kind.fits(value):
            yield Finding(path, f"must be {kind.wanted}")
    elif value is None:
        yield Finding(path, "is empty", "to leave the field out, list it below remove")
    elif kind is not None and not kind.fits(value):
        yield Finding(path, f"must be {kind.wanted}")


def _check_map(path: Path, section: str, kind: Kind | None, cases: Any) -> Iterator[Finding]:
    if not isinstance(cases, dict):
        if section:
            yield Finding(path, "is not a mapping", "write {value: other value}")
        return
    for case, result in cases.items():
        here = (*path, case)
        if kind is not None and kind.number and case != "*" and not RANGE.fullmatch(case):
            yield Finding(here, "is not a number or range", "write 1024, ..1024, 1025.. or *")
        if isinstance(result, dict) and section in FORMS:
            yield Finding(here, "cannot put in other fields here", "write another value, or null")
        elif isinstance(result, dict):
            for name, value in result.items():
                yield from _check_field((*here, name), section, name)
                yield from _check_value((*here, name), "set", section, name, value)
        elif result is not None and kind is not None and not kind.fits(result):
            yield Finding(here, f"must be {kind.wanted}, or a mapping of other fields")


def _check_forced(path: Path, rules: dict[str, Any]) -> Iterator[Finding]:
    forced = rules.get("set")
    for name in forced if isinstance(forced, dict) else ():
        for rule in ("default", "map", "cap"):
            others = rules.get(rule)
            if isinstance(others, dict) and name in others:
                message = f"has no effect, as set gives {show(name)} a value in every request"
                yield Finding((*path, rule, name), message, "keep one of the two", warns=True)
