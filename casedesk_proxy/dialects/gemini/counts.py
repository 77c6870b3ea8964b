"""The numbers of a Gemini reply: log probabilities, and the usage."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.terms import Usage

__all__ = ["logprobs_result", "usage_metadata"]


def logprobs_result(tokens: list[dict[str, Any]]) -> dict[str, Any]:
    tops = []
    for token in tokens:
        top = token.get("top_logprobs")
        ranked = sorted(
            (
                one
                for one in (top if isinstance(top, list) else ())
                if isinstance(one, dict) and isinstance(one.get("logprob"), int | float)
            ),
            key=lambda one: -one["logprob"],
        )
        tops.append({"candidates": [_token(one) for one in ranked]})
    result: dict[str, Any] = {
        "chosenCandidates": [_token(token) for token in tokens],
        "logProbabilitySum": sum(token["logprob"] for token in tokens),
    }
    if any(one["candidates"] for one in tops):
        result["topCandidates"] = tops
    return result


def _token(token: dict[str, Any]) -> dict[str, Any]:
    text = token.get("token")
    made = {"token": text if isinstance(text, str) else "", "logProbability": token["logprob"]}
    if isinstance(token.get("id"), int):  # llama-server sends it
        made["tokenId"] = token["id"]
    return made


def usage_metadata(usage: Usage) -> dict[str, Any]:
    """{} if the node reported none. ``output`` is split into thoughts and answer if known."""
    if usage.prompt is None and usage.output is None:
        return {}
    prompt, output, thoughts = usage.prompt or 0, usage.output or 0, usage.thoughts or 0
    counts = {"promptTokenCount": prompt, "candidatesTokenCount": max(output - thoughts, 0)}
    if usage.cached:
        counts["cachedContentTokenCount"] = usage.cached
    if thoughts:
        counts["thoughtsTokenCount"] = thoughts
    counts["totalTokenCount"] = prompt + counts["candidatesTokenCount"] + thoughts
    return counts
