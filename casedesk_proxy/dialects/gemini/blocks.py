"""The blocks of a Gemini conversation, as values. ``path`` is a block's place in the request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Block", "ContentTurn", "FunctionCall", "FunctionResponse", "Media", "Text"]


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    path: str


@dataclass(frozen=True, slots=True)
class Media:
    """``data`` is padded base64 in the standard alphabet; ``kind``: image, audio, video or
    document."""

    mime: str
    data: str
    detail: str | None
    path: str

    @property
    def kind(self) -> str:
        kind = self.mime.partition("/")[0]
        return kind if kind in ("image", "audio", "video") else "document"


@dataclass(slots=True)
class FunctionCall:
    """A function call of the model. ``asked_id`` is the client's id of it."""

    name: str
    args: dict[str, Any]
    asked_id: str
    path: str
    id: str = ""


@dataclass(slots=True)
class FunctionResponse:
    """A function's result; ``id`` is that of its call."""

    name: str
    response: dict[str, Any]
    asked_id: str
    path: str
    id: str = ""


Block = Text | Media | FunctionCall | FunctionResponse


@dataclass(slots=True)
class ContentTurn:
    """Everything that one side says before the other side speaks. ``role`` is user or model."""

    role: str
    blocks: list[Block] = field(default_factory=list)

    def texts(self) -> list[Text]:
        return [block for block in self.blocks if isinstance(block, Text)]

    def calls(self) -> list[FunctionCall]:
        return [block for block in self.blocks if isinstance(block, FunctionCall)]

    def results(self) -> list[FunctionResponse]:
        return [block for block in self.blocks if isinstance(block, FunctionResponse)]
