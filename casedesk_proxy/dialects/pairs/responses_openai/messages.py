"""Translates the items of a Responses request to chat messages: turns merged, results after their
calls.

Chat has turns; Responses has a flat list of items, in which a call, its result and the model's text
between them may have any order. Every node requires a call's result directly after the turn with
the call; some templates accept a system message only at the very beginning.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from casedesk_proxy.dialects.core.findings import Findings, refusal_of
from casedesk_proxy.dialects.openai.messages import PAUSE, ChatTurn, Piece, plain_text
from casedesk_proxy.dialects.responses.input_items import (
    AudioPart,
    FilePart,
    ImagePart,
    InputCall,
    InputItem,
    InputMessage,
    InputPart,
    InputResult,
    InputThought,
)
from casedesk_proxy.dialects.responses.names import QualifiedName
from casedesk_proxy.engines.profile import Profile

__all__ = ["make_messages"]

_DATA_URL = re.compile(r"data:(?P<type>[^;,]*)(?P<more>(?:;[^;,]*)*),(?P<data>.*)", re.S | re.I)
_FETCHED = "URLs are not fetched here; send it inline, as a data URL"
#: Files that are text, whatever their type says.
_TEXTUAL = re.compile(
    r"text/.*|application/(?:json|xml|yaml|x-yaml|toml|javascript)|.*\+(?:json|xml)"
)
_SOUNDS = ("wav", "mp3")


def make_messages(
    items: Iterable[InputItem],
    instructions: str,
    flatten: Callable[[QualifiedName, str], str],
    profile: Profile,
    findings: Findings,
    *,
    fold: bool,
    first: bool,
) -> list[dict[str, Any]]:
    """``flatten`` returns the node's name of a function, given its place. ``fold``: the template
    knows no system role, so the system text is put into a user's turn. ``first``: it accepts a
    system message only at the beginning."""
    turns = _TurnList(flatten, profile, findings, fold=fold, first=first)
    if instructions:
        turns.take(InputMessage("system", (instructions,)))
    for item in items:
        turns.take(item)
    return turns.messages()


class _TurnList:
    def __init__(
        self,
        flatten: Callable[[QualifiedName, str], str],
        profile: Profile,
        findings: Findings,
        *,
        fold: bool,
        first: bool,
    ) -> None:
        self._flatten = flatten
        self._profile = profile
        self._findings = findings
        self._fold = fold
        self._first = first
        self._system: list[str] = []
        self._turns: list[ChatTurn] = []
        #: The turn of each call that has no result yet.
        self._callers: dict[str, ChatTurn] = {}

    def take(self, item: InputItem) -> None:
        if isinstance(item, InputMessage):
            self._take_message(item)
        elif isinstance(item, InputThought):
            self._take_thought(item)
        elif isinstance(item, InputCall):
            function = {
                "name": self._flatten(item.called, item.path),
                "arguments": item.arguments,
            }
            turn = self._answer()
            turn.calls.append({"id": item.call_id, "type": "function", "function": function})
            self._callers[item.call_id] = turn
        else:
            self._take_result(item)

    def messages(self) -> list[dict[str, Any]]:
        text, role = PAUSE.join(self._system), "user" if self._fold else "system"
        turns = self._spoken()
        if text and turns and turns[0].role == role:
            turns[0].pieces.insert(0, text + PAUSE)
        elif text:
            turns.insert(0, ChatTurn(role, [text]))
        return [turn.message(self._profile) for turn in turns]

    def _spoken(self) -> list[ChatTurn]:
        """Without turns that contain only thoughts; the turns on both sides of one are joined."""
        kept: list[ChatTurn] = []
        for turn in self._turns:
            if not (turn.pieces or turn.calls or turn.answers):
                continue
            if kept and kept[-1].role == turn.role != "tool":
                kept[-1].extend(turn.pieces)
            else:
                kept.append(turn)
        return kept

    def _take_message(self, item: InputMessage) -> None:
        pieces = self._pieces(item.parts)
        if not pieces:
            return
        if item.role == "assistant":
            self._answer().extend(pieces)
        elif item.role == "system" and (self._first or (self._fold and not self._turns)):
            self._system.append("".join(plain_text(pieces)))
        else:
            self._say("user" if self._fold else item.role, pieces)

    def _take_thought(self, item: InputThought) -> None:
        if not self._profile.thinking.history:
            self._findings.drop(item.path)
            return
        thoughts = self._answer().thoughts
        thoughts += [PAUSE, item.text] if thoughts else [item.text]

    def _take_result(self, item: InputResult) -> None:
        """Its text becomes a tool's turn, images become the user's: few nodes accept them in a
        tool's."""
        caller = self._callers.pop(item.call_id)
        at = next(place for place, turn in enumerate(self._turns) if turn is caller) + 1
        while at < len(self._turns) and self._turns[at].answers:
            at += 1
        pieces = self._pieces(item.parts)
        text = "".join(plain_text(pieces))
        self._turns.insert(at, ChatTurn("tool", [text], answers=item.call_id))
        others: list[Piece] = [piece for piece in pieces if not isinstance(piece, str)]
        if others:
            self._say("user", others)

    def _answer(self) -> ChatTurn:
        """The assistant's current turn: text between calls and their results belongs to it."""
        waiting = next(iter(self._callers.values()), None)
        if waiting is not None:
            return waiting
        if not self._turns or self._turns[-1].role != "assistant":
            self._turns.append(ChatTurn("assistant"))
        return self._turns[-1]

    def _say(self, role: str, pieces: list[Piece]) -> None:
        if not self._turns or self._turns[-1].role != role or self._turns[-1].answers:
            self._turns.append(ChatTurn(role))
        self._turns[-1].extend(pieces)

    def _pieces(self, parts: Iterable[InputPart]) -> list[Piece]:
        pieces: list[Piece] = []
        for part in parts:
            if isinstance(part, str):
                pieces.append(part)
            elif isinstance(part, ImagePart):
                pieces += self._image(part)
            elif isinstance(part, FilePart):
                pieces += self._file(part)
            else:
                pieces += self._audio(part)
        return [piece for piece in pieces if piece]

    def _image(self, part: ImagePart) -> list[Piece]:
        """A URL is not passed on: the node would fetch it from inside the operator's network."""
        split = _DATA_URL.fullmatch(part.url)
        if split is None:
            self._findings.refuse(part.path, _FETCHED, media="image")
            return []
        media = split["type"].lower().replace("image/jpg", "image/jpeg")
        if media not in self._profile.images:
            why = f"the node does not accept {media[:40]!r}"
            self._findings.refuse(part.path, why, media="image")
            return []
        self._findings.media.add(part.path, "", "image")
        shown: dict[str, Any] = {"url": part.url}
        if part.detail is not None:
            shown["detail"] = part.detail
        return [{"type": "image_url", "image_url": shown}]

    def _file(self, part: FilePart) -> list[Piece]:
        text = _text_of(part)
        if text is None:
            is_pdf = part.data[:30].lower().startswith("data:application/pdf")
            why = "the node only accepts files that are text"
            why = refusal_of("application/pdf") if is_pdf else why
            self._findings.refuse(part.path, why, media="document")
            return []
        head = f"{part.name}\n" if part.name else ""
        return [f"{head}{text}{PAUSE}"]

    def _audio(self, part: AudioPart) -> list[Piece]:
        if not self._profile.audio or part.format not in _SOUNDS:
            why = f"the node does not accept audio in the format {part.format[:20]!r}"
            self._findings.refuse(part.path, why, media="audio")
            return []
        self._findings.media.add(part.path, "", "audio")
        return [{"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}]


def _text_of(part: FilePart) -> str | None:
    """The content of a text file; None for any other file."""
    split = _DATA_URL.fullmatch(part.data)
    if split is None or not _TEXTUAL.fullmatch(split["type"].lower()):
        return None
    try:
        raw = unquote_to_bytes(split["data"])
        if split["more"].lower().endswith(";base64"):
            raw = binascii.a2b_base64(raw)
        return raw.decode()
    except ValueError:
        return None
