"""The part of a conversation that stays the same while it grows, its beginning: by it the
conversation finds its node again.

System text and first turn, in each surface's own form; nothing is validated here.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, Protocol

from casedesk_proxy import jsonio
from casedesk_proxy.terms import Dialect

__all__ = ["Marked", "conversation_key", "request_key"]

#: Claude Code's system text begins with a line of this name that changes with every request;
#: llama-server and vLLM exclude it from their caches, so it must not move a conversation.
_VOLATILE = "x-anthropic-billing-header"
#: How many bytes of a request that is not a conversation are used.
_LOOKED_AT_BYTES = 65536
_INSTRUCTIONS = ("system", "developer")


class Marked(Protocol):
    """A body of ``size`` bytes in which marks replace long texts."""

    @property
    def size(self) -> int: ...

    def expand(self, data: bytes, *, as_sent: bool = False) -> Iterator[bytes]:
        """``data`` with the replaced texts, as the client wrote them or in our own JSON."""


def conversation_key(surface: Dialect, body: dict[str, Any], marked: Marked | None = None) -> bytes:
    """A short key, equal for all requests of one conversation."""
    if surface is Dialect.GEMINI:
        system = body.get("systemInstruction", body.get("system_instruction"))
        first = _first(body.get("contents"))
    elif surface is Dialect.ANTHROPIC:
        system = _steady(body.get("system"))
        first = _first(body.get("messages"))
    else:
        messages = body.get("messages", body.get("prompt", body.get("input")))
        system = _opening(messages)
        if surface is Dialect.RESPONSES:
            system = [body.get("instructions"), system]
        elif surface is Dialect.OLLAMA:
            system = [body.get("system"), system]
        first = messages if not isinstance(messages, list) else None
    try:
        said = jsonio.dumps([system, first])
    except jsonio.TooDeep:  # The node must judge it; it is not a conversation that continues.
        said = b""
    if marked is None:
        return blake2b(said, digest_size=16).digest()
    key = blake2b(digest_size=16)
    for piece in marked.expand(said):
        key.update(piece)
    return key.digest()


def request_key(raw: bytes, marked: Marked | None = None) -> bytes:
    """A key for a request that is not a conversation: equal requests have the same key, others
    different ones."""
    if marked is not None:
        begin = bytearray()
        for piece in marked.expand(raw, as_sent=True):
            begin += piece
            if len(begin) >= _LOOKED_AT_BYTES:
                break
        raw = bytes(begin)
    return blake2b(raw[:_LOOKED_AT_BYTES], digest_size=16).digest()


def _first(turns: Any) -> Any:
    return turns[0] if isinstance(turns, list) and turns else turns


def _steady(system: Any) -> Any:
    if not isinstance(system, list):
        return system
    return [one for one in system if not _is_volatile(one)]


def _is_volatile(block: Any) -> bool:
    text = block.get("text") if isinstance(block, dict) else None
    return isinstance(text, str) and text.startswith(_VOLATILE)


def _opening(messages: Any) -> Any:
    """The messages up to the first one that is not an instruction."""
    if not isinstance(messages, list):
        return None
    opening = []
    for message in messages:
        opening.append(message)
        if not isinstance(message, dict) or message.get("role") not in _INSTRUCTIONS:
            break
    return opening
