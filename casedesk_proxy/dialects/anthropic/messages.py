"""Anthropic's messages made OpenAI's: turns merged, results directly behind their calls.

Messages of one role in a row are one turn (Anthropic's API reference says so, and several chat
templates insist). Of one turn, text blocks are joined without a separator, as the client wrote
them; texts of different messages with a blank line. Tool results come first, since every node
wants them behind the calls that they answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from casedesk_proxy.dialects.anthropic.media import image_part, read_document
from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.openai.messages import PAUSE, ChatTurn, Piece, plain_text
from casedesk_proxy.engines.profile import Profile
from casedesk_proxy.jsonio import dumps

__all__ = ["TurnReader"]

#: Claude Code's first system block. Its value changes with every request, which would make the
#: node read the whole prompt anew each time (vLLM PR 36829, llama.cpp PR 21793).
_BILLING = "x-anthropic-billing-header"
_ROLES = "Input should be 'user', 'assistant' or 'system'"


class TurnReader:
    """Takes ``system`` and ``messages``; whatever is wrong with them goes to ``findings``.

    ``rename`` gives the name under which the node knows a function. ``fold``: the template knows
    no system role, so its text is the user's. ``first``: it takes one only at the beginning.
    """

    def __init__(
        self,
        profile: Profile,
        findings: Findings,
        rename: Callable[[str], str],
        *,
        fold: bool,
        first: bool,
    ) -> None:
        self._profile = profile
        self._findings = findings
        self._rename = rename
        self._fold = fold
        self._first = first
        self._system: list[str] = []
        self._turns: list[ChatTurn] = []
        self._results_at = 0
        self._unanswered: set[str] = set()

    def read(self, system: Any, messages: Any) -> list[dict[str, Any]]:
        """The messages for the node. Incomplete where ``findings`` has got faults."""
        self._read_system(system)
        if not isinstance(messages, list):
            wrong = "Field required" if messages is None else "Input should be a valid list"
            self._findings.fault("messages", wrong)
            return []
        for at, message in enumerate(messages):
            self._read_message(message, f"messages.{at}")
        if not self._turns and not self._findings.faults and not self._findings.features:
            self._findings.fault("messages", "at least one message with content is required")
        return self._finished()

    @property
    def prefilled(self) -> bool:
        """Whether the conversation ends with words that the model is to continue."""
        last = self._turns[-1] if self._turns else ChatTurn("user")
        return last.role == "assistant" and bool(last.pieces) and not last.calls

    def _finished(self) -> list[dict[str, Any]]:
        text = PAUSE.join(self._system)
        role = "user" if self._fold else "system"
        if text and self._turns and self._turns[0].role == role:
            self._turns[0].pieces.insert(0, text + PAUSE)
        elif text:
            self._turns.insert(0, ChatTurn(role, [text]))
        return [turn.message(self._profile) for turn in self._turns]

    def _read_system(self, system: Any) -> None:
        if system is None or system == "":
            return
        texts = [
            text
            for block, path in self._each(system, "system")
            for text in self._dispatch("system", block, path)
            if isinstance(text, str) and not text.startswith(_BILLING)
        ]
        if any(texts):
            self._system.append("".join(texts))

    def _read_message(self, message: Any, path: str) -> None:
        if not isinstance(message, dict):
            self._findings.fault(path, "Input should be an object")
            return
        role = message.get("role")
        if not isinstance(role, str) or role not in _BLOCKS:
            self._findings.fault(f"{path}.role", _ROLES)
            return
        if role == "assistant":
            self._begin_answer()
        pieces: list[Piece] = []
        for block, place in self._each(message.get("content"), f"{path}.content"):
            pieces += self._dispatch(role, block, place)
        if role == "assistant":
            self._end_answer(pieces)
        elif role == "system" and self._first:
            self._system += ["".join(plain_text(pieces))] if pieces else []
        elif pieces:
            self._say("user" if self._fold else role, pieces)

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

    def _dispatch(self, role: str, block: dict[str, Any], path: str) -> list[Piece]:
        kind = block["type"]
        reader = _BLOCKS[role].get(kind)
        if reader is not None:
            return reader(self, block, path)
        if any(kind in readers for readers in _BLOCKS.values()):
            self._findings.fault(path, f"`{kind}` blocks cannot stand in a message of role {role}")
        else:
            self._findings.refuse(path, f"`{kind}` blocks mean nothing to the node")
        return []

    def _text(self, block: dict[str, Any], path: str) -> list[Piece]:
        text = block.get("text")
        if not isinstance(text, str):
            self._findings.fault(f"{path}.text", "Input should be a valid string")
            return []
        return [text] if text else []

    def _image(self, block: dict[str, Any], path: str) -> list[Piece]:
        return image_part(block, path, self._profile, self._findings)

    def _document(self, block: dict[str, Any], path: str) -> list[Piece]:
        return read_document(block, path, self._profile, self._findings)

    def _thought(self, block: dict[str, Any], path: str) -> list[Piece]:
        text = block.get("thinking")
        if not isinstance(text, str):
            self._findings.fault(f"{path}.thinking", "Input should be a valid string")
        elif text and self._profile.thinking.history:
            self._turns[-1].thoughts.append(text)
        elif text:
            self._findings.drop(path)
        return []

    def _leave_out(self, block: dict[str, Any], path: str) -> list[Piece]:
        """Only Anthropic can read it."""
        self._findings.drop(path)
        return []

    def _call(self, block: dict[str, Any], path: str) -> list[Piece]:
        ident, name, given = block.get("id"), block.get("name"), block.get("input")
        for key, value in (("id", ident), ("name", name)):
            if not isinstance(value, str) or not value:
                self._findings.fault(f"{path}.{key}", "Input should be a non-empty string")
                return []
        if not isinstance(given, dict | None):
            self._findings.fault(f"{path}.input", "Input should be an object")
            return []
        if ident in self._unanswered:
            self._findings.fault(f"{path}.id", "`tool_use` ids must be unique")
        self._unanswered.add(str(ident))
        function = {"name": self._rename(str(name)), "arguments": dumps(given or {}).decode()}
        self._turns[-1].calls.append({"id": ident, "type": "function", "function": function})
        return []

    def _result(self, block: dict[str, Any], path: str) -> list[Piece]:
        """The text becomes a tool's message, pictures the user's: few nodes take them there."""
        ident = block.get("tool_use_id")
        if not isinstance(ident, str) or ident not in self._unanswered:
            self._findings.fault(
                f"{path}.tool_use_id",
                "unexpected `tool_use_id` found in `tool_result` blocks: each `tool_result` must "
                "answer, once, a `tool_use` of the previous turn",
            )
            return []
        self._unanswered.discard(ident)
        pieces = self._result_pieces(block.get("content"), f"{path}.content")
        text = "".join(plain_text(pieces))
        if block.get("is_error") is True:
            text = f"Error: {text}"  # OpenAI has no field for it
        self._turns.insert(self._results_at, ChatTurn("tool", [text], answers=ident))
        self._results_at += 1
        return [piece for piece in pieces if not isinstance(piece, str)]

    def _result_pieces(self, content: Any, path: str) -> list[Piece]:
        if content is None:
            return []
        pieces: list[Piece] = []
        for block, place in self._each(content, path):
            kind = block["type"]
            if kind == "tool_reference":
                # The tool that it loads is among the tools already: loading is not deferred.
                pieces.append(str(block.get("tool_name") or ""))
            elif kind in ("text", "image", "document"):
                pieces += self._dispatch("user", block, place)
            else:
                self._findings.refuse(place, f"`{kind}` blocks mean nothing to the node")
        return pieces

    def _say(self, role: str, pieces: list[Piece]) -> None:
        if not self._turns or self._turns[-1].role != role:
            self._turns.append(ChatTurn(role))
        self._turns[-1].extend(pieces)

    def _begin_answer(self) -> None:
        if not self._turns or self._turns[-1].role != "assistant":
            self._turns.append(ChatTurn("assistant"))
            self._unanswered.clear()
        self._results_at = len(self._turns)

    def _end_answer(self, pieces: list[Piece]) -> None:
        turn = self._turns[-1]
        turn.extend(pieces)
        if not (turn.pieces or turn.calls or turn.thoughts):
            self._turns.pop()


#: What reads a kind of block in a message of a role.
_BLOCKS: dict[str, dict[str, Callable[[TurnReader, dict[str, Any], str], list[Piece]]]] = {
    "user": {
        "text": TurnReader._text,
        "image": TurnReader._image,
        "document": TurnReader._document,
        "tool_result": TurnReader._result,
    },
    "assistant": {
        "text": TurnReader._text,
        "tool_use": TurnReader._call,
        "thinking": TurnReader._thought,
        "redacted_thinking": TurnReader._leave_out,
        # Tells where another model took over, and is no part of the prompt at Anthropic either.
        "fallback": lambda reader, block, path: [],
    },
    "system": {"text": TurnReader._text},
}
