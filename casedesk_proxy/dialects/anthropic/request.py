"""An Anthropic Messages request made a chat request for a node that speaks OpenAI.

What Anthropic's API has and a node has not is refused where leaving it out would change the
reply. Fields that are not known here are ignored, as those that only steer Anthropic's own
service: Claude Code sends new ones with every release, and gives up on a 400.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from casedesk_proxy.dialects.anthropic.messages import TurnReader
from casedesk_proxy.dialects.anthropic.tools import Names, Tools, read_tools
from casedesk_proxy.dialects.core.contract import Context
from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.core.thinking import chat_controls
from casedesk_proxy.dialects.schema.checks import check_json_schema, is_strict
from casedesk_proxy.dialects.schema.formats import fit_formats
from casedesk_proxy.dialects.schema.ordering import fit_schema, lower_types
from casedesk_proxy.engines.profile import Profile, effort_of
from casedesk_proxy.errors import Violation
from casedesk_proxy.terms import Control

__all__ = ["Chat", "read_request"]

#: Beyond these a number is a slip; engines overflow or refuse it in words that name no field.
_MOST_WHOLE = 2**31 - 1
_MOST_TEMPERATURE = 2
_NO_THINKING = {"type": "disabled"}
#: Fields that say what is to be answered, or of what: without them the reply is another one.
_KEPT_AT_ANTHROPIC = {
    "thread": "the node keeps no conversations; send all of it",
    "compaction": "the node makes no compaction blocks",
}
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True)
class Chat:
    """``body`` is the chat request, without what makes it stream. ``names``: the client's name of
    each function that the node knows by another. ``thinks`` tells whether the client wants to see
    thinking. ``dropped`` names what was left out, ``controls`` those of thinking it holds,
    ``media`` where pictures stand."""

    body: dict[str, Any]
    names: Mapping[str, str]
    stops: tuple[str, ...]
    thinks: bool
    dropped: tuple[str, ...]
    controls: Mapping[Control, str]
    media: tuple[Violation, ...] = ()


def read_request(body: dict[str, Any], context: Context, *, counts: bool = False) -> Chat:
    """Raises BadRequest or Unsupported, naming every place that stands in the way.

    ``counts``: the request only asks for its own size, so ``max_tokens`` may be missing.
    """
    reader = _Reader(body, context)
    if not counts:  # a count is of the messages as they are sent, whatever else is asked for
        reader.refuse_fields()
    reader.read_turns()
    reader.read_tools()
    reader.read_sampling(counts)
    reader.read_output()
    reader.read_thinking()
    findings = reader.findings
    if not counts and "thread" in reader.body:
        # What else seems wrong may be so for want of the turns that the thread has.
        findings.raise_refusals()
    findings.raise_faults()
    findings.raise_refusals()
    return Chat(
        body=reader.chat,
        names=reader.names.given,
        stops=tuple(reader.stops),
        thinks=reader.thinks,
        dropped=findings.dropped,
        controls=chat_controls(reader.chat, context.profile.thinking),
        media=findings.media.told(),
    )


class _Reader:
    """One request's fields, read in an order in which none needs a later one."""

    def __init__(self, body: dict[str, Any], context: Context) -> None:
        self.body = {name: value for name, value in body.items() if value is not None}
        self._context = context
        self._profile: Profile = context.profile
        self.findings = Findings(feature_code="unsupported_anthropic_feature")
        self.names = Names(self._profile)
        self._tools = Tools()
        self.chat: dict[str, Any] = {"model": context.model}
        self.stops: list[str] = []
        self.thinks = False

    def refuse_fields(self) -> None:
        for name, why in _KEPT_AT_ANTHROPIC.items():
            if name in self.body:
                self.findings.refuse(name, why)

    def read_turns(self) -> None:
        context = self._context
        turns = TurnReader(
            self._profile,
            self.findings,
            self.names.rename,
            fold=context.fold_system,
            first=context.system_first,
        )
        system, messages = self.body.get("system"), self.body.get("messages")
        self.chat["messages"] = turns.read(system, messages)
        if turns.prefilled:
            if self._profile.prefill is None:
                self.findings.drop(f"messages.{len(messages or ()) - 1}")
            else:
                self.chat |= self._profile.prefill

    def read_tools(self) -> None:
        self._tools = read_tools(self.body, self._profile, self.names, self.findings)
        self.chat |= self._tools.fields

    def read_sampling(self, counts: bool) -> None:
        self._read_limit(counts)
        temperature = self._number("temperature", _MOST_TEMPERATURE)
        top_p = self._profile.fit_top_p(self._number("top_p", 1))
        for name, value in (("temperature", temperature), ("top_p", top_p)):
            if value is not None:
                self.chat[name] = value
        top_k = self._number("top_k", _MOST_WHOLE)
        if top_k is not None and self._profile.top_k:
            self.chat["top_k"] = int(top_k) or self._profile.no_top_k
        elif top_k is not None:
            self.findings.drop("top_k")
        self._read_stops()

    def _read_limit(self, counts: bool) -> None:
        limit = self.body.get("max_tokens")
        if limit is None and counts:
            return
        if limit is None:
            self.findings.fault("max_tokens", "Field required")
        elif type(limit) is not int or not 0 <= limit <= _MOST_WHOLE:
            told = f"Input should be a positive integer, {_MOST_WHOLE} at most"
            self.findings.fault("max_tokens", told)
        elif limit == 0:
            self.findings.refuse("max_tokens", "the node's cache cannot be filled without a reply")
        else:
            self.chat["max_tokens"] = limit

    def _number(self, name: str, most: int) -> float | None:
        value: Any = self.body.get(name)
        if value is None:
            return None
        if type(value) not in (int, float) or not 0 <= value <= most:
            self.findings.fault(name, f"Input should be a number from 0 to {most}")
            return None
        return float(value) if isinstance(value, float) else int(value)

    def _read_stops(self) -> None:
        stops = self.body.get("stop_sequences", [])
        if not isinstance(stops, list) or not all(isinstance(stop, str) and stop for stop in stops):
            self.findings.fault("stop_sequences", "Input should be a list of non-empty strings")
            return
        most = self._profile.most_stops
        if most is not None and len(stops) > most:
            self.findings.refuse("stop_sequences", f"the node takes {most} at most")
        elif stops:
            self.chat["stop"] = self.stops = stops

    def read_output(self) -> None:
        output = self.body.get("output_config", {})
        if not isinstance(output, dict):
            self.findings.fault("output_config", "Input should be an object")
            return
        effort = output.get("effort")
        if effort is not None and effort not in _EFFORTS:
            self.findings.fault("output_config.effort", f"Input should be {', '.join(_EFFORTS)}")
        elif effort is not None and self._profile.thinking.effort:
            self.chat["reasoning_effort"] = self._profile.thinking.level(effort)
        elif effort is not None:
            self.findings.drop("output_config.effort")
        self._read_format(output.get("format"), "output_config.format")
        # Its name while it was a beta.
        self._read_format(self.body.get("output_format"), "output_format")

    def _read_format(self, wanted: Any, path: str) -> None:
        if wanted is None:
            return
        if not isinstance(wanted, dict):
            self.findings.fault(path, "Input should be an object")
            return
        if wanted.get("type") != "json_schema":
            self.findings.refuse_format(f"{path}.type", "only json_schema is known")
            return
        schema = lower_types(wanted.get("schema"))
        before = len(self.findings.schema_faults)
        check_json_schema(schema, f"{path}.schema", self.findings.schema_fault)
        if not self._profile.follows_format:
            self.findings.refuse_format(path, "the node cannot be held to a format")
        if self._tools.choice in self._profile.format_forbids:
            self.findings.refuse_format(path, "the node takes no format together with these tools")
        if len(self.findings.schema_faults) > before:
            return
        if self._profile.formats is not None:
            schema = fit_formats(schema, self._profile.formats, f"{path}.schema", self.findings)
        schema = fit_schema(schema, self._profile)
        named: dict[str, Any] = {"name": "response", "schema": schema}
        if self._profile.strict_schemas and is_strict(schema):
            named["strict"] = True
        self.chat["response_format"] = {"type": "json_schema", "json_schema": named}

    def read_thinking(self) -> None:
        """After ``output_config``, whose effort is more than a guess from a budget.

        Leaving it out means no thinking at Anthropic, and programs then read ``content[0].text``:
        nodes are told the same, and what a model thinks even so is kept from the client.
        """
        thinking = self.body.get("thinking", _NO_THINKING)
        kind = thinking.get("type") if isinstance(thinking, dict) else None
        if not isinstance(thinking, dict) or not isinstance(kind, str):
            self.findings.fault("thinking.type", "Field required")
            return
        self.thinks = kind != "disabled" and thinking.get("display") != "omitted"
        if kind == "enabled":
            self._enable(thinking.get("budget_tokens"))
        elif kind == "disabled" and self._profile.thinking.off is not None:
            self.chat |= self._profile.thinking.off
        elif kind == "disabled" and "thinking" in self.body:
            self.findings.drop("thinking.type")

    def _enable(self, budget: Any) -> None:
        known = self._profile.thinking
        if type(budget) is not int or not 1 <= budget <= _MOST_WHOLE:
            told = f"Input should be a positive integer, {_MOST_WHOLE} at most"
            self.findings.fault("thinking.budget_tokens", told)
        elif known.budget:
            self.chat[known.budget] = budget
        elif known.effort:
            self.chat.setdefault("reasoning_effort", known.level(effort_of(budget)))
        else:
            self.findings.drop("thinking.budget_tokens")
