"""Reads the conversation of a Gemini request: turns that alternate, calls with ids, results with
their calls.

Gemini's ids of function calls are optional and often missing, so none is used: every call gets a
new one from its position, and every response is paired with its call. The ids are nine letters and
digits: the only form that Mistral's templates accept, and all others accept it too.
"""

from __future__ import annotations

import base64
from collections import deque
from typing import Any

from casedesk_proxy.dialects.core.base64 import standard_base64
from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.gemini.blocks import (
    Block,
    ContentTurn,
    FunctionCall,
    FunctionResponse,
    Media,
    Text,
)
from casedesk_proxy.jsonio import dumps

__all__ = ["read_detail", "read_text", "read_turns"]

_ROLES = {"user": "user", "model": "model", "function": "user"}
_DATA = ("text", "inlineData", "functionCall", "functionResponse")
#: New kinds of parts of google-genai 3; without data of their own they would be lost.
_STANDALONE = ("audioTranscription", "mediaProcessing")
_TEXT_TYPES = frozenset(
    f"application/{kind}" for kind in ("json", "xml", "csv", "yaml", "x-yaml", "markdown")
)
#: Types that clients write and Google accepts, but that nodes know by another name.
_MISSPELT = {"image/jpg": "image/jpeg"}


def read_turns(
    contents: list[dict[str, Any]], path: str, findings: Findings, *, fragment: bool = False
) -> list[ContentTurn]:
    """Consecutive contents of one role become one turn: many templates require that roles
    alternate. In a ``fragment``, which is only counted, a result whose call is missing is its text:
    gemini-cli counts each result of a tool in this way."""
    turns: list[ContentTurn] = []
    for at, content in enumerate(contents):
        where = f"{path}[{at}]"
        role = _ROLES.get(content.get("role") or "user")
        if role is None:
            findings.fault(f"{where}.role", "Please use a valid role: user, model.")
            continue
        blocks = _read_blocks(content, role, where, findings)
        if not blocks and role == "user" and at == len(contents) - 1:
            blocks = _said_nothing(content, where)
        if not blocks:
            continue
        if turns and turns[-1].role == role:
            turns[-1].blocks += blocks
        else:
            turns.append(ContentTurn(role, blocks))
    if not turns and not (findings.faults or findings.features):
        findings.fault(path, f"{path} must not be empty")
    _pair(turns)
    for turn in (turn for turn in turns if turn.role == "user"):
        if fragment:
            turn.blocks = [_without_call(block) for block in turn.blocks]
        for answer in turn.results():
            if not answer.id:
                message = f"{answer.path} does not match a function call of the turn before it"
                findings.fault(answer.path, message)
    return turns


def _said_nothing(content: dict[str, Any], path: str) -> list[Block]:
    """A single empty text in the last turn is the prompt: Google accepts it, and without it the
    previous turn would be the last."""
    parts = content.get("parts", ())
    empty = parts and all(part.get("text") == "" and not part.get("thought") for part in parts)
    return [Text("", f"{path}.parts[0].text")] if empty else []


def read_text(content: dict[str, Any], path: str, why: str, findings: Findings) -> list[str]:
    """The texts of a content that must contain only text; ``why`` gives the reason."""
    blocks = _read_blocks(content, "user", path, findings)
    for block in blocks:
        if not isinstance(block, Text):
            findings.refuse(block.path, why)
    return [block.text for block in blocks if isinstance(block, Text)]


def _read_blocks(content: dict[str, Any], role: str, path: str, findings: Findings) -> list[Block]:
    blocks = []
    for at, part in enumerate(content.get("parts", ())):
        where = f"{path}.parts[{at}]"
        present = [name for name in _DATA if name in part]
        if len(present) > 1:
            findings.fault(where, f"{where} has more than one of: {', '.join(present)}")
        elif present:
            block = _BLOCKS[present[0]](part, role, where, findings)
            if block is not None:
                blocks.append(block)
            if isinstance(block, FunctionResponse):
                blocks += _read_result_media(part["functionResponse"], role, block.path, findings)
        else:
            for name in _STANDALONE:
                if part.get(name):
                    findings.refuse(f"{where}.{name}", "not available on a local node")
    return blocks


def _read_text(part: dict[str, Any], role: str, path: str, findings: Findings) -> Block | None:
    if part.get("thought"):
        # Templates strip earlier reasoning themselves; a model that needs it back signs it.
        if part["text"]:
            findings.drop(f"{path}.text")
        return None
    if not part["text"]:
        return None
    return Text(part["text"], f"{path}.text")


def _read_media(part: dict[str, Any], role: str, path: str, findings: Findings) -> Block | None:
    blob = part["inlineData"]
    path = f"{path}.inlineData"
    mime = blob.get("mimeType", "").partition(";")[0].strip().lower()
    mime = _MISSPELT.get(mime, mime)
    if not mime:
        findings.fault(f"{path}.mimeType", f"{path}.mimeType is required")
        return None
    if not blob.get("data"):
        findings.fault(f"{path}.data", f"{path}.data is required")
        return None
    data = standard_base64(blob["data"])
    if data is None:
        message = f"Invalid value at '{path}.data' (TYPE_BYTES), Base64 decoding failed"
        findings.fault(f"{path}.data", message)
        return None
    if role == "model":
        findings.refuse(path, "nodes do not accept media in a model turn")
        return None
    if mime.startswith("text/") or mime in _TEXT_TYPES:
        return _decode_text(data, path, findings)
    if part.get("videoMetadata") and mime.startswith("video/"):
        findings.refuse(
            path.replace(".inlineData", ".videoMetadata"),
            "the node does not support videoMetadata (clipping, frame rate)",
        )
    return Media(mime, data, read_detail(part.get("mediaResolution")), path)


def _decode_text(data: str, path: str, findings: Findings) -> Block | None:
    try:
        text = base64.b64decode(data).decode()
    except UnicodeDecodeError:
        findings.fault(f"{path}.data", f"{path}.data is not text in UTF-8")
        return None
    return Text(text, path) if text else None


def read_detail(resolution: Any) -> str | None:
    """OpenAI's ``detail`` for a media resolution, given as a name or by a part."""
    level = resolution.get("level") if isinstance(resolution, dict) else resolution
    name = level.upper().rpartition("RESOLUTION_")[2] if isinstance(level, str) else level
    if name in ("LOW", 1):
        return "low"
    return "high" if name in ("HIGH", "ULTRA_HIGH", 3, 4) else None


def _check_function(part: dict[str, Any], kind: str, path: str, findings: Findings) -> None:
    """Checks that calls and their responses share."""
    if not part.get("name"):
        findings.fault(f"{path}.name", f"{path}.name is required")
    if part.get("willContinue"):
        message = f"partial function {kind} (willContinue) are not supported"
        findings.refuse(f"{path}.willContinue", message)


def _read_ask(part: dict[str, Any], role: str, path: str, findings: Findings) -> Block | None:
    call, path = part["functionCall"], f"{path}.functionCall"
    if role != "model":
        findings.fault(path, f"{path} is only allowed in a model turn")
    _check_function(call, "calls", path, findings)
    return FunctionCall(call.get("name", ""), call.get("args", {}), call.get("id", ""), path)


def _read_answer(part: dict[str, Any], role: str, path: str, findings: Findings) -> Block | None:
    answer, path = part["functionResponse"], f"{path}.functionResponse"
    if role != "user":
        findings.fault(path, f"{path} is only allowed in a user turn")
    _check_function(answer, "responses", path, findings)
    return FunctionResponse(
        answer.get("name", ""), answer.get("response", {}), answer.get("id", ""), path
    )


def _read_result_media(
    answer: dict[str, Any], role: str, path: str, findings: Findings
) -> list[Block]:
    """Media of a function's result (google-genai 3.6.1, ``FunctionResponsePart``) follow it as the
    user's own: few nodes accept them in a tool's message."""
    read = [
        _read_media(part, role, f"{path}.parts[{at}]", findings)
        for at, part in enumerate(answer.get("parts", ()))
        if "inlineData" in part
    ]
    return [block for block in read if block is not None]


_BLOCKS = {
    "text": _read_text,
    "inlineData": _read_media,
    "functionCall": _read_ask,
    "functionResponse": _read_answer,
}


def _without_call(block: Block) -> Block:
    if isinstance(block, FunctionResponse) and not block.id:
        return Text(dumps(block.response).decode(), block.path)
    return block


def _pair(turns: list[ContentTurn]) -> None:
    """Give each call and its result the same id; a result without a call has none."""
    made = 0
    waiting: list[FunctionCall] = []
    for turn in turns:
        if turn.role == "model":
            waiting = turn.calls()
            for ask in waiting:
                made += 1
                ask.id = f"call{made:05d}"
        else:
            _pair_turn(waiting, turn.results())
            waiting = []


def _pair_turn(waiting: list[FunctionCall], answers: list[FunctionResponse]) -> None:
    """Pairs by the client's own id, else in order of arrival among calls of that function. In one
    pass over each list: a turn may have as many as fit into a body."""
    by_id: dict[str, deque[FunctionCall]] = {}
    by_name: dict[str, deque[FunctionCall]] = {}
    for ask in waiting:
        by_name.setdefault(ask.name, deque()).append(ask)
        if ask.asked_id:
            by_id.setdefault(ask.asked_id, deque()).append(ask)
    taken: set[str] = set()
    for answer in answers:
        if asked := by_id.get(answer.asked_id):
            answer.id = asked.popleft().id
            taken.add(answer.id)
    for answer in answers:
        if answer.id:
            continue
        calls = by_name.get(answer.name, deque())
        while calls and calls[0].id in taken:
            calls.popleft()
        if calls:
            answer.id = calls.popleft().id
