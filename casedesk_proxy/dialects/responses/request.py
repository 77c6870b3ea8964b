"""Reads a Responses request into a value, whichever node will serve it.

Its faults, and what no node here can serve because it is stored at OpenAI, go to the findings, each
with its place. Fields that only control OpenAI's own service (caching, billing, abuse) mean nothing
here and are left out without a warning: Codex sends several with every request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.responses.fields import EXTRAS, KEPT_AT_OPENAI, MESSAGES
from casedesk_proxy.dialects.responses.input_items import InputItem, read_input
from casedesk_proxy.dialects.responses.tools import DeclaredTools, read_tools

__all__ = ["ResponsesRequest", "TextFormat", "read_request"]

#: A larger number is a mistake.
_MAX_INTEGER_SIZE = 2**31 - 1
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_FORMATS = ("text", "json_object", "json_schema")
#: Other fields are left out with a warning.
_KNOWN = MESSAGES["ResponsesRequest"].keys()
_LOGPROBS = "message.output_text.logprobs"
_INTEGERS = ("seed", "top_k")
#: Fields of the request that the objects of a reply repeat, with their values if the request has
#: none.
_REPEATED: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "temperature": None,
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "reasoning": {"effort": None, "summary": None},
    "text": {"format": {"type": "text"}},
    "truncation": "disabled",
    "top_logprobs": 0,
    "user": None,
}


@dataclass(frozen=True, slots=True)
class TextFormat:
    """``schema`` None: any JSON object. ``path`` is the format's place in the body."""

    path: str
    name: str = ""
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class ResponsesRequest:
    """``repeated``: what the objects of the reply repeat of the request. ``extras``: numbers that
    are not part of OpenAI's API, by their names in chat. ``logprobs``: how many alternatives are
    requested for each token; None: no log probabilities."""

    items: tuple[InputItem, ...]
    tools: DeclaredTools
    stream: bool
    repeated: Mapping[str, Any]
    instructions: str = ""
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    logprobs: int | None = None
    effort: str | None = None
    format: TextFormat | None = None
    extras: Mapping[str, float] = field(default_factory=dict)


def read_request(
    body: Mapping[str, Any], findings: Findings, *, refuse_tools: bool = False
) -> ResponsesRequest:
    """Incomplete if ``findings`` has faults or refusals. ``refuse_tools``: tools that no node has
    are refused instead of left out."""
    given = {name: value for name, value in body.items() if value is not None}
    _look_at_names(given, findings)
    reader = _FieldReader(given, findings)
    return ResponsesRequest(
        instructions=reader.text("instructions"),
        items=read_input(given.get("input"), findings, refuse_tools=refuse_tools),
        tools=read_tools(given, findings, refuse_tools=refuse_tools),
        stream=given.get("stream") is True,
        max_output_tokens=reader.limit(),
        temperature=reader.number("temperature", 2),
        top_p=reader.number("top_p", 1),
        logprobs=reader.logprobs(),
        effort=reader.effort(),
        format=reader.format(),
        extras=reader.extras(),
        repeated={name: given.get(name, default) for name, default in _REPEATED.items()},
    )


def _look_at_names(given: Mapping[str, Any], findings: Findings) -> None:
    for name, why in KEPT_AT_OPENAI.items():
        if name in given:
            findings.refuse(name, why)
    if given.get("background", False) is not False:
        findings.refuse("background", "the node does not support background responses")
    if given.get("truncation", "disabled") != "disabled":
        findings.refuse(
            "truncation",
            (
                "the node does not truncate conversations; leave truncation out, or shorten the"
                " input"
            ),
        )
    if given.get("store") is True:
        findings.drop("store")
    for name in given:
        if name not in _KNOWN:
            findings.drop(name)


class _FieldReader:
    """The fields that are neither input nor tools."""

    def __init__(self, body: Mapping[str, Any], findings: Findings) -> None:
        self._body = body
        self._findings = findings

    def text(self, name: str) -> str:
        value = self._body.get(name, "")
        if isinstance(value, str):
            return value
        self._findings.fault(name, "a string is required")
        return ""

    def limit(self) -> int | None:
        value = self._body.get("max_output_tokens")
        if value is not None and (type(value) is not int or not 1 <= value <= _MAX_INTEGER_SIZE):
            self._findings.fault("max_output_tokens", "a positive integer is required")
            return None
        return value

    def number(self, name: str, most: float) -> float | None:
        value = self._body.get(name)
        if value is not None and (type(value) not in (int, float) or not 0 <= value <= most):
            self._findings.fault(name, f"a number from 0 to {most:g} is required")
            return None
        return value

    def logprobs(self) -> int | None:
        """Requested by their number, or by naming them in ``include``."""
        include = self._body.get("include", [])
        if not isinstance(include, list):
            self._findings.fault("include", "a list is required")
            include = []
        count = self._body.get("top_logprobs")
        if count is None:
            return 0 if _LOGPROBS in include else None
        if type(count) is not int or not 0 <= count <= 20:
            self._findings.fault("top_logprobs", "an integer from 0 to 20 is required")
            return None
        return count if count or _LOGPROBS in include else None

    def effort(self) -> str | None:
        reasoning = self._body.get("reasoning", {})
        if not isinstance(reasoning, dict):
            self._findings.fault("reasoning", "an object is required")
            return None
        for name, default in (("context", "auto"), ("mode", "standard")):
            if reasoning.get(name) not in (None, default):
                self._findings.drop(f"reasoning.{name}")
        effort = reasoning.get("effort")
        if effort is not None and effort not in _EFFORTS:
            self._findings.fault("reasoning.effort", f"one of {', '.join(_EFFORTS)} is required")
            return None
        return effort

    def format(self) -> TextFormat | None:
        text = self._body.get("text", {})
        if not isinstance(text, dict):
            self._findings.fault("text", "an object is required")
            return None
        if text.get("verbosity") not in (None, "medium"):
            self._findings.drop("text.verbosity")
        wanted = text.get("format")
        if wanted is None:
            return None
        kind = wanted.get("type") if isinstance(wanted, dict) else None
        if kind not in _FORMATS:
            message = f"one of {', '.join(_FORMATS)} is required"
            self._findings.fault("text.format.type", message)
            return None
        return None if kind == "text" else self._format(wanted)

    def _format(self, wanted: dict[str, Any]) -> TextFormat | None:
        path = "text.format"
        if wanted["type"] == "json_object":
            return TextFormat(path)
        name, schema = wanted.get("name"), wanted.get("schema")
        described, strict = wanted.get("description"), wanted.get("strict")
        if not isinstance(name, str) or not name:
            self._findings.fault(f"{path}.name", "a non-empty string is required")
        elif not isinstance(schema, dict):
            self._findings.fault(f"{path}.schema", "an object is required")
        else:
            described = described if isinstance(described, str) else None
            strict = strict if isinstance(strict, bool) else None
            return TextFormat(path, name, described, schema, strict)
        return None

    def extras(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for name in EXTRAS:
            value = self._body.get(name)
            if value is None:
                continue
            allowed = (int,) if name in _INTEGERS else (int, float)
            if type(value) in allowed and abs(value) <= _MAX_INTEGER_SIZE:
                found[name] = value
            else:
                what = "an integer" if name in _INTEGERS else "a number"
                self._findings.fault(name, f"{what} is required")
        return found
