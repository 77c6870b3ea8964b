"""How an exchange ended, and the facts that are told about it: once, in the access log."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from casedesk_proxy.errors import Busy, ProxyError, UpstreamFault, UpstreamTimeout
from casedesk_proxy.terms import Usage

__all__ = ["Outcome", "Phase", "Terminal", "terminal_of"]


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
    #: The request was answered with a client error of ours, no node asked.
    REFUSED = "refused"
    #: No node had a free slot in time.
    BUSY = "busy"
    #: No node could be reached or gave a reply that can be relayed.
    NODE_UNAVAILABLE = "node_unavailable"
    #: The daemon was stopped before the stream's end.
    SHUT_DOWN = "shut_down"
    #: A bug of ours; the traceback is in the error log.
    FAILED = "failed"


def terminal_of(error: ProxyError) -> Terminal:
    """How an exchange ends that is answered with ``error`` instead of a node's reply."""
    if isinstance(error, Busy):
        return Terminal.BUSY
    if isinstance(error, UpstreamTimeout):
        return Terminal.TIMED_OUT
    if isinstance(error, UpstreamFault):
        return Terminal.NODE_UNAVAILABLE
    return Terminal.REFUSED


class Phase(StrEnum):
    """Where an exchange stands that has not ended."""

    #: Its request comes in and is planned.
    ARRIVING = "arriving"
    #: It waits for a slot at a node.
    QUEUED = "queued"
    #: A node has it and has not replied yet: connecting, loading a model, processing the prompt.
    WAITING = "waiting"
    #: The reply flows.
    STREAMING = "streaming"


@dataclass(slots=True, eq=False)
class Outcome:
    """What one exchange came to. Times are seconds of a monotonic clock, None where not reached.

    ``received`` counts the request body's bytes, ``sent`` the reply body's as they stood on the
    wire (chunk framing included), ``events`` the pieces in which the node sent it; ``code`` is
    the error's machine code, if any; ``terminal`` is FAILED for as long as nothing better is
    known; ``dropped`` what a transposed request had to leave out.
    ``overhead`` is our own time up to the node's request, ``cancel`` what passed from an early
    leaving of the client to the close of its node connection, both in seconds. ``attempts``
    counts the nodes that were asked; ``tried`` names those that failed, as ``node:why``;
    ``queued`` are the seconds spent waiting for a slot.
    """

    request_id: str
    started: float
    method: str = ""
    target: str = ""
    surface: str = ""
    action: str = ""
    deployment: str = ""
    token: str = ""
    asked: str = ""
    model: str = ""
    node: str = ""
    attempts: int = 0
    tried: tuple[str, ...] = ()
    queued: float = 0.0
    phase: Phase = Phase.ARRIVING
    status: int = 0
    terminal: Terminal = Terminal.FAILED
    code: str = ""
    overhead: float | None = None
    cancel: float | None = None
    first_byte: float | None = None
    ended: float = 0.0
    received: int = 0
    sent: int = 0
    events: int = 0
    usage: Usage = field(default_factory=Usage)
    dropped: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """The log line's fields in reading order; empty ones left out. Durations in seconds."""
        waited = None if self.first_byte is None else round(self.first_byte - self.started, 6)
        facts = {
            "id": self.request_id,
            "deployment": self.deployment,
            "token": self.token,
            "surface": self.surface,
            "action": self.action,
            "asked": self.asked if self.asked != self.model else "",
            "model": self.model,
            "node": self.node,
            "attempts": self.attempts if self.attempts > 1 else 0,
            "tried": ",".join(self.tried),
            "queued": round(self.queued, 6) or None,
            "status": self.status,
            "end": str(self.terminal),
            "code": self.code,
            "ttfb": waited,
            "duration": round(self.ended - self.started, 6),
            "bytes_in": self.received,
            "bytes_out": self.sent,
            "events": self.events,
            "dropped": ",".join(self.dropped),
            "prompt_tokens": self.usage.prompt,
            "output_tokens": self.usage.output,
            "cached_tokens": self.usage.cached,
            "thought_tokens": self.usage.thoughts,
            "method": "" if self.action else self.method,
            "target": "" if self.action else self.target,
        }
        empty = ("", None)
        return {
            name: value
            for name, value in facts.items()
            if value not in empty and (value or name not in ("attempts", "events", "bytes_in"))
        }
