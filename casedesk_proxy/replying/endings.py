"""How a reply ends for its client: one table.

Which error the client gets, and how its connection ends, by the position in the reply:

====================  ===================  ==========================  ====================
position              events (SSE)         array, unary                the client's connection
====================  ===================  ==========================  ====================
nothing was sent      a plain error reply  a plain error reply         stays
between events,       error event          error element, after a      FIN, no end of the
between elements                           comma if one is due         message
array not opened      –                    bracket, error element      FIN, no end
event begun by a      the rest of an       –                           FIN, no end
keepalive             error event
inside an event       nothing; bare: the   nothing                     FIN, no end; bare: RST
or an element         event is ended, then
                      the error event
in one JSON body      –                    nothing                     FIN, no end; bare: RST
complete              –                    –                           stays
the client left       nothing              nothing                     dropped; bare: RST
====================  ===================  ==========================  ====================

Lines of JSON (Ollama's) are treated like events; an error is one line.

``bare`` is a client without framing (HTTP/1.0), which reads a FIN as the message's regular end. If
no error can be sent to it, only a reset shows that the reply broke. For any other client the
connection ends with a FIN without the message's end: every SDK notices that
(`tests/server/test_sdk_failures.py`), and the error says why. A reset could arrive before that
error. An error is never sent inside an event or an element. A few clients need the message's end
after the error (see ``end_behind``). They treat a message as complete only if it has the protocol's
own last event.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.surfaces import anthropic, gemini, ollama, openai, responses
from casedesk_proxy.terms import Dialect, Framing, Position, RawHeaders
from casedesk_proxy.wire.chunked import LAST_CHUNK, frame_chunk
from casedesk_proxy.wire.http1 import header

__all__ = [
    "EndBehind",
    "Form",
    "Parting",
    "drop",
    "end_behind",
    "no_end",
    "part",
    "place_error",
]


class Form(Enum):
    """The form of a body."""

    EVENTS = "events"
    #: One document on each line.
    LINES = "lines"
    #: An array from the node.
    ARRAY = "array"
    #: An array from a translator, with Google's white space.
    OWN_ARRAY = "own array"
    #: One document, or any other body.
    UNARY = "unary"


class Parting(Enum):
    """What happens to the client's connection."""

    #: It may carry another request.
    KEEP = "keep"
    #: Closed with a FIN after what was sent.
    CLOSE = "close"
    #: Closed at once; unsent bytes are dropped.
    ABORT = "abort"
    #: The same, with an RST.
    RESET = "reset"


#: Makes the bytes that follow an error on the wire.
EndBehind = Callable[[ProxyError], bytes]

_FRAMES: dict[Dialect, Callable[[ProxyError], bytes]] = {
    Dialect.GEMINI: gemini.error_frame,
    Dialect.ANTHROPIC: anthropic.error_frame,
    Dialect.OPENAI: openai.error_frame,
}
#: The bytes that must precede an error there. If a position is missing, no error can be sent there.
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
#: The same for a ``bare`` client, whose message ends with its connection. Only the error shows it
#: that the reply broke, so an incomplete event is ended first.
_BEFORE_BARE = _BEFORE | {
    (Form.EVENTS, Position.INSIDE): b"\n\n",
    (Form.LINES, Position.INSIDE): b"\n",
}


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
    """The body bytes of ``error``; empty if it cannot be sent. ``first`` and ``last``: the
    beginning and the end of the body so far, to which the last event of Responses refers."""
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


def end_behind(surface: Dialect, framing: Framing, headers: RawHeaders) -> EndBehind:
    """What follows an error inside a message: nothing for most clients. ``headers`` are the
    client's. These need the message's end, as they get it from the vendors:

    Codex (0.171) reports only that it is missing. If it is there, Codex shows why the reply failed,
    since the last event is ``response.failed``.

    Vercel's SDK (ai 6.0 and 7.0) has the error as a part of a stream that never throws. After it, a
    missing end makes the stream throw, which ends programs that rely on that.

    @google/genai 1.30, with which gemini-cli (0.61) is built, overlooks an error that is an event.
    gemini-cli then gives up, since the message has no end. If the last bytes are the bare error, as
    from Google, it asks again. go-genai notices only that (read)."""
    if framing is not Framing.SSE:
        return no_end
    client = header(headers, b"user-agent") or b""
    if surface is Dialect.GEMINI:
        library = header(headers, b"x-goog-api-client") or b""
        if b"gl-node/" in library or b"gl-go/" in library:
            return _repeat_and_end
    if b"ai-sdk" in client or (surface is Dialect.RESPONSES and client.startswith(b"codex")):
        return _end
    return no_end


def no_end(error: ProxyError) -> bytes:
    return b""


def _end(error: ProxyError) -> bytes:
    return LAST_CHUNK


def _repeat_and_end(error: ProxyError) -> bytes:
    return frame_chunk(gemini.error_body(error)) + LAST_CHUNK


def part(*, bare: bool, shown: bool) -> Parting:
    """How the connection ends after a reply that was cut. ``shown``: the reply contains the
    error."""
    return Parting.RESET if bare and not shown else Parting.CLOSE


def drop(*, bare: bool) -> Parting:
    """How the connection of a client ends that has left, or to which nothing can be sent."""
    return Parting.RESET if bare else Parting.ABORT
