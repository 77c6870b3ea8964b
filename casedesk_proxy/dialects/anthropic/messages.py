"""Reads ``system`` and ``messages`` of an Anthropic request, and finds their faults.

Whether a node accepts a block is decided elsewhere: a block that no node accepts is read as a
ForeignBlock, or as a source that says where an image or document is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from casedesk_proxy.dialects.anthropic.blocks import (
    Block,
    ForeignBlock,
    Message,
    RedactedBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from casedesk_proxy.dialects.anthropic.media import read_document, read_image, read_search_result
from casedesk_proxy.dialects.core.findings import Findings

__all__ = ["MessageReader"]

_ROLES = "Input should be 'user', 'assistant' or 'system'"


class MessageReader:
    """Reads one conversation. Its faults go to ``findings``."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._unanswered: set[str] = set()
        #: The role of the current turn: consecutive messages of one role are one turn.
        self._turn = ""

    def read_system(self, system: Any) -> tuple[Block, ...]:
        if system is None or system == "":
            return ()
        blocks = self._each(system, "system")
        return tuple(read for block, path in blocks for read in self._read("system", block, path))

    def read_messages(self, messages: Any) -> tuple[Message, ...]:
        if not isinstance(messages, list):
            wrong = "Field required" if messages is None else "Input should be a valid list"
            self._findings.fault("messages", wrong)
            return ()
        asks = [at for at, one in enumerate(messages) if _role_of(one) == "user"]
        last = max(asks, default=-1)
        read = (
            self._read_message(one, f"messages.{at}", later=at < last)
            for at, one in enumerate(messages)
        )
        return tuple(message for message in read if message is not None)

    def _read_message(self, message: Any, path: str, *, later: bool) -> Message | None:
        """``later``: a message of the user follows."""
        if not isinstance(message, dict):
            self._findings.fault(path, "Input should be an object")
            return None
        role = _role_of(message)
        if not isinstance(role, str) or role not in _BLOCKS:
            self._findings.fault(f"{path}.role", _ROLES)
            return None
        if role == "assistant" and self._turn != role:
            self._turn = role
            self._unanswered.clear()
        content = message.get("content")
        if role == "system":
            content = self._read_duties(message, path, later=later)
        blocks: list[Block] = []
        for block, place in self._each(content, f"{path}.content"):
            blocks += self._read(role, block, place)
        if blocks:
            self._turn = role
        return Message(role, tuple(blocks))

    def _read_duties(self, message: dict[str, Any], path: str, *, later: bool) -> Any:
        """The content of a system message; what else it sets (anthropic 2.14.0,
        ``BetaSystemMessageParam``): how long it is shown, and the effort of one turn."""
        output = message.get("output_config")
        if isinstance(output, dict) and output.get("effort") is not None:
            self._findings.drop(f"{path}.output_config.effort")
        if later and message.get("clear_at") == "next_user_message":
            return []
        return message.get("content", [] if output else None)

    def _each(self, content: Any, path: str) -> Iterator[tuple[dict[str, Any], str]]:
        """The blocks of a content with their paths; a string is one block of text."""
        if isinstance(content, str):
            yield {"type": "text", "text": content}, path
            return
        if not isinstance(content, list):
            wrong = "Field required" if content is None else "Input should be a string or a list"
            self._findings.fault(path, wrong)
            return
        for at, block in enumerate(content):
            if isinstance(block, dict) and isinstance(block.get("type"), str):
                yield block, f"{path}.{at}"
            else:
                self._findings.fault(f"{path}.{at}.type", "Field required")

    def _read(self, role: str, block: dict[str, Any], path: str) -> list[Block]:
        kind = block["type"]
        reader = _BLOCKS[role].get(kind)
        if reader is not None:
            read = reader(self, block, path)
            return [] if read is None else [read]
        if any(kind in readers for readers in _BLOCKS.values()):
            self._findings.fault(
                path, f"`{kind}` blocks are not allowed in a message with role {role}"
            )
            return []
        return [ForeignBlock(path, kind)]

    def _text(self, block: dict[str, Any], path: str) -> Block | None:
        text = block.get("text")
        if not isinstance(text, str):
            self._findings.fault(f"{path}.text", "Input should be a valid string")
            return None
        return TextBlock(text) if text else None

    def _image(self, block: dict[str, Any], path: str) -> Block | None:
        return read_image(block, path, self._findings)

    def _document(self, block: dict[str, Any], path: str) -> Block | None:
        return read_document(block, path, self._findings)

    def _search_result(self, block: dict[str, Any], path: str) -> Block | None:
        return read_search_result(block, path, self._findings)

    def _thinking(self, block: dict[str, Any], path: str) -> Block | None:
        text = block.get("thinking")
        if not isinstance(text, str):
            self._findings.fault(f"{path}.thinking", "Input should be a valid string")
            return None
        return ThinkingBlock(path, text) if text else None

    def _redacted(self, block: dict[str, Any], path: str) -> Block | None:
        return RedactedBlock(path)

    def _nothing(self, block: dict[str, Any], path: str) -> Block | None:
        """A block that marks where another model took over; it is not part of the prompt at
        Anthropic either."""
        return None

    def _use(self, block: dict[str, Any], path: str) -> Block | None:
        ident, name, given = block.get("id"), block.get("name"), block.get("input")
        for key, value in (("id", ident), ("name", name)):
            if not isinstance(value, str) or not value:
                self._findings.fault(f"{path}.{key}", "Input should be a non-empty string")
                return None
        if not isinstance(given, dict | None):
            self._findings.fault(f"{path}.input", "Input should be an object")
            return None
        if ident in self._unanswered:
            self._findings.fault(f"{path}.id", "`tool_use` ids must be unique")
        self._unanswered.add(str(ident))
        return ToolUseBlock(str(ident), str(name), given or {})

    def _result(self, block: dict[str, Any], path: str) -> Block | None:
        ident = block.get("tool_use_id")
        if not isinstance(ident, str) or ident not in self._unanswered:
            self._findings.fault(
                f"{path}.tool_use_id",
                "unexpected `tool_use_id` found in `tool_result` blocks: each `tool_result` must "
                "answer, once, a `tool_use` of the previous turn",
            )
            return None
        self._unanswered.discard(ident)
        content = self._read_result(block.get("content"), f"{path}.content")
        return ToolResultBlock(ident, tuple(content), block.get("is_error") is True)

    def _read_result(self, content: Any, path: str) -> list[Block]:
        if content is None:
            return []
        blocks: list[Block] = []
        for block, place in self._each(content, path):
            kind = block["type"]
            if kind == "tool_reference":
                # The tool that it loads is in the request's tools already: loading is not deferred.
                blocks.append(TextBlock(str(block.get("tool_name") or "")))
            elif kind in ("text", "image", "document", "search_result"):
                blocks += self._read("user", block, place)
            else:
                blocks.append(ForeignBlock(place, kind))
        return blocks


def _role_of(message: Any) -> Any:
    return message.get("role") if isinstance(message, dict) else None


#: The method that reads a kind of block in a message of a role.
_BLOCKS: dict[str, dict[str, Callable[[MessageReader, dict[str, Any], str], Block | None]]] = {
    "user": {
        "text": MessageReader._text,
        "image": MessageReader._image,
        "document": MessageReader._document,
        "search_result": MessageReader._search_result,
        "tool_result": MessageReader._result,
    },
    "assistant": {
        "text": MessageReader._text,
        "tool_use": MessageReader._use,
        "thinking": MessageReader._thinking,
        "redacted_thinking": MessageReader._redacted,
        "fallback": MessageReader._nothing,
    },
    "system": {"text": MessageReader._text},
}
