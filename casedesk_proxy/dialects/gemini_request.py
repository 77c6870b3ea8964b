"""A GenerateContentRequest, read whole: what every node's dialect is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from casedesk_proxy.dialects.findings import Findings
from casedesk_proxy.dialects.gemini_config import Config, read_config
from casedesk_proxy.dialects.gemini_reader import read_message
from casedesk_proxy.dialects.gemini_tools import Toolbox, read_tools
from casedesk_proxy.dialects.gemini_turns import Turn, read_system, read_turns

__all__ = ["Request", "read_request"]


@dataclass(frozen=True, slots=True)
class Request:
    system: str
    turns: list[Turn]
    tools: Toolbox
    config: Config


def read_request(body: dict[str, Any], findings: Findings) -> Request:
    """Raises BadRequest, or Unsupported for an invalid schema, naming every place.

    What a node might not serve is gathered in ``findings``, for the pair to add to and raise.
    """
    request = read_message("GenerateContentRequest", body, "", findings)
    if request.get("store"):
        findings.drop("store")
    read = Request(
        system=read_system(request.get("systemInstruction", {}), "systemInstruction", findings),
        turns=read_turns(request.get("contents", []), "contents", findings),
        tools=read_tools(request.get("tools", []), request.get("toolConfig", {}), findings),
        config=read_config(request.get("generationConfig", {}), findings),
    )
    findings.raise_faults()
    return read
