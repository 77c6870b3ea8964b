"""A Gemini conversation as the messages of a chat."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.contract import Context
from casedesk_proxy.dialects.core.findings import Findings, refusal_of
from casedesk_proxy.dialects.gemini.blocks import ContentTurn, Media, Text
from casedesk_proxy.dialects.gemini.request import GeminiRequest
from casedesk_proxy.dialects.openai.builder import function_call, image_part
from casedesk_proxy.engines.profile import Profile
from casedesk_proxy.jsonio import dumps

__all__ = ["chat_messages"]

_AUDIO = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mp3": "mp3",
    "audio/mpeg": "mp3",
}


def chat_messages(
    request: GeminiRequest,
    profile: Profile,
    context: Context,
    names: dict[str, str],
    findings: Findings,
) -> list[dict[str, Any]]:
    """``names``: the node's names of functions, if they differ."""
    messages: list[dict[str, Any]] = []
    folded = request.system if context.fold_system else ""
    if request.system and not folded:
        messages.append({"role": "system", "content": request.system})
    if folded and request.turns[0].role != "user":
        messages.append({"role": "user", "content": folded})
        folded = ""
    for turn in request.turns:
        if turn.role == "model":
            messages.append(_assistant(turn, profile, names))
        else:
            messages += _tool_messages(turn)
            content = _user_content(turn, folded, profile, request.config.detail, findings)
            if content or turn.texts():
                messages.append({"role": "user", "content": content})
            folded = ""
    return messages


def _assistant(turn: ContentTurn, profile: Profile, names: dict[str, str]) -> dict[str, Any]:
    # Parts are joined as they are: a separator would change what the model wrote.
    text = "".join(block.text for block in turn.texts())
    message: dict[str, Any] = {"role": "assistant", "content": text or profile.empty_content}
    calls = [
        function_call(call.id, names.get(call.name, call.name), call.args) for call in turn.calls()
    ]
    if calls:
        message["tool_calls"] = calls
    return message


def _tool_messages(turn: ContentTurn) -> list[dict[str, Any]]:
    """They come directly after the calls, whatever else the turn contains, as OpenAI requires."""
    return [
        {
            "role": "tool",
            "tool_call_id": result.id,
            "content": dumps(result.response).decode(),
        }
        for result in turn.results()
    ]


def _user_content(
    turn: ContentTurn, folded: str, profile: Profile, detail: str | None, findings: Findings
) -> str | list[dict[str, Any]]:
    """A plain string unless there is media: templates treat lists differently, and Ollama makes
    each part a message."""
    blocks = [block for block in turn.blocks if isinstance(block, Text | Media)]
    lead = [folded + "\n\n"] if folded and blocks else [folded] if folded else []
    if not any(isinstance(block, Media) for block in blocks):
        return "".join([*lead, *(block.text for block in blocks if isinstance(block, Text))])
    parts: list[dict[str, Any]] = [{"type": "text", "text": text} for text in lead]
    for block in blocks:
        if isinstance(block, Text):
            parts.append({"type": "text", "text": block.text})
        else:
            parts += _media_part(block, profile, detail, findings)
    return parts


def _media_part(
    media: Media, profile: Profile, detail: str | None, findings: Findings
) -> list[dict[str, Any]]:
    findings.media.add(media.path, "", media.kind)
    if media.mime in profile.images:
        return [image_part(media.mime, media.data, media.detail or detail)]
    if media.mime in _AUDIO and profile.audio:
        audio = {"data": media.data, "format": _AUDIO[media.mime]}
        return [{"type": "input_audio", "input_audio": audio}]
    if media.kind == "video" and profile.video == "video_url":
        url = {"url": f"data:{media.mime};base64,{media.data}"}
        return [{"type": "video_url", "video_url": url}]
    if media.kind == "video" and profile.video == "input_video":
        return [{"type": "input_video", "input_video": {"data": media.data}}]
    findings.refuse(media.path, refusal_of(media.mime), media=media.kind)
    return []
