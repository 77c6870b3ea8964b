"""Everything in a Gemini request beside its conversation, as fields of a Messages request."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.anthropic.builder import tool
from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.gemini.config import PATH as CONFIG
from casedesk_proxy.dialects.gemini.config import GenerationConfig
from casedesk_proxy.dialects.gemini.request import GeminiRequest
from casedesk_proxy.dialects.gemini.tools import MODE, FunctionDeclaration
from casedesk_proxy.engines.profile import Choice, Messages, Profile, effort_of

__all__ = ["MAX_TOKENS", "output_fields", "sampling_fields", "thinking_fields", "tool_fields"]

#: The reply's limit if neither client nor catalogue gives one: llama-server's own default.
MAX_TOKENS = 4096
#: Anthropic's smallest budget for thinking.
_MIN_BUDGET_TOKENS = 1024


def sampling_fields(
    config: GenerationConfig, profile: Profile, findings: Findings
) -> dict[str, Any]:
    exact = profile.messages.exact
    temperature = config.temperature
    if exact and temperature is not None and temperature > 1:
        temperature = 1
        findings.drop(f"{CONFIG}.temperature")
    for name, value in (
        ("seed", config.seed),
        ("presencePenalty", config.presence_penalty),
        ("frequencyPenalty", config.frequency_penalty),
    ):
        if value is not None:
            findings.drop(f"{CONFIG}.{name}")
    if config.candidates > 1:
        findings.refuse(f"{CONFIG}.candidateCount", "the node returns only one candidate")
    if config.logprobs:
        findings.refuse(f"{CONFIG}.responseLogprobs", "the node does not return log probabilities")
    for at, stop in enumerate(config.stops):
        if exact and not stop.strip():
            message = "the node does not accept a sequence of whitespace only"
            findings.refuse(f"{CONFIG}.stopSequences[{at}]", message)
    if not exact and profile.most_stops is not None and len(config.stops) > profile.most_stops:
        message = f"the node accepts at most {profile.most_stops} sequences"
        findings.refuse(f"{CONFIG}.stopSequences", message)
    wanted = {
        "temperature": temperature,
        "top_p": config.top_p,
        "top_k": config.top_k,
        "stop_sequences": list(config.stops) or None,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def tool_fields(
    request: GeminiRequest, route: Messages, names: dict[str, str], findings: Findings
) -> dict[str, Any]:
    box = request.tools
    if not box.functions:
        return _hidden_tools(request, names) if route.exact else {}
    made: dict[str, Any] = {"tools": [_tool(one, names) for one in box.functions]}
    if box.choice is Choice.NAMED and Choice.NAMED in route.choices:
        name = box.functions[0].name
        made["tool_choice"] = {"type": "tool", "name": names.get(name, name)}
    elif box.choice is not Choice.AUTO:
        made["tool_choice"] = {"type": "any"}
        if Choice.REQUIRED not in route.choices:
            findings.refuse(MODE, "the node does not support forcing a function call")
    return made


def _hidden_tools(request: GeminiRequest, names: dict[str, str]) -> dict[str, Any]:
    """Anthropic requires definitions of tools if the history contains calls, also if none may be
    called."""
    called = {call.name for turn in request.turns for call in turn.calls()}
    if not called:
        return {}
    declared = {one.name: one for one in request.tools.declared}
    nothing = {"type": "object", "properties": {}}
    unknown = (FunctionDeclaration(name, "", nothing) for name in sorted(called - declared.keys()))
    tools = [_tool(one, names) for one in (*declared.values(), *unknown)]
    return {"tools": tools, "tool_choice": {"type": "none"}}


def _tool(function: FunctionDeclaration, names: dict[str, str]) -> dict[str, Any]:
    name = names.get(function.name, function.name)
    return tool(name, function.description, function.parameters)


def thinking_fields(
    config: GenerationConfig, limit: int, route: Messages, findings: Findings
) -> dict[str, Any]:
    """A budget must leave room for an answer."""
    path = f"{CONFIG}.thinkingConfig.thinkingBudget"
    if config.budget == 0:
        if route.disables_thinking:
            return {"thinking": {"type": "disabled"}}
        if route.thinks:
            findings.drop(path)
        return {}
    if config.budget is None or config.budget < 0:
        return {}
    if not route.budgets:
        if not route.effort:
            findings.drop(path)
        return {}
    budget = max(config.budget, _MIN_BUDGET_TOKENS)
    if budget < limit:
        return {"thinking": {"type": "enabled", "budget_tokens": budget}}
    if config.max_tokens is None:
        enabled = {"type": "enabled", "budget_tokens": budget}
        return {"thinking": enabled, "max_tokens": budget + MAX_TOKENS}
    findings.drop(path)
    return {}


def output_fields(request: GeminiRequest, route: Messages, findings: Findings) -> dict[str, Any]:
    config = request.config
    output: dict[str, Any] = {}
    level = config.level.lower() if config.level is not None else None
    if level is None and not route.budgets and (config.budget or 0) > 0:
        level = effort_of(config.budget or 0)
    if level is not None and route.effort:
        output["effort"] = route.level(level)
    elif config.level is not None:
        findings.drop(f"{CONFIG}.thinkingConfig.thinkingLevel")
    if config.schema is not None:
        if not route.format or not config.schema:
            findings.refuse_format(
                config.schema_path, "the node does not support this output format"
            )
        output["format"] = {"type": "json_schema", "schema": config.schema}
    return output
