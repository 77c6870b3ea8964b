"""The interfaces between the reader of a node's protocol and the writer of a client's protocol.

A reader takes the node's events and passes their content to a writer: texts, thoughts, calls,
finishes and, once, the end. A writer holds the bytes for the client until they are taken. Neither
knows the other's protocol, so a new client protocol needs only a writer, and a new node protocol
only a reader.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol, TypeVar

from casedesk_proxy.dialects.core.calls import ToolCall
from casedesk_proxy.terms import Position, Usage
from casedesk_proxy.wire.sse import Event

__all__ = ["ChoiceT", "Finish", "ReplyChoice", "ReplyReader", "ReplyWriter"]


class Finish(StrEnum):
    """How an answer ended."""

    #: The model was done. The calls themselves show whether it calls functions; this reason does
    #: not.
    STOP = "stop"
    #: The model wrote a stop string, reported by a node that distinguishes this from a natural end.
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    FILTER = "content_filter"
    #: The model itself refused to answer, reported by a node that distinguishes this from a filter.
    REFUSAL = "refusal"
    #: vLLM's detection, if the request asked for it, found that the model repeats itself: the text
    #: is complete, but this is not a natural end.
    REPETITION = "repetition"
    #: Anthropic's reason for a turn that the client must continue.
    PAUSE = "pause"


class ReplyChoice:
    """One answer of a reply, as far as it has arrived; most replies have one.

    ``calls`` are its tool calls in order of arrival. ``matched`` is what the node reported about
    the stop string that was found, of any type. ``refused``: part of it came as a refusal.
    ``legacy``: its call came as OpenAI's ``function_call``, which has no id.
    """

    __slots__ = ("calls", "finish", "index", "legacy", "matched", "refused")

    def __init__(self, index: int) -> None:
        self.index = index
        self.calls: list[ToolCall] = []
        self.finish: Finish | None = None
        self.matched: Any = None
        self.refused = False
        self.legacy = False


ChoiceT = TypeVar("ChoiceT", bound=ReplyChoice)
ReadT_co = TypeVar("ReadT_co", bound=ReplyChoice, covariant=True)


class ReplyWriter(Protocol[ChoiceT]):
    """Writes a client's reply. ``take`` returns the bytes that are now due, ``close`` the last
    ones.

    ``begin`` takes what the node reports about the whole reply; it may be called again until
    ``answers`` says that a choice comes with it. ``last``: this is the last text of the choice.
    ``call`` is called for every piece of a call, with "" for a call without arguments. ``finish``:
    a choice has got its ``finish``. ``end``: all choices have, and the usage is known. Both may
    raise StreamBroken if the client's protocol cannot express it.

    ``repeats``: whether more text of a choice only needs to be written. Then ``more`` may follow,
    until any other call: it takes text as a JSON string that is valid on a stream's line, and
    returns the bytes that are due.

    ``keepalive`` fits the position at any time before ``end``; ``halt`` returns what is due and the
    position, for an error after it.
    """

    content_type: str

    def choice(self, index: int) -> ChoiceT:
        """Called once for each index, before any other call about it."""

    def begin(self, model: Any, ident: Any, usage: Usage, *, answers: bool) -> None: ...

    def text(self, choice: ChoiceT, text: str, *, last: bool = False) -> None: ...

    def thought(self, choice: ChoiceT, text: str) -> None: ...

    def call(self, choice: ChoiceT, call: ToolCall, piece: str) -> None: ...

    def log(self, choice: ChoiceT, tokens: list[Any]) -> None:
        """Log probabilities of the next tokens, in OpenAI's form."""

    def finish(self, choice: ChoiceT) -> None: ...

    def end(self, choices: list[ChoiceT], usage: Usage) -> None: ...

    def repeats(self, choice: ChoiceT) -> bool: ...

    def more(self, text: bytes) -> bytes: ...

    def take(self) -> bytes: ...

    def close(self) -> bytes: ...

    def keepalive(self) -> bytes: ...

    def halt(self) -> tuple[bytes, Position]: ...


class ReplyReader(Protocol[ReadT_co]):
    """Reads a node's reply and passes it to a writer. All but ``usage`` raise StreamBroken; see
    Translator."""

    #: ``end`` of the writer was called; nothing more is read.
    ended: bool

    @property
    def usage(self) -> Usage: ...

    def take(self, event: Event, learns: bool) -> ReadT_co | None:
        """``learns``: return the choice of an event that only added text to it, if similar events
        would do the same."""

    def take_body(self, document: dict[str, Any]) -> None:
        """For a node that answers with one JSON body; ``end`` is called at its end."""

    def end(self) -> None:
        """The node's reply has ended."""
