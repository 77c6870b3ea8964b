"""How an exchange ended, and its facts for the access log."""

from __future__ import annotations

from dataclasses import fields
from enum import StrEnum
from operator import attrgetter
from typing import Any

from casedesk_proxy.errors import Busy, ProxyError, StreamBroken, UpstreamFault, UpstreamTimeout
from casedesk_proxy.terms import Usage, record
from casedesk_proxy.wording import MAX_PATH_CHARS, bounded

__all__ = [
    "GAVE_UP",
    "NAMES",
    "CallFacts",
    "Delivered",
    "ExchangeRecord",
    "Phase",
    "PlanFacts",
    "ReplyFacts",
    "Terminal",
    "terminal_of",
]


#: The first fields of a log line, after the id.
NAMES = ("deployment", "key", "surface", "action", "asked", "model", "node")


#: How many paths of dropped fields a log line contains.
_MAX_LISTED_PATHS = 50


NO_USAGE = Usage()
#: The error for a reply in which its node reports that it did not finish.
GAVE_UP = StreamBroken("stopped before its answer was complete")


class Terminal(StrEnum):
    """Every exchange ends in exactly one of these."""

    #: A whole reply went to the client: a node's, whatever its status, or a list of models.
    COMPLETED = "completed"
    #: The client closed before its reply was complete.
    CLIENT_GONE = "client_gone"
    #: The client did not close but stopped reading for longer than client_stall_timeout.
    CLIENT_STALLED = "client_stalled"
    #: The node closed, reset or garbled its reply after the first byte had gone to the client.
    NODE_BROKE = "node_broke"
    #: The node was silent for longer than a configured timeout.
    TIMED_OUT = "timed_out"
    #: The request was answered with a client error of ours; no node was asked.
    REFUSED = "refused"
    #: No node had a free slot in time.
    BUSY = "busy"
    #: No node could be reached, sent a reply that can be relayed, accepted our key or had the
    #: model.
    NODE_UNAVAILABLE = "node_unavailable"
    #: The daemon was stopped before the stream's end.
    SHUT_DOWN = "shut_down"
    #: A user ended it in the console.
    CANCELLED = "cancelled"
    #: An internal error; the traceback is in the error log.
    FAILED = "failed"


def terminal_of(error: ProxyError) -> Terminal:
    """The end of an exchange that is answered with ``error`` in place of a node's reply."""
    if isinstance(error, Busy):
        return Terminal.BUSY
    if isinstance(error, UpstreamTimeout):
        return Terminal.TIMED_OUT
    if isinstance(error, UpstreamFault):
        return Terminal.NODE_UNAVAILABLE
    return Terminal.REFUSED


class Phase(StrEnum):
    """The phase of an exchange that has not ended."""

    #: Its request is being read and planned.
    ARRIVING = "arriving"
    #: It waits for a slot at a node.
    QUEUED = "queued"
    #: A node has it and has not replied yet: it connects, loads a model, or processes the prompt.
    WAITING = "waiting"
    #: The reply is being sent.
    STREAMING = "streaming"


@record
class CallFacts:
    """The facts in the head of a request: whose it is and what it asks for, as far as known."""

    surface: str
    action: str = ""
    key: str = ""
    deployment: str = ""


@record
class PlanFacts:
    """The facts of the first plan: the requested model, the node's name of it, and our own time up
    to the node's request, in seconds."""

    asked: str = ""
    model: str = ""
    overhead: float | None = None


@record
class ReplyFacts:
    """What a client received. ``status`` is 0 if nothing was sent; ``sent`` counts the body's bytes
    as on the wire (chunk framing included), ``events`` the pieces in which a node sent it; ``code``
    is the error's machine code, if any, ``reason`` the same for people."""

    status: int = 0
    terminal: Terminal = Terminal.FAILED
    code: str = ""
    reason: str = ""
    first_byte: float | None = None
    sent: int = 0
    events: int = 0
    usage: Usage = NO_USAGE


@record
class Delivered:
    """A reply that has ended. ``fault`` is the error to answer with if nothing of it was sent;
    ``keep_alive``: the client's connection stays open."""

    facts: ReplyFacts
    keep_alive: bool
    fault: ProxyError | None = None


@record
class ExchangeRecord:
    """The result of one exchange: the facts that its stages returned, collected once at its end and
    never changed. Times are seconds of a monotonic clock, None if not reached.

    ``client`` is the client's address; ``received`` counts the request body's bytes; ``dropped``
    names what a translated request had to leave out. ``cancel`` is the time in seconds from an
    early leaving of the client to the close of its node connection. ``attempts`` counts the nodes
    that were asked; ``tried`` names those that failed, each with the reason; ``queued`` is the time
    in seconds spent waiting for a slot. ``summed_up``: one log line reports this exchange and
    others like it. ``repeats`` counts the attempts that only left out a control of thinking.
    ``text_size`` is ``received`` for a long request with only text, else 0; ``cut_to`` the tokens
    to which its node cut the prompt without an error. The others: see `CallFacts`, `PlanFacts`,
    `ReplyFacts`.
    """

    request_id: str
    started: float
    method: str = ""
    target: str = ""
    client: str = ""
    received: int = 0
    dropped: tuple[str, ...] = ()
    summed_up: bool = False
    text_size: int = 0
    # CallFacts, in its order; below the others, in theirs.
    surface: str = ""
    action: str = ""
    key: str = ""
    deployment: str = ""
    # PlanFacts.
    asked: str = ""
    model: str = ""
    overhead: float | None = None
    # Of the attempts at nodes.
    node: str = ""
    attempts: int = 0
    tried: tuple[tuple[str, str], ...] = ()
    queued: float = 0.0
    repeats: int = 0
    # ReplyFacts.
    status: int = 0
    terminal: Terminal = Terminal.FAILED
    code: str = ""
    reason: str = ""
    first_byte: float | None = None
    sent: int = 0
    events: int = 0
    usage: Usage = NO_USAGE
    # Its end.
    ended: float = 0.0
    cancel: float | None = None
    cut_to: int | None = None

    def with_usage(self, usage: Usage) -> ExchangeRecord:
        """The record with these counts: `dataclasses.replace` takes ten times as long for so many
        fields."""
        values = list(_VALUES(self))
        values[_USAGE_PLACE] = usage
        return ExchangeRecord(*values)

    def facts(self) -> dict[str, Any]:
        """The log line's fields in reading order, without empty ones. Durations in seconds."""
        facts: dict[str, Any] = {"id": self.request_id}
        if self.client:
            facts["client"] = self.client
        for name in NAMES:
            if text := getattr(self, name):
                facts[name] = text
        if self.asked == self.model:
            facts.pop("asked", None)
        if self.attempts > 1:
            facts["attempts"] = self.attempts
        if self.tried:
            facts["tried"] = ",".join(f"{node}:{why}" for node, why in self.tried)
        if self.queued:
            facts["queued"] = round(self.queued, 6)
        facts["status"] = self.status
        facts["end"] = self.terminal.value
        if self.code:
            facts["code"] = self.code
        if self.reason:
            facts["reason"] = self.reason
        if self.first_byte is not None:
            facts["ttfb"] = round(self.first_byte - self.started, 6)
        facts["duration"] = round(self.ended - self.started, 6)
        if self.received:
            facts["bytes_in"] = self.received
        facts["bytes_out"] = self.sent
        if self.events:
            facts["events"] = self.events
        if self.dropped:
            facts["dropped"] = _listed(self.dropped)
        self._add_usage(facts)
        if self.cut_to is not None:
            facts["cut_to"] = self.cut_to
        if not self.action:
            facts |= {n: v for n, v in (("method", self.method), ("target", self.target)) if v}
        return facts

    def _add_usage(self, facts: dict[str, Any]) -> None:
        usage = self.usage
        if usage.prompt is not None:
            facts["prompt_tokens"] = usage.prompt
        if usage.output is not None:
            facts["output_tokens"] = usage.output
        if usage.cached is not None:
            facts["cached_tokens"] = usage.cached
        if usage.thoughts is not None:
            facts["thought_tokens"] = usage.thoughts
        if usage.estimated:
            facts["estimated"] = "true"


_FIELDS = [field.name for field in fields(ExchangeRecord)]
_VALUES, _USAGE_PLACE = attrgetter(*_FIELDS), _FIELDS.index("usage")


def _listed(paths: tuple[str, ...]) -> str:
    """A body's field names are chosen by its client, so their number and length are limited."""
    listed = [bounded(path, MAX_PATH_CHARS) for path in paths[:_MAX_LISTED_PATHS]]
    if len(paths) > _MAX_LISTED_PATHS:
        listed.append(f"and {len(paths) - _MAX_LISTED_PATHS} more")
    return ",".join(listed)
