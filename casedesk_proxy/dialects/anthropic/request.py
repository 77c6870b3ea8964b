"""Reads a whole Anthropic Messages request, from which the requests for all node dialects are made.

Unknown fields are ignored, as are fields that only control Anthropic's own service: Claude Code
sends new ones with every release, and gives up after a 400.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from casedesk_proxy.dialects.anthropic.blocks import Block, Message
from casedesk_proxy.dialects.anthropic.fields import KEPT_AT_ANTHROPIC
from casedesk_proxy.dialects.anthropic.messages import MessageReader
from casedesk_proxy.dialects.anthropic.tools import ToolSet, read_tools
from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.schema.checks import check_json_schema
from casedesk_proxy.dialects.schema.ordering import lower_types

__all__ = ["MessagesRequest", "OutputFormat", "ThinkingMode", "read_request"]

#: A larger number is a mistake; engines overflow or refuse it with an error that names no field.
_MAX_INTEGER_SIZE = 2**31 - 1
_MAX_TEMPERATURE_SIZE = 2
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """``schema`` is None if ``path`` asks for a format other than JSON by a schema."""

    path: str
    schema: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class ThinkingMode:
    """``kind`` is enabled, disabled, adaptive, between_tools or an unknown one; ``given``: the
    client set it. Without it Anthropic does not think, and programs then read
    ``content[0].text``. ``shown``: the model's thinking is sent to the client."""

    kind: str = "disabled"
    given: bool = False
    budget: int | None = None
    shown: bool = False


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """A field is None if the client did not set it. ``kept`` names the fields that refer to
    something stored at Anthropic, ``last`` is the path of the last message."""

    system: tuple[Block, ...]
    messages: tuple[Message, ...]
    last: str
    toolset: ToolSet
    mcp_servers: bool
    kept: tuple[str, ...]
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_k: float | None
    stops: tuple[str, ...]
    effort: str | None
    formats: tuple[OutputFormat, ...]
    thinking: ThinkingMode


def read_request(
    body: Mapping[str, Any], findings: Findings, *, counts: bool = False
) -> MessagesRequest:
    """Faults go to ``findings``, for the pair to raise; after any fault the result is incomplete.

    ``counts``: the request only asks for its own size, so ``max_tokens`` may be missing, and only
    the messages are counted as they are sent, whatever other fields say.
    """
    body = {name: value for name, value in body.items() if value is not None}
    kept = () if counts else tuple(name for name in KEPT_AT_ANTHROPIC if name in body)
    reader = MessageReader(findings)
    system = reader.read_system(body.get("system"))
    given = body.get("messages")
    messages = reader.read_messages(given)
    if not any(message.blocks for message in messages) and not kept and not findings.faults:
        findings.fault("messages", "at least one message with content is required")
    toolset = read_tools(body, findings)
    max_tokens = _read_limit(body, counts, findings)
    temperature = _read_number(body, "temperature", _MAX_TEMPERATURE_SIZE, findings)
    top_p = _read_number(body, "top_p", 1, findings)
    top_k = _read_number(body, "top_k", _MAX_INTEGER_SIZE, findings)
    stops = _read_stops(body, findings)
    effort, formats = _read_output(body, findings)
    return MessagesRequest(
        system=system,
        messages=messages,
        last=f"messages.{len(given) - 1}" if isinstance(given, list) else "messages",
        toolset=toolset,
        mcp_servers=bool(body.get("mcp_servers")),
        kept=kept,
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        stops=stops,
        effort=effort,
        formats=formats,
        thinking=_read_thinking(body, findings),
    )


def _read_limit(body: Mapping[str, Any], counts: bool, findings: Findings) -> int | None:
    limit = body.get("max_tokens")
    if limit is None and counts:
        return None
    if limit is None:
        findings.fault("max_tokens", "Field required")
    elif type(limit) is not int or not 0 <= limit <= _MAX_INTEGER_SIZE:
        message = f"Input should be a positive integer, {_MAX_INTEGER_SIZE} at most"
        findings.fault("max_tokens", message)
    else:
        return limit
    return None


def _read_number(body: Mapping[str, Any], name: str, most: int, findings: Findings) -> float | None:
    value: Any = body.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= most:
        findings.fault(name, f"Input should be a number from 0 to {most}")
        return None
    return float(value) if isinstance(value, float) else int(value)


def _read_stops(body: Mapping[str, Any], findings: Findings) -> tuple[str, ...]:
    stops = body.get("stop_sequences", [])
    if not isinstance(stops, list) or not all(isinstance(stop, str) and stop for stop in stops):
        findings.fault("stop_sequences", "Input should be a list of non-empty strings")
        return ()
    return tuple(stops)


def _read_output(
    body: Mapping[str, Any], findings: Findings
) -> tuple[str | None, tuple[OutputFormat, ...]]:
    output = body.get("output_config", {})
    if not isinstance(output, dict):
        findings.fault("output_config", "Input should be an object")
        return None, ()
    effort = output.get("effort")
    if effort is not None and effort not in _EFFORTS:
        findings.fault("output_config.effort", f"Input should be {', '.join(_EFFORTS)}")
        effort = None
    wanted = (
        (output.get("format"), "output_config.format"),
        (body.get("output_format"), "output_format"),  # its name during the beta
    )
    formats = [_read_format(one, path, findings) for one, path in wanted if one is not None]
    return effort, tuple(one for one in formats if one is not None)


def _read_format(wanted: Any, path: str, findings: Findings) -> OutputFormat | None:
    if not isinstance(wanted, dict):
        findings.fault(path, "Input should be an object")
        return None
    if wanted.get("type") != "json_schema":
        return OutputFormat(path, None)
    schema = lower_types(wanted.get("schema"))
    before = len(findings.schema_faults)
    check_json_schema(schema, f"{path}.schema", findings.schema_fault)
    return OutputFormat(path, schema if len(findings.schema_faults) == before else {})


def _read_thinking(body: Mapping[str, Any], findings: Findings) -> ThinkingMode:
    thinking = body.get("thinking")
    if thinking is None:
        return ThinkingMode()
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if not isinstance(thinking, dict) or not isinstance(kind, str):
        findings.fault("thinking.type", "Field required")
        return ThinkingMode()
    shown = kind != "disabled" and thinking.get("display") != "omitted"
    budget = thinking.get("budget_tokens") if kind == "enabled" else None
    if kind == "enabled" and (type(budget) is not int or not 1 <= budget <= _MAX_INTEGER_SIZE):
        message = f"Input should be a positive integer, {_MAX_INTEGER_SIZE} at most"
        findings.fault("thinking.budget_tokens", message)
        return ThinkingMode(kind, given=True, shown=shown)
    return ThinkingMode(kind, True, budget, shown)
