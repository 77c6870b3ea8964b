"""How a stream that broke ends for its client: with the protocol's error, where it fits.

After these bytes the connection is closed without the message's proper end, which every SDK
notices; the error frame says why (design section 5; SDK behaviour measured).
"""

from __future__ import annotations

from collections.abc import Callable

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.surfaces import anthropic, gemini, openai
from casedesk_proxy.terms import Dialect, Framing
from casedesk_proxy.usage.tap import Tap
from casedesk_proxy.wire.jsonarray import ArrayScanner, ArrayTooLarge, NotAnArray

__all__ = ["ArrayTap", "broken_ending", "envelope", "is_between_events", "mended_ending"]

_FRAMES = {
    Dialect.GEMINI: gemini.error_frame,
    Dialect.ANTHROPIC: anthropic.error_frame,
    Dialect.OPENAI: openai.error_frame,
}
_ENVELOPES: dict[Dialect, Callable[[ProxyError], bytes]] = {
    Dialect.GEMINI: gemini.error_body,
    Dialect.ANTHROPIC: anthropic.stream_error,
    Dialect.OPENAI: openai.error_body,
}
_EVENT_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")


def is_between_events(tail: bytes) -> bool:
    """Whether an SSE body whose last bytes are ``tail`` stands between two events."""
    return not tail or tail.endswith(_EVENT_ENDS)


def broken_ending(surface: Dialect, framing: Framing, tail: bytes, error: ProxyError) -> bytes:
    """Body bytes to send before closing; empty where an error would fall inside a frame."""
    if framing is Framing.SSE and is_between_events(tail):
        return _FRAMES[surface](error)
    return b""


def mended_ending(surface: Dialect, framing: Framing, tail: bytes, error: ProxyError) -> bytes:
    """The same for a client to whom the connection's end is the message's, so that the error is
    all that tells of the break: an event that was cut is ended first."""
    if framing is not Framing.SSE:
        return b""
    frame = _FRAMES[surface](error)
    return frame if is_between_events(tail) else b"\n\n" + frame


def envelope(surface: Dialect) -> Callable[[ProxyError], bytes]:
    """The surface's error envelope inside a stream, JSON on one line, to be placed there."""
    return _ENVELOPES[surface]


class ArrayTap(Tap):
    """A tap that knows where a streamed JSON array stands, so that an error can be an element of
    it. It has to see every byte, which event streams, told apart by their tail, need not."""

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
    def between(self) -> bool:
        """Whether something may stand here between two elements."""
        return self._scanner is not None and self._scanner.between

    def ending(self, tail: bytes, error: ProxyError) -> bytes:
        """An error element and no closing bracket; nothing inside an element."""
        scanner = self._scanner
        if scanner is None:
            return b""
        if not scanner.begun:
            return b"[" + gemini.error_element(error)
        return scanner.separator + gemini.error_element(error) if scanner.between else b""
