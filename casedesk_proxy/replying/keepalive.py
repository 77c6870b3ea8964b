"""Keepalives between the events of a relayed stream.

Each is a frame of its own, so that it is not joined to the node's next frame. What SDKs accept was
measured: google-genai and @google/genai skip a blank frame and fail on comments; the retired
@google/generative-ai (``genai-js/``) fails on both. It accepts a frame with a candidate without
content; with an empty text in it, a chat would lose the turn. Anthropic's and OpenAI's SDKs skip
pings and comments; Codex (0.171) skips comments, before the first event and between two. In an
array a newline is allowed after the bracket and between elements.
"""

from __future__ import annotations

from casedesk_proxy.terms import Dialect, Framing
from casedesk_proxy.wire.sse import frame, named_frame

__all__ = ["keepalive_bytes"]

_KEEPALIVES = {
    Dialect.GEMINI: b"\n\n",
    Dialect.ANTHROPIC: named_frame(b"ping", b'{"type": "ping"}'),
    Dialect.OPENAI: b": \n\n",
    Dialect.RESPONSES: b": \n\n",
    # Before the next line's document, where any parser accepts it; an empty line would be a fault.
    Dialect.OLLAMA: b" ",
}
_SAYS_NOTHING = frame(b'{"candidates": [{"content": {"parts": [], "role": "model"}, "index": 0}]}')


def keepalive_bytes(surface: Dialect, framing: Framing, client: bytes) -> bytes:
    """Body bytes that are allowed before, between and after events, or between the elements of an
    array; b"" if none are.

    ``client``: the value of ``x-goog-api-client``.
    """
    if framing is Framing.UNARY:
        return b""
    if framing is Framing.JSON_ARRAY:
        return b"\n"
    if surface is Dialect.GEMINI and b"genai-js/" in client:
        return _SAYS_NOTHING
    return _KEEPALIVES[surface]
