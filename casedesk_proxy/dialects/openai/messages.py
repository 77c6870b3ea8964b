"""OpenAI chat messages, assembled from pieces of text and other parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from casedesk_proxy.engines.profile import Profile

__all__ = ["PAUSE", "ChatTurn", "Piece", "plain_text"]

#: Separates the texts of different messages in one turn.
PAUSE = "\n\n"

Piece = str | dict[str, Any]


@dataclass(slots=True)
class ChatTurn:
    """An unfinished message. ``answers`` is the id of the call whose result a tool's turn is."""

    role: str
    pieces: list[Piece] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    answers: str = ""

    def extend(self, pieces: list[Piece]) -> None:
        """Append pieces of another message with the same role."""
        texts = (isinstance(ends, str) for ends in (*self.pieces[-1:], *pieces[:1]))
        if self.pieces and all(texts):
            self.pieces.append(PAUSE)
        self.pieces += pieces

    def message(self, profile: Profile) -> dict[str, Any]:
        made: dict[str, Any] = {"role": self.role, "content": _content(self.pieces)}
        if self.answers:
            made["tool_call_id"] = self.answers
        if self.thoughts:
            made[profile.thinking.history] = "".join(self.thoughts)
        if self.calls:
            made["content"] = made["content"] or profile.empty_content
            made["tool_calls"] = self.calls
        return made


def plain_text(pieces: Iterable[str | dict[str, Any]]) -> list[str]:
    return [piece for piece in pieces if isinstance(piece, str)]


def _content(pieces: list[Piece]) -> str | list[dict[str, Any]]:
    """A plain string if there is only text: templates and Ollama treat lists differently."""
    texts = plain_text(pieces)
    if len(texts) == len(pieces):
        return "".join(texts)
    parts: list[dict[str, Any]] = []
    for piece in pieces:
        if not isinstance(piece, str):
            parts.append(piece)
        elif parts and parts[-1]["type"] == "text":
            parts[-1]["text"] += piece
        else:
            parts.append({"type": "text", "text": piece})
    return parts
