"""Everything in a Gemini request beside its conversation, as fields of a chat request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.gemini.config import PATH as CONFIG
from casedesk_proxy.dialects.gemini.config import GenerationConfig
from casedesk_proxy.dialects.gemini.request import GeminiRequest
from casedesk_proxy.dialects.gemini.tools import MODE, FunctionDeclaration, Toolbox
from casedesk_proxy.dialects.openai.builder import function_tool, named_choice, response_format
from casedesk_proxy.dialects.schema.checks import is_strict
from casedesk_proxy.dialects.schema.ordering import fit_schema
from casedesk_proxy.engines.profile import Choice, Profile, effort_of

__all__ = [
    "chat_format",
    "chat_sampling",
    "chat_thinking",
    "chat_tools",
    "check_together",
    "prefill_fields",
    "template_fields",
    "tool_fields",
]

#: The meaning of ``json_object``, for nodes that accept only schemas.
_ANY_OBJECT = {"type": "object"}


def chat_sampling(config: GenerationConfig, profile: Profile, findings: Findings) -> dict[str, Any]:
    wanted: dict[str, Any] = {
        "temperature": config.temperature,
        "top_p": profile.fit_top_p(config.top_p),
        "max_tokens": config.max_tokens,
        "stop": list(config.stops) or None,
        "seed": config.seed,
        "presence_penalty": config.presence_penalty if profile.presence_penalty else None,
        "frequency_penalty": config.frequency_penalty,
        "n": config.candidates if config.candidates > 1 else None,
        "logprobs": config.logprobs or None,
        "top_logprobs": config.top_logprobs,
    }
    if config.top_k is not None:
        if profile.top_k:
            wanted["top_k"] = config.top_k or profile.no_top_k
        else:
            findings.drop(f"{CONFIG}.topK")
    if config.presence_penalty is not None and not profile.presence_penalty:
        findings.drop(f"{CONFIG}.presencePenalty")
    _check_sampling(config, profile, findings)
    return {name: value for name, value in wanted.items() if value is not None}


def _check_sampling(config: GenerationConfig, profile: Profile, findings: Findings) -> None:
    if config.candidates > 1 and not profile.candidates:
        findings.refuse(f"{CONFIG}.candidateCount", "the node returns only one candidate")
    if profile.most_stops is not None and len(config.stops) > profile.most_stops:
        message = f"the node accepts at most {profile.most_stops} sequences"
        findings.refuse(f"{CONFIG}.stopSequences", message)
    if config.logprobs and not profile.logprobs:
        findings.refuse(f"{CONFIG}.responseLogprobs", "the node does not return log probabilities")
    if (config.top_logprobs or 0) > profile.most_logprobs:
        findings.refuse(f"{CONFIG}.logprobs", f"the node returns at most {profile.most_logprobs}")


def chat_format(request: GeminiRequest, profile: Profile, findings: Findings) -> dict[str, Any]:
    schema = request.config.schema
    if schema is None:
        return {}
    if not profile.follows_format:
        findings.refuse_format(
            request.config.schema_path, "the node does not support structured output"
        )
    if not schema and profile.json_mode:
        return {"response_format": {"type": "json_object"}}
    path = request.config.schema_path
    return {"response_format": response_format(schema or _ANY_OBJECT, path, profile, findings)}


def chat_tools(
    functions: tuple[FunctionDeclaration, ...],
    profile: Profile,
    names: dict[str, str],
    exact: bool = False,
) -> list[dict[str, Any]]:
    return [
        function_tool(
            names.get(one.name, one.name),
            one.description or None,
            fit_schema(one.parameters, profile),
            strict=exact and profile.strict_schemas and is_strict(one.parameters),
        )
        for one in functions
    ]


def tool_fields(
    box: Toolbox, profile: Profile, names: dict[str, str], findings: Findings
) -> dict[str, Any]:
    if not box.functions:
        return {}  # vLLM answers 400 to an empty list
    made: dict[str, Any] = {"tools": chat_tools(box.functions, profile, names, box.exact)}
    if box.choice is Choice.NAMED and Choice.NAMED in profile.choices:
        name = box.functions[0].name
        made["tool_choice"] = named_choice(names.get(name, name))
    elif box.choice is not Choice.AUTO:
        # With one function left, "required" means that function.
        made["tool_choice"] = "required"
        if Choice.REQUIRED not in profile.choices:
            findings.refuse(MODE, "the node does not support forcing a function call")
    return made


def chat_thinking(config: GenerationConfig, profile: Profile, findings: Findings) -> dict[str, Any]:
    thinking = profile.thinking
    if config.level is not None:
        if thinking.effort:
            return {"reasoning_effort": thinking.level(config.level.lower())}
        findings.drop(f"{CONFIG}.thinkingConfig.thinkingLevel")
    budget = config.budget
    if budget is None or budget < 0:
        return {}
    path = f"{CONFIG}.thinkingConfig.thinkingBudget"
    if budget == 0:
        if thinking.off is None:
            findings.drop(path)
        return dict(thinking.off or {})
    if thinking.budget:
        return {thinking.budget: budget}
    if thinking.effort:
        return {"reasoning_effort": thinking.level(effort_of(budget))}
    findings.drop(path)
    return {}


def prefill_fields(
    request: GeminiRequest, profile: Profile, findings: Findings
) -> Mapping[str, Any]:
    """Gemini continues a last turn of the model. A node that does not begins a new one, of which
    the client is warned."""
    last = request.turns[-1]
    if last.role != "model" or last.calls():
        return {}
    if profile.prefill is None:
        findings.drop(last.blocks[-1].path.partition(".parts")[0])
    return profile.prefill or {}


def template_fields(request: GeminiRequest, profile: Profile) -> dict[str, Any]:
    """Fields that change the prompt that the node makes from the messages."""
    return {
        **chat_thinking(request.config, profile, Findings()),
        **prefill_fields(request, profile, Findings()),
    }


def check_together(request: GeminiRequest, profile: Profile, findings: Findings) -> None:
    """Combinations that the node does not accept, although it accepts each part alone."""
    box, config = request.tools, request.config
    if not box.functions:
        return
    choice = box.choice
    if choice is Choice.NAMED and Choice.NAMED not in profile.choices:
        choice = Choice.REQUIRED
    if config.schema is not None and choice in profile.format_forbids:
        message = "the node does not support a response format together with functions"
        findings.refuse_format(config.schema_path, message)
    if config.logprobs and not profile.logprobs_with_tools:
        message = "the node does not return log probabilities while functions are declared"
        findings.refuse(f"{CONFIG}.responseLogprobs", message)
