"""Translates Anthropic's messages to OpenAI's: turns merged, results directly after their calls.

Consecutive messages of one role are one turn (Anthropic's API reference says so, and several chat
templates require it). Text blocks of one message are joined without a separator, as the client
wrote them; texts of different messages with a blank line. Tool results come first, since every node
requires them directly after their calls.
"""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.anthropic.blocks import (
    Block,
    DocumentBlock,
    ForeignBlock,
    ImageBlock,
    Message,
    RedactedBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from casedesk_proxy.dialects.anthropic.request import MessagesRequest
from casedesk_proxy.dialects.core.contract import Context
from casedesk_proxy.dialects.core.findings import Findings, refusal_of
from casedesk_proxy.dialects.core.function_names import ToolNameMap
from casedesk_proxy.dialects.openai.builder import function_call, image_part
from casedesk_proxy.dialects.openai.messages import PAUSE, ChatTurn, Piece, plain_text

__all__ = ["ChatConversation"]

#: Claude Code's first system block. Its value changes with every request, which would make the node
#: process the whole prompt again each time (vLLM PR 36829, llama.cpp PR 21793).
_BILLING = "x-anthropic-billing-header"
_FETCHED = "URLs are not fetched here; send it inline"
_STORED = "files stored at Anthropic cannot be read by the node; send the file inline"


class ChatConversation:
    """One conversation; what the node does not accept goes to ``findings``.

    ``context.fold_system``: the template knows no system role, so the system text is put into a
    user's turn; ``context.system_first``: it accepts a system message only at the beginning.
    """

    def __init__(self, context: Context, names: ToolNameMap, findings: Findings) -> None:
        self._profile = context.profile
        self._fold = context.fold_system
        self._first = context.system_first
        self._names = names
        self._findings = findings
        self._system: list[str] = []
        self._turns: list[ChatTurn] = []
        self._results_at = 0

    @property
    def prefilled(self) -> bool:
        """Whether the conversation ends with text that the model is to continue."""
        last = self._turns[-1] if self._turns else ChatTurn("user")
        return last.role == "assistant" and bool(last.pieces) and not last.calls

    def build(self, request: MessagesRequest) -> list[dict[str, Any]]:
        texts = [text for text in plain_text(self._pieces(request.system)) if not _is_billing(text)]
        if any(texts):
            self._system.append("".join(texts))
        for message in request.messages:
            self._add(message)
        if not self._turns and not self._findings.features and not self._findings.faults:
            # Everything in it is left out for this node.
            self._findings.fault("messages", "at least one message with content is required")
        text = PAUSE.join(self._system)
        role = "user" if self._fold else "system"
        if text and self._turns and self._turns[0].role == role:
            self._turns[0].pieces.insert(0, text + PAUSE)
        elif text:
            self._turns.insert(0, ChatTurn(role, [text]))
        return [turn.message(self._profile) for turn in self._turns]

    def _add(self, message: Message) -> None:
        role = message.role
        if role == "assistant":
            self._begin_answer()
        pieces = self._pieces(message.blocks)
        if role == "assistant":
            self._end_answer(pieces)
        elif role == "system" and self._first:
            self._system += ["".join(plain_text(pieces))] if pieces else []
        elif pieces:
            self._say("user" if role == "system" and self._fold else role, pieces)

    def _pieces(self, blocks: tuple[Block, ...]) -> list[Piece]:
        pieces: list[Piece] = []
        for block in blocks:
            made = self._piece(block)
            if isinstance(block, DocumentBlock) and made and _ends_inside_a_line(pieces):
                pieces.append(PAUSE)
            pieces += made
        return pieces

    def _piece(self, block: Block) -> list[Piece]:
        match block:
            case TextBlock():
                return [block.text]
            case ImageBlock():
                return self._image(block)
            case DocumentBlock():
                return self._document(block)
            case ToolResultBlock():
                return self._result(block)
            case ToolUseBlock():
                name = self._names.rename(block.name)
                self._turns[-1].calls.append(function_call(block.id, name, block.input))
            case ThinkingBlock() if self._profile.thinking.history:
                self._turns[-1].thoughts.append(block.text)
            case ThinkingBlock() | RedactedBlock():
                self._findings.drop(block.path)
            case ForeignBlock():
                why = f"`{block.kind}` blocks are not supported by the node"
                self._findings.refuse(block.path, why)
        return []

    def _image(self, image: ImageBlock) -> list[Piece]:
        """A URL is not passed on: the node would fetch it from inside the operator's network."""
        path = f"{image.path}.source"
        if image.source != "base64":
            why = _STORED if image.source == "file" else _FETCHED
            self._findings.refuse(path, why, media="image")
            return []
        if image.mime not in self._profile.images:
            why = f"the node does not accept {image.mime[:40]!r}"
            self._findings.refuse(f"{path}.media_type", why, media="image")
            return []
        self._findings.media.add(path, "", "image")
        return [image_part(image.mime, image.data)]

    def _document(self, document: DocumentBlock) -> list[Piece]:
        """A text document as text, after its title and context."""
        if document.cited:
            self._findings.drop(f"{document.path}.citations")
        if document.source not in ("text", "content"):
            pdf = refusal_of("application/pdf")
            why = {"url": _FETCHED, "file": _STORED}.get(document.source, pdf)
            self._findings.refuse(f"{document.path}.source", why, media="document")
            return []
        body = self._pieces(document.parts)
        return [document.head, *body, PAUSE] if body or document.head else []

    def _result(self, result: ToolResultBlock) -> list[Piece]:
        """The text becomes a tool's message, images become the user's: few nodes accept them in a
        tool's."""
        pieces = self._pieces(result.content)
        text = "".join(plain_text(pieces))
        if result.is_error:
            text = f"Error: {text}"  # OpenAI has no field for an error
        self._turns.insert(self._results_at, ChatTurn("tool", [text], answers=result.id))
        self._results_at += 1
        return [piece for piece in pieces if not isinstance(piece, str)]

    def _say(self, role: str, pieces: list[Piece]) -> None:
        if not self._turns or self._turns[-1].role != role:
            self._turns.append(ChatTurn(role))
        self._turns[-1].extend(pieces)

    def _begin_answer(self) -> None:
        if not self._turns or self._turns[-1].role != "assistant":
            self._turns.append(ChatTurn("assistant"))
        self._results_at = len(self._turns)

    def _end_answer(self, pieces: list[Piece]) -> None:
        turn = self._turns[-1]
        turn.extend(pieces)
        if not (turn.pieces or turn.calls or turn.thoughts):
            self._turns.pop()


def _ends_inside_a_line(pieces: list[Piece]) -> bool:
    last = pieces[-1] if pieces else None
    return isinstance(last, str) and bool(last) and not last.endswith("\n")


def _is_billing(text: str) -> bool:
    return text.startswith(_BILLING)
