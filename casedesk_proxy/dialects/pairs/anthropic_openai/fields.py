"""Sampling, response format and thinking of a Messages request, as fields of a chat request."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.anthropic.request import MessagesRequest, ThinkingMode
from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.openai.builder import response_format
from casedesk_proxy.engines.profile import Choice, Profile, effort_of

__all__ = ["chat_formats", "chat_sampling", "chat_thinking"]


def chat_sampling(request: MessagesRequest, profile: Profile, findings: Findings) -> dict[str, Any]:
    if request.max_tokens == 0:
        findings.refuse("max_tokens", "max_tokens: 0 is not supported by the node")
    wanted: dict[str, Any] = {
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": profile.fit_top_p(request.top_p),
    }
    if request.top_k is not None and profile.top_k:
        wanted["top_k"] = int(request.top_k) or profile.no_top_k
    elif request.top_k is not None:
        findings.drop("top_k")
    most = profile.most_stops
    if most is not None and len(request.stops) > most:
        findings.refuse("stop_sequences", f"the node accepts at most {most}")
    wanted["stop"] = list(request.stops) or None
    return {name: value for name, value in wanted.items() if value is not None}


def chat_formats(
    request: MessagesRequest, choice: Choice | None, profile: Profile, findings: Findings
) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for wanted in request.formats:
        path = wanted.path
        if wanted.schema is None:
            findings.refuse_format(f"{path}.type", "only json_schema is supported")
            continue
        if not profile.follows_format:
            findings.refuse_format(path, "the node does not support structured output")
        if choice in profile.format_forbids:
            findings.refuse_format(
                path, "the node does not support structured output together with these tools"
            )
        schema, place = wanted.schema, f"{path}.schema"
        fields["response_format"] = response_format(schema, place, profile, findings)
    return fields


def chat_thinking(
    mode: ThinkingMode, has_effort: bool, profile: Profile, findings: Findings
) -> dict[str, Any]:
    """``has_effort``: an effort was requested, which is more reliable than a guess from a budget.

    If Anthropic would not think, the node is asked not to. If the model thinks nevertheless, its
    thoughts are not sent to the client.
    """
    known = profile.thinking
    if mode.kind == "disabled":
        if known.off is not None:
            return dict(known.off)
        if mode.given:
            findings.drop("thinking.type")
    elif mode.budget is not None:
        if known.budget:
            return {known.budget: mode.budget}
        if not known.effort:
            findings.drop("thinking.budget_tokens")
        elif not has_effort:
            return {"reasoning_effort": known.level(effort_of(mode.budget))}
    elif mode.kind != "adaptive":
        # Only between tools (anthropic 2.14.0), or a type that came later: the model decides.
        findings.drop("thinking.type")
    return {}
