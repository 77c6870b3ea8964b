"""The content of a chat completion's chunks: text, fragments of calls, counts."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.calls import MAX_CALLS, ToolCall, write_arguments
from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES, text_or_blank
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.jsonio import read_count
from casedesk_proxy.terms import Usage

__all__ = [
    "DONE",
    "CallList",
    "UsageTally",
    "number_calls",
    "read_usage",
    "says_text_only",
    "text_of_chunk",
]

#: The data of the last event of most nodes; transformers does not send it.
DONE = b"[DONE]"
_NOT_COUNTED = Usage()


def text_of_chunk(chunk: Any) -> Any:
    """The text of a chunk that contains some."""
    return chunk["choices"][0]["delta"]["content"]


def says_text_only(chunk: dict[str, Any]) -> bool:
    """Whether a chunk adds text to one choice and contains nothing else that the next such chunk
    may not repeat, such as counts. Only for a chunk that was read without a fault."""
    choices = chunk.get("choices")
    if not choices or len(choices) != 1:
        return False
    choice = choices[0]
    delta = choice.get("delta")
    ends = choice.get("finish_reason") is not None
    if not isinstance(delta, dict) or ends or choice.get("logprobs"):
        return False
    text = delta.get("content")
    return (
        type(text) is str
        and bool(text)
        and not any(value for name, value in delta.items() if name not in ("content", "role"))
    )


def number_calls(document: dict[str, Any]) -> None:
    """Give each call in a one-body reply its index: such calls are in order but without an index,
    and their ids may be missing or all the same."""
    choices = document.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        message = choice.get("message") if isinstance(choice, dict) else None
        calls = message.get("tool_calls") if isinstance(message, dict) else None
        for at, call in enumerate(calls if isinstance(calls, list) else ()):
            if isinstance(call, dict):
                call["index"] = at


class CallList:
    """The tool calls of one choice, assembled from the fragments of its deltas: each call is
    appended to ``calls`` when it begins.

    A new id at a used index is a new call: Ollama gave all parallel calls the index 0 (ollama
    15457). But only with a name, which every call must have: otherwise it continues the call, under
    an id that was made for the fragment. A fragment without an index belongs to the call with its
    id. One without either continues the call before it, unless it has the name of a further call.

    ``declared`` are the functions of the request, by the node's names. Some servers split those of
    Gemini's models (continue 5849): before the arguments begin, another name at a call's index
    continues its name if this makes a declared one, or the beginning of one. If both are declared,
    it is a further call. Without declared functions the first name counts.
    """

    __slots__ = ("_calls", "_current", "_declared", "_held", "_ids", "_latest", "_next")

    def __init__(self, calls: list[ToolCall], declared: tuple[str, ...] = ()) -> None:
        self._calls = calls
        self._declared = declared
        self._current: dict[int, ToolCall] = {}
        self._ids: dict[str, ToolCall] = {}
        #: The call to which the last fragment belonged.
        self._latest: ToolCall | None = None
        self._held = 0
        #: An index that is greater than all so far.
        self._next = 0

    def add(self, fragment: Any) -> tuple[ToolCall, str] | None:
        """Take one entry of ``delta.tool_calls``; return its call, and the piece of arguments in
        it."""
        if not isinstance(fragment, dict):
            return None
        function = fragment.get("function")
        function = function if isinstance(function, dict) else {}
        name = text_or_blank(function.get("name"))
        if name.isspace():
            name = ""
        piece = function.get("arguments")
        if isinstance(piece, dict):  # TGI before 3: a whole object
            piece = write_arguments(piece)
        if not isinstance(piece, str):
            piece = ""
        ident = text_or_blank(fragment.get("id"))
        call = self._find(fragment.get("index"), ident, name, piece)
        self._latest = call
        if name and not call.is_named and not call.pieces:
            call.name = self._grown(call.name, name)
            call.is_named = self._is_final(call.name)
        elif not call.name:
            call.name = name
        if piece:
            call.add(piece)
            self._held += len(piece)
            if self._held > MAX_HELD_BYTES:
                raise StreamBroken("sent a tool call that is too large")
        return call, piece

    def _find(self, index: Any, ident: str, name: str, piece: str) -> ToolCall:
        if not isinstance(index, int) or isinstance(index, bool):
            known = self._ids.get(ident) if ident else self._continued(name, piece)
            if known is not None and not self._is_further(known, ident, name):
                return known
            index = self._next
        call = self._current.get(index)
        if call is None or self._is_further(call, ident, name):
            if len(self._calls) >= MAX_CALLS:
                raise StreamBroken("sent too many tool calls")
            call = self._current[index] = ToolCall(index)
            self._next = max(self._next, index + 1)
            self._calls.append(call)
        if ident and not call.id:
            call.id = ident
            self._ids[ident] = call
        return call

    def _is_further(self, call: ToolCall, ident: str, name: str) -> bool:
        """Whether a fragment with the index or the id of ``call`` begins another call."""
        if not name:
            return False
        if ident and call.id and ident != call.id:
            return True
        both = name in self._declared and call.name in self._declared
        return both and name != call.name and not call.pieces

    def _grown(self, name: str, more: str) -> str:
        """A call's name after ``more`` of it: the next piece, or all so far, or a correction."""
        joined = more if more.startswith(name) else name + more
        if any(one.startswith(joined) for one in self._declared):
            return joined
        return more if not name or more in self._declared else name

    def _is_final(self, name: str) -> bool:
        """Whether no further piece of a name can follow."""
        longer = [one for one in self._declared if one.startswith(name)]
        return not self._declared or (bool(longer) and all(one == name for one in longer))

    def _continued(self, name: str, piece: str) -> ToolCall | None:
        """The call that a fragment with neither index nor id continues; None if it begins one. Some
        servers repeat the name in each fragment of a call, also in a last one without arguments."""
        call = self._latest
        if call is None or not name or not call.name:
            return call
        if name != call.name:
            return None
        # An object right after an object is in no arguments, except within a text.
        follows = (
            piece.lstrip().startswith("{") and call.pieces[-1:] and call.pieces[-1].endswith("}")
        )
        return None if follows and call.is_whole() else call


class UsageTally:
    """Adds up the usage that a stream reports.

    Counts beside choices are running totals, so the last ones count. Counts without choices:
    llama-server sends one for each choice, the first in the middle of the stream (recorded), so as
    many as there are choices are summed, with the prompt counted once.
    """

    __slots__ = ("_alone", "_running")

    def __init__(self) -> None:
        self._running: Usage | None = None
        self._alone: list[Usage] = []

    def take(self, counts: Any, *, alone: bool) -> None:
        if isinstance(counts, dict):
            usage = read_usage(counts)
            if alone:
                self._alone.append(usage)
            else:
                self._running = usage

    def total(self, choices: int) -> Usage:
        if not self._alone:
            return self._running or _NOT_COUNTED
        last = self._alone[-1]
        if choices < 2 or len(self._alone) != choices:
            return last
        return Usage(
            last.prompt,
            _sum([one.output for one in self._alone]),
            last.cached,
            _sum([one.thoughts for one in self._alone]),
        )


def read_usage(counts: dict[str, Any]) -> Usage:
    """``output`` includes ``thoughts``. SGLang puts the details into separate fields."""
    return Usage(
        read_count(counts.get("prompt_tokens")),
        read_count(counts.get("completion_tokens")),
        _detail(counts, "prompt_tokens_details", "cached_tokens"),
        _detail(counts, "completion_tokens_details", "reasoning_tokens")
        or read_count(counts.get("reasoning_tokens"))
        or None,
    )


def _detail(counts: dict[str, Any], group: str, name: str) -> int | None:
    details = counts.get(group)
    return read_count(details.get(name)) if isinstance(details, dict) else None


def _sum(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return read_count(sum(known)) if known else None
