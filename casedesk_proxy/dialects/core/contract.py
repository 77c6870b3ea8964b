"""What every pair of client and node offers: a request made over, and a translator for its reply.

    transpose(call, body, context) → Transposed | Answered
        raises BadRequest, Unsupported, or TooDeep where the body cannot be written any more

Nothing here knows HTTP framing, connections or time. A translator is made for one request; it
belongs to the pair and the request, not to the node's engine, so it outlives a change of node
before the reply's first byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from casedesk_proxy.engines.limits import ANYTHING, Limits, fit_profile
from casedesk_proxy.engines.profile import Profile
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import ProxyError
from casedesk_proxy.terms import Call, Control, Position, RawHeaders, Usage

__all__ = ["Answered", "Context", "Question", "Translator", "Transpose", "Transposed"]


@dataclass(frozen=True, slots=True)
class Context:
    """What transposing needs to know beyond the call and its body.

    ``model`` is the node's name of the model, ``asked`` the client's. ``request_id`` stands in
    for ids that a node leaves out. ``client`` is the value of ``x-goog-api-client``, or of
    ``user-agent`` where that is missing: a few clients need a profile of their own.
    ``output_limit`` is what the model may write, where a protocol demands a limit and the
    client gave none. ``prompt_tokens`` is the prompt's size where it was counted beforehand.
    """

    model: str
    asked: str
    engine: EngineSpec
    request_id: str
    client: str = ""
    refuse_unknown: bool = True
    #: Tools that no node has are refused instead of left out with a warning.
    refuse_tools: bool = False
    #: Seconds since 1970, for replies that say when they were made.
    now: float = 0.0
    output_limit: int | None = None
    prompt_tokens: int | None = None
    #: Ask the node's tokenizer beside a stream whose beginning tells the prompt's size.
    count_prompt: bool = False
    #: Templates such as Gemma's know no system role: put its text before the first user turn.
    fold_system: bool = False
    #: Templates such as Qwen's take a system message only at the very beginning.
    system_first: bool = False
    #: What the model cannot take of what its engine can.
    limits: Limits = ANYTHING

    @property
    def profile(self) -> Profile:
        """What the engine takes with this model."""
        return fit_profile(self.engine, self.limits)


class Translator(Protocol):
    """The node's reply made the client's, one request long.

    ``feed`` takes body bytes of a 2xx reply as they arrive and gives the body bytes now due to
    the client, b"" when none are. ``finish`` is called once, when the node's reply has ended
    as its framing promised, and gives the rest: the last chunk, or all of a unary body, which comes
    in pieces where it is too large to be put together. Both raise
    StreamBroken when the node's reply is not what it should be: garbled, an error inside the
    stream, ended without a finish reason. An end is never invented. After a raise only
    ``halt`` may be called.

    ``halt`` is called where the reply breaks: it gives the body bytes that were due before, and
    where the client's body stands behind them, so that an error can be placed. ``keepalive`` is a
    sign of life for a silent stream, b"" where none is safe; it may come before the first
    ``feed``.

    ``refuse`` judges a reply of any other status: it returns the error for the client, in our
    words, without what the node's text may tell of its machine.
    """

    @property
    def content_type(self) -> str:
        """Of the client's reply, e.g. ``text/event-stream``."""

    @property
    def usage(self) -> Usage:
        """What the node has told so far."""

    @property
    def complete(self) -> bool:
        """The client has, or gets with what is returned, all of the reply's content and its
        closing event; not before that is written. What the node does from here on is of no matter,
        and ``finish`` will not raise. The relay may let go of the node."""

    def feed(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes | tuple[bytes, ...]: ...

    def halt(self) -> tuple[bytes, Position]: ...

    def keepalive(self) -> bytes: ...

    def refuse(self, status: int, headers: RawHeaders, body: bytes) -> ProxyError: ...


@dataclass(frozen=True, slots=True)
class Question:
    """Something to ask the node beside the request: POST ``body`` to ``path``.

    The translator is better off for the answer, but does without it. ``take`` is given the body
    of a reply with status 200 and raises nothing.
    """

    path: str
    body: bytes
    take: Callable[[bytes], None]


@dataclass(frozen=True, slots=True)
class Transposed:
    """A request for the node: POST ``body``, JSON, to ``path`` below the node's base.

    ``streams`` tells that the node was asked for a stream, whatever the client gets.
    ``headers`` are for the client's reply, e.g. that a count is an estimate. ``dropped`` names
    what was left out although it was asked for, harmless but worth a warning. ``controls`` are
    those of thinking that it holds, each with the field that says it.
    """

    path: str
    body: bytes
    streams: bool
    translator: Translator
    headers: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, ...] = field(default=())
    question: Question | None = None
    controls: Mapping[Control, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply that needs no node: JSON, status 200."""

    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


#: Raises BadRequest or Unsupported, naming every offending path, before any node is called;
#: TooDeep for a body nested deeper than JSON can be written.
Transpose = Callable[[Call, dict[str, Any], Context], Transposed | Answered]
