"""How a reply ends for its client: one table.

What the client is told, and how it is parted with, by where the reply stands:

====================  ===================  ==========================  ====================
the reply stands      events (SSE)         array, unary                the client's connection
====================  ===================  ==========================  ====================
nothing was sent      a plain error reply  a plain error reply         stays
between events,       error event          error element, behind a     FIN, no end of the
between elements                           comma if one is due         message
array not opened      –                    bracket, error element      FIN, no end
event begun by a      the rest of an       –                           FIN, no end
keep-alive            error event
inside an event       nothing; bare: the   nothing                     FIN, no end; bare: RST
or an element         event is ended, then
                      the error event
in one JSON body      –                    nothing                     FIN, no end; bare: RST
complete              –                    –                           stays
the client left       nothing              nothing                     dropped; bare: RST
====================  ===================  ==========================  ====================

Lines of JSON (Ollama's) are as events, an error a line.

``bare`` is a client without framing (HTTP/1.0), which takes a FIN for the message's proper end:
where nothing can be told, a reset is all that tells of the break. To any other, a FIN without the
message's end is what every SDK notices (measured), and the error says why. A reset would overtake
that error on its way. An error never stands inside an event or an element. Codex alone shows the
error only of a message that has its end (see ``end_behind``), and takes none for complete without
the protocol's own last event.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.surfaces import anthropic, gemini, ollama, openai, responses
from casedesk_proxy.terms import Dialect, Position, RawHeaders
from casedesk_proxy.usage.tap import Tap
from casedesk_proxy.wire.chunked import LAST_CHUNK
from casedesk_proxy.wire.http1 import header
from casedesk_proxy.wire.jsonarray import ArrayScanner, ArrayTooLarge, NotAnArray

__all__ = [
    "ArrayTap",
    "Form",
    "Parting",
    "drop",
    "end_behind",
    "part",
    "place_error",
    "position_of",
]


class Form(Enum):
    """What a body consists of."""

    EVENTS = "events"
    #: A document a line.
    LINES = "lines"
    #: Laid out by the node.
    ARRAY = "array"
    #: Laid out by a translator, as Google does.
    OWN_ARRAY = "own array"
    #: One document, or what is none of these.
    UNARY = "unary"


class Parting(Enum):
    """What happens to the client's connection."""

    #: It may carry another request.
    KEEP = "keep"
    #: Closed behind what was sent, by a FIN.
    CLOSE = "close"
    #: Closed at once, what is unsent is dropped.
    ABORT = "abort"
    #: The same by an RST.
    RESET = "reset"


_FRAMES: dict[Dialect, Callable[[ProxyError], bytes]] = {
    Dialect.GEMINI: gemini.error_frame,
    Dialect.ANTHROPIC: anthropic.error_frame,
    Dialect.OPENAI: openai.error_frame,
}
#: What has to stand before an error there; no row: it has no place.
_BEFORE: dict[tuple[Form, Position], bytes] = {
    (Form.EVENTS, Position.BETWEEN): b"",
    (Form.LINES, Position.BETWEEN): b"",
    (Form.ARRAY, Position.UNOPENED): b"[",
    (Form.ARRAY, Position.OPENED): b"",
    (Form.ARRAY, Position.BETWEEN): b",",
    (Form.OWN_ARRAY, Position.UNOPENED): b"[",
    (Form.OWN_ARRAY, Position.OPENED): b"",
    (Form.OWN_ARRAY, Position.BETWEEN): b"\n,\r\n",
    (Form.EVENTS, Position.BEGUN): b"",
}
#: The same for a client to whom the connection's end is the message's, so that the error is all
#: that tells of the break: an event that was cut is ended first.
_BEFORE_BARE = _BEFORE | {
    (Form.EVENTS, Position.INSIDE): b"\n\n",
    (Form.LINES, Position.INSIDE): b"\n",
}
_EVENT_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")


def place_error(
    surface: Dialect,
    form: Form,
    position: Position,
    error: ProxyError,
    *,
    bare: bool = False,
    first: bytes = b"",
    last: bytes = b"",
) -> bytes:
    """Body bytes that tell of ``error``; empty where it has no place. ``first`` and ``last``: of a
    body that has begun, to which the last event of Responses refers."""
    before = (_BEFORE_BARE if bare else _BEFORE).get((form, position))
    if before is None:
        return b""
    if form is Form.LINES:
        return before + ollama.error_frame(error)
    if form is not Form.EVENTS:
        return before + gemini.error_element(error)
    if surface is Dialect.RESPONSES:
        return before + responses.error_frame(error, first, last)
    frame = _FRAMES[surface](error)
    return frame.removeprefix(b"data: ") if position is Position.BEGUN else before + frame


def end_behind(surface: Dialect, headers: RawHeaders) -> bytes:
    """What ends the message behind an error that it tells, mostly nothing. ``headers`` are the
    client's. Of a message without its end Codex (0.171, measured) shows that alone; of one
    with it, why it failed, since its last event is ``response.failed``."""
    if surface is not Dialect.RESPONSES:
        return b""
    client = header(headers, b"user-agent") or b""
    return LAST_CHUNK if client.startswith(b"codex") else b""


def part(*, bare: bool, shown: bool) -> Parting:
    """How a client is parted with whose reply was cut; ``shown``: that stands in the reply."""
    return Parting.RESET if bare and not shown else Parting.CLOSE


def drop(*, bare: bool) -> Parting:
    """How a client is parted with that has left, or hears nothing any more."""
    return Parting.RESET if bare else Parting.ABORT


class ArrayTap(Tap):
    """A tap that knows where a streamed JSON array stands. It has to see every byte, which event
    streams, told apart by their tail, need not."""

    __slots__ = ("_scanner",)

    def __init__(self) -> None:
        super().__init__()
        self._scanner: ArrayScanner | None = ArrayScanner()

    def take(self, payload: bytes) -> None:
        super().take(payload)
        if self._scanner is not None:
            try:
                self._scanner.feed(payload)
            except (NotAnArray, ArrayTooLarge):
                self._scanner = None

    @property
    def position(self) -> Position:
        scanner = self._scanner
        if scanner is None:
            return Position.INSIDE
        if not scanner.begun:
            return Position.UNOPENED
        if not scanner.at_boundary:
            return Position.INSIDE
        return Position.BETWEEN if scanner.separator else Position.OPENED


def position_of(form: Form, tap: Tap) -> Position:
    """Where a body stands of which ``tap`` has seen the end, or, of an array, all."""
    if isinstance(tap, ArrayTap):
        return tap.position
    if form is Form.LINES:
        whole = not tap.last or tap.last.endswith(b"\n")
        return Position.BETWEEN if whole else Position.INSIDE
    between = form is Form.EVENTS and (not tap.last or tap.last.endswith(_EVENT_ENDS))
    return Position.BETWEEN if between else Position.INSIDE
