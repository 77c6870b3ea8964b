"""Reads a whole GenerateContentRequest, from which the requests for all node dialects are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.core.function_names import portable_names
from casedesk_proxy.dialects.gemini.blocks import ContentTurn
from casedesk_proxy.dialects.gemini.config import GenerationConfig, read_config
from casedesk_proxy.dialects.gemini.contents import read_text, read_turns
from casedesk_proxy.dialects.gemini.protojson import read_message
from casedesk_proxy.dialects.gemini.tools import Toolbox, read_tools

__all__ = ["GeminiRequest", "function_names", "read_count_request", "read_request"]


@dataclass(frozen=True, slots=True)
class GeminiRequest:
    system: str
    turns: list[ContentTurn]
    tools: Toolbox
    config: GenerationConfig


def function_names(request: GeminiRequest) -> dict[str, str]:
    """Replacements of function names for a node that is strict about names; only those that
    differ."""
    used = [one.name for one in request.tools.functions]
    used += [call.name for turn in request.turns for call in turn.calls()]
    return portable_names(used)


def read_request(body: dict[str, Any], findings: Findings) -> GeminiRequest:
    """Raises BadRequest, or Unsupported for an invalid schema, naming every place.

    What a node might not support is collected in ``findings``, for the pair to add to and raise.
    """
    return _read(read_message("GenerateContentRequest", body, "", findings), "", findings)


def read_count_request(body: dict[str, Any], findings: Findings) -> GeminiRequest:
    """A CountTokensRequest: contents alone, or a whole request inside. Raises as read_request."""
    wrapper = read_message("CountTokensRequest", body, "", findings)
    wrapped = wrapper.get("generateContentRequest")
    if wrapped is None:
        return _read(wrapper, "", findings, counts=True)
    if "contents" in wrapper:
        message = "contents and generateContentRequest cannot both be given"
        findings.fault("generateContentRequest", message)
    return _read(wrapped, "generateContentRequest.", findings, counts=True)


def _read(
    request: dict[str, Any], where: str, findings: Findings, *, counts: bool = False
) -> GeminiRequest:
    """``where``: the message's place in the body, used in paths of its conversation only."""
    if request.get("store"):
        findings.drop(f"{where}store")
    system = read_text(
        request.get("systemInstruction", {}),
        f"{where}systemInstruction",
        "a system instruction can only be text",
        findings,
    )
    read = GeminiRequest(
        system="\n".join(system),
        turns=read_turns(
            request.get("contents", []), f"{where}contents", findings, fragment=counts
        ),
        tools=read_tools(request.get("tools", []), request.get("toolConfig", {}), findings),
        config=read_config(request.get("generationConfig", {}), findings),
    )
    findings.raise_faults()
    if not read.turns:
        # Everything in the request was refused; engines have nothing to add.
        findings.raise_refusals()
    return read
