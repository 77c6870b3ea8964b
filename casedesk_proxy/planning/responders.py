"""Which of the nodes that speak OpenAI's Responses get a request unchanged: those that lose nothing
of it. If the request continues a response, only the node that has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.errors import BadRequest
from casedesk_proxy.planning.route import ModelPlacement, PlanInputs
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.surfaces.json_spans import members
from casedesk_proxy.surfaces.kept_responses import no_earlier
from casedesk_proxy.terms import Action

__all__ = ["choose_responders"]

#: Values of fields that ask only for the default.
_USUAL = {
    "background": False,
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "truncation": "disabled",
}
_EARLIER = "previous_response_id"
#: The kinds of tools that become functions for every node.
_FLATTENED = frozenset({"namespace"})


def choose_responders(
    inputs: PlanInputs, body: Mapping[str, Any], placement: ModelPlacement
) -> tuple[NodeSpec, ...]:
    """Raises BadRequest if nodes keep responses but none has the named one, or if two are named."""
    wanted, kinds = frozenset(_wanted(body)), frozenset(_kinds(body)) - _FLATTENED
    fit = tuple(node for node in placement.natives if _loses_nothing(node, wanted, kinds))
    if placement.refuses_tools:
        # Translation reports the parts that prevent it.
        fit = tuple(node for node in fit if _may_have(node, kinds))
    if inputs.call.action is Action.COUNT_RESPONSE:
        fit = tuple(node for node in fit if node.engine.profile.responses.counts)
    earlier = body.get(_EARLIER)
    if _EARLIER in body:
        _require_one(inputs.raw)
    if not isinstance(earlier, str) or not earlier:
        return fit
    keeping = [node for node in fit if node.engine.profile.responses.keeps]
    keeper = inputs.find_keeper(earlier) if keeping else None
    found = tuple(node for node in keeping if keeper is not None and node.name == keeper.node)
    if keeping and not found:
        raise no_earlier(earlier)
    return found


def _require_one(raw: bytes) -> None:
    """Raises BadRequest if two are named: the owner of the first one has not been checked, and
    nodes differ in which of them they use."""
    if sum(jsonio.loads(key) == _EARLIER for key, _, _ in members(raw)) > 1:
        raise BadRequest.about(_EARLIER, "appears twice; name one response")


def _loses_nothing(node: NodeSpec, wanted: frozenset[str], kinds: frozenset[str]) -> bool:
    known = node.engine.profile.responses
    return wanted.isdisjoint(known.loses) and (known.tools is None or kinds <= known.tools)


def _may_have(node: NodeSpec, kinds: frozenset[str]) -> bool:
    hosted = node.engine.profile.responses.hosted
    return hosted is None or kinds <= hosted | {"function"}


def _wanted(body: Mapping[str, Any]) -> Iterator[str]:
    """The fields with a value other than the default."""
    for name, value in body.items():
        if value is not None and value != _USUAL.get(name):
            yield name
    text = body.get("text")
    wanted = text.get("format") if isinstance(text, dict) else None
    if isinstance(wanted, dict) and wanted.get("type") != "text":
        yield "text.format"


def _kinds(body: Mapping[str, Any]) -> Iterator[str]:
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        kind = tool.get("type") if isinstance(tool, dict) else None
        if isinstance(kind, str):
            yield kind
