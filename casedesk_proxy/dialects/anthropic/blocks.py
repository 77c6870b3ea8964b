"""The blocks of an Anthropic message, as values. ``path`` is a block's place in the request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = [
    "Block",
    "DocumentBlock",
    "ForeignBlock",
    "ImageBlock",
    "Message",
    "RedactedBlock",
    "TextBlock",
    "ThinkingBlock",
    "ToolResultBlock",
    "ToolUseBlock",
]


@dataclass(frozen=True, slots=True)
class TextBlock:
    text: str


@dataclass(frozen=True, slots=True)
class ImageBlock:
    """``source`` is base64, or where the image is kept, in which case there is no ``data``.
    ``data`` is padded base64 in the standard alphabet."""

    path: str
    source: str
    mime: str = ""
    data: str = ""


@dataclass(frozen=True, slots=True)
class DocumentBlock:
    """A document or a search result. ``source`` is text or content, or a kind that only Anthropic
    can read, in which case there are no ``parts``. ``head``: its title, and its context or source,
    one line each. ``cited``: the client asks for citations."""

    path: str
    source: str
    head: str = ""
    parts: tuple[TextBlock | ImageBlock, ...] = ()
    cited: bool = False


@dataclass(frozen=True, slots=True)
class ThinkingBlock:
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class RedactedBlock:
    """Thinking that only Anthropic can read."""

    path: str


@dataclass(frozen=True, slots=True)
class ToolUseBlock:
    id: str
    name: str
    input: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ForeignBlock:
    """A block that belongs to Anthropic's own tools, or is of an unknown kind."""

    path: str
    kind: str


@dataclass(frozen=True, slots=True)
class ToolResultBlock:
    """``id`` is that of a ToolUseBlock of the previous turn."""

    id: str
    content: tuple[Block, ...]
    is_error: bool


Block = (
    TextBlock
    | ImageBlock
    | DocumentBlock
    | ThinkingBlock
    | RedactedBlock
    | ToolUseBlock
    | ToolResultBlock
    | ForeignBlock
)


@dataclass(frozen=True, slots=True)
class Message:
    """``role`` is user, assistant or system."""

    role: str
    blocks: tuple[Block, ...]
