"""A reply as every node protocol is read and every client protocol written.

A reader belongs to the node's protocol. It takes the node's events and tells a writer what is in
them: texts, thoughts, calls, finishes and, once, the end. A writer belongs to the client's
protocol and keeps the bytes that are due until they are taken. Neither knows the other's protocol,
so that a new client protocol needs a writer, and a new node protocol a reader, and no more.
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

    #: The model was done. The calls themselves show whether it calls functions; this does not.
    STOP = "stop"
    #: It met a stop string, by a node that tells this from its own end.
    STOP_SEQUENCE = "stop_sequence"
    LENGTH = "length"
    FILTER = "content_filter"
    #: The model itself would not answer, by a node that tells this from a filter.
    REFUSAL = "refusal"
    #: vLLM's detection, where the request asked for one, found the model to repeat itself: the
    #: text is all that there will be, but it is not a natural end.
    REPETITION = "repetition"
    #: Anthropic's ends of a turn that the client is to continue.
    PAUSE = "pause"


class ReplyChoice:
    """One answer of a reply, as far as it has come; most replies have one.

    ``calls`` are its tool calls in order of arrival. ``matched`` is what a node says of the stop
    string that was met, of any type. ``refused``: part of it was told as a refusal. ``legacy``: its
    call came as OpenAI's ``function_call``, which has no id.
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
    """A client's reply. ``take`` gives the bytes now due, ``close`` the last ones.

    ``begin`` tells what the node says of the reply as such; it may come again, until ``answers``
    says that a choice comes with it. ``last``: the text's choice has finished with it. ``call`` is
    called for every piece of a call, "" for one without arguments. ``finish`` tells that a choice
    has got its ``finish``, ``end`` that all have and that the usage is known; both may raise
    StreamBroken where the client's protocol has no word for it.

    ``repeats`` says whether more text of a choice needs nothing but to be written. Then ``more``
    may follow until anything else does: text as the JSON of a string that may stand on a
    stream's line, for which it gives the bytes due.

    ``keepalive`` fits the position at any time before ``end``; ``halt`` gives what is due and says
    what the position is, for an error behind it.
    """

    content_type: str

    def choice(self, index: int) -> ChoiceT:
        """Called once for each index, before anything else about it."""

    def begin(self, model: Any, ident: Any, usage: Usage, *, answers: bool) -> None: ...

    def text(self, choice: ChoiceT, text: str, *, last: bool = False) -> None: ...

    def thought(self, choice: ChoiceT, text: str) -> None: ...

    def call(self, choice: ChoiceT, call: ToolCall, piece: str) -> None: ...

    def log(self, choice: ChoiceT, tokens: list[Any]) -> None:
        """Log probabilities of the tokens that come next, in OpenAI's shape."""

    def finish(self, choice: ChoiceT) -> None: ...

    def end(self, choices: list[ChoiceT], usage: Usage) -> None: ...

    def repeats(self, choice: ChoiceT) -> bool: ...

    def more(self, text: bytes) -> bytes: ...

    def take(self) -> bytes: ...

    def close(self) -> bytes: ...

    def keepalive(self) -> bytes: ...

    def halt(self) -> tuple[bytes, Position]: ...


class ReplyReader(Protocol[ReadT_co]):
    """A node's reply, told to a writer. All but ``usage`` raise StreamBroken; see Translator."""

    #: The writer has been told the end; no more is taken.
    ended: bool

    @property
    def usage(self) -> Usage: ...

    def take(self, event: Event, learns: bool) -> ReadT_co | None:
        """``learns``: give the choice of an event that did nothing but add text to it, and whose
        like would do no more."""

    def take_body(self, document: dict[str, Any]) -> None:
        """A node that answers with one JSON body; ``end`` is called at its end."""

    def end(self) -> None:
        """The node's reply has ended."""
