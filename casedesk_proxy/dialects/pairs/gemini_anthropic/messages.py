"""A Gemini conversation as the messages of a Messages request."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.anthropic.builder import (
    media_block,
    text_block,
    tool_result,
    tool_use,
)
from casedesk_proxy.dialects.core.contract import Context
from casedesk_proxy.dialects.core.findings import Findings, refusal_of
from casedesk_proxy.dialects.gemini.blocks import (
    ContentTurn,
    FunctionCall,
    FunctionResponse,
    Media,
)
from casedesk_proxy.dialects.gemini.request import GeminiRequest
from casedesk_proxy.engines.profile import IMAGES, Profile
from casedesk_proxy.jsonio import dumps

__all__ = ["conversation_fields"]


def conversation_fields(
    request: GeminiRequest,
    context: Context,
    profile: Profile,
    names: dict[str, str],
    findings: Findings,
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    route = profile.messages
    folded = request.system if context.fold_system else ""
    if request.system and not folded:
        made["system"] = request.system
    turns = list(request.turns)
    if folded and turns[0].role != "user":
        turns.insert(0, ContentTurn("user"))
    if route.exact and turns[0].role != "user":
        path = turns[0].blocks[0].path
        findings.refuse(path, "this node requires the first turn to be the user's")
    made["messages"] = [
        {
            "role": "assistant" if turn.role == "model" else "user",
            "content": _content(turn, folded if at == 0 else "", profile, names, findings),
        }
        for at, turn in enumerate(turns)
    ]
    return made


def _content(
    turn: ContentTurn, folded: str, profile: Profile, names: dict[str, str], findings: Findings
) -> list[dict[str, Any]]:
    """Results of functions come first, as Anthropic requires."""
    results: list[dict[str, Any]] = []
    rest: list[dict[str, Any]] = []
    if folded:
        rest.append(text_block(folded))
    for block in turn.blocks:
        if isinstance(block, FunctionResponse):
            results.append(tool_result(block.id, dumps(block.response).decode()))
        elif isinstance(block, FunctionCall):
            name = names.get(block.name, block.name)
            rest.append(tool_use(block.id, name, block.args))
        elif isinstance(block, Media):
            rest.append(_media(block, profile, findings))
        else:
            rest.append(text_block(block.text))
    return results + rest


def _media(media: Media, profile: Profile, findings: Findings) -> dict[str, Any]:
    kind = "image" if media.mime in IMAGES & profile.images else ""
    if media.mime == "application/pdf" and profile.messages.documents:
        kind = "document"
    if not kind:
        findings.refuse(media.path, refusal_of(media.mime), media=media.kind)
    findings.media.add(media.path, "", media.kind)
    return media_block(kind, media.mime, media.data)
