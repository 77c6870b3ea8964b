"""Tool calls of a reply, assembled from the pieces in which a node sends them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.jsonio import JSONError, TooDeep, dumps, is_deeper, loads_exact
from casedesk_proxy.wire.jsonarray import ArrayScanner, ArrayTooLarge, NotAnArray

__all__ = [
    "MAX_CALLS",
    "ToolCall",
    "in_order",
    "plain_arguments",
    "read_arguments",
    "write_arguments",
]

#: Levels of a call's arguments; together with the levels around them they can still be serialised.
_MAX_DEPTH = 200
#: More calls than a model makes in one answer. All of them are finished in one round of the loop.
MAX_CALLS = 512
#: No call of the size that its reader allows has more, as a character has four bytes at most.
_MAX_BYTES = 4 * MAX_HELD_BYTES
#: Pieces that show how arguments begin.
_MAX_FIRST_PIECES = 8


class ToolCall:
    """One tool call as its pieces arrive. ``id`` and ``name`` are "" until they are known;
    ``is_named``: the name is whole for certain, also before the arguments begin."""

    __slots__ = ("_end", "id", "index", "is_named", "name", "pieces")

    def __init__(self, index: int, ident: str = "", name: str = "") -> None:
        self.index = index
        self.id = ident
        self.name = name
        self.is_named = bool(name)
        self.pieces: list[str] = []
        self._end: _ObjectEnd | None = None

    def arguments(self) -> dict[str, Any] | None:
        return read_arguments("".join(self.pieces))

    def is_whole(self) -> bool:
        """Whether the pieces so far are an object and nothing more. Each piece is read once,
        however often this is asked, and all of them together once, if the object ends there."""
        if self._end is None:
            self._end = _ObjectEnd()
        return self._end.is_reached(self.pieces) and self.arguments() is not None

    def is_undecided(self) -> bool:
        """Whether the pieces so far do not show what the client is to get of them: they may become
        the word null, or are an empty object that another one may replace (see `add`), or are a
        text that contains the object."""
        begun = "".join(self.pieces[:_MAX_FIRST_PIECES]).strip()
        return "null".startswith(begun) or begun == "{}" or begun.startswith('"')

    def add(self, piece: str) -> None:
        """Some servers begin with an empty object, and the real one follows (LiteLLM 4537, Bedrock:
        openai-agents-js 712)."""
        if len(self.pieces) == 1 and self.pieces[0] == "{}" and piece.startswith("{"):
            self.pieces.clear()
            self._end = None
        self.pieces.append(piece)


class _ObjectEnd:
    """Looks for the end of a JSON object in its pieces."""

    __slots__ = ("_count", "_scanner")

    def __init__(self) -> None:
        self._count = 0
        self._scanner: ArrayScanner | None = ArrayScanner(_MAX_BYTES)
        self._scanner.feed(b"[")

    def is_reached(self, pieces: list[str]) -> bool:
        """``pieces``: those of before, and further ones."""
        if self._scanner is None:
            return False
        try:
            for piece in pieces[self._count :]:
                self._scanner.feed(piece.encode("utf-8", "replace"))
        except (NotAnArray, ArrayTooLarge):
            self._scanner = None
            return False
        self._count = len(pieces)
        return self._scanner.at_boundary


def in_order(calls: Iterable[ToolCall]) -> list[ToolCall]:
    """By index, and by arrival for equal indexes. Ids that occur twice are made unique (TGI's are
    all "0"); missing ids stay empty."""
    ordered = sorted(calls, key=lambda call: call.index)
    seen: set[str] = set()
    for call in ordered:
        if call.id in seen:
            call.id = ""
        seen.add(call.id)
    return ordered


def plain_arguments(text: str) -> str:
    """The text of a call's arguments as clients expect it: an object without a text around it,
    which vLLM's parser for Hermes adds to those of Granite 4 (vllm 54964), and an empty one for
    none, for which some engines write null."""
    try:
        value = loads_exact(text.encode("utf-8", "replace"))
    except JSONError:
        return text if text.strip() else "{}"
    if value is None:
        return "{}"
    return value if isinstance(value, str) else text


def read_arguments(text: str) -> dict[str, Any] | None:
    """A call's arguments, {} if there are none; None if they are not a JSON object, or are nested
    too deeply to be passed on."""
    if not text.strip():
        return {}
    try:
        value = loads_exact(text.encode("utf-8", "replace"))
        if isinstance(value, str):
            value = loads_exact(value.encode("utf-8", "replace"))
    except JSONError:
        return None
    if value is None:
        return {}
    return value if isinstance(value, dict) and not is_deeper(value, _MAX_DEPTH) else None


def write_arguments(value: Any) -> str:
    """Arguments that a node sent as an object, as the usual text."""
    try:
        return dumps(value).decode()
    except TooDeep:
        raise StreamBroken("sent a tool call that is nested too deeply") from None
