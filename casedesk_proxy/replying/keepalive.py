"""Signs of life between the events of a stream that is relayed as its node sends it.

A frame of its own each, so that none is glued to the node's next one. What SDKs bear was measured:
google-genai and @google/genai skip a blank frame and choke on comments; the retired
@google/generative-ai (``genai-js/``) chokes on both. It takes a frame with a candidate that says
nothing; were there an empty text in it, a chat would lose the turn. Anthropic's and OpenAI's skip
pings and comments, Codex (0.171) comments, before the first event and between two. In an array a
newline may stand behind the bracket and between elements.
"""

from __future__ import annotations

from casedesk_proxy.terms import Dialect, Framing

__all__ = ["keepalive_bytes"]

_PULSES = {
    Dialect.GEMINI: b"\n\n",
    Dialect.ANTHROPIC: b'event: ping\ndata: {"type": "ping"}\n\n',
    Dialect.OPENAI: b": \n\n",
    Dialect.RESPONSES: b": \n\n",
    # Before the next line's document, as any parser takes it; a line of nothing would be a fault.
    Dialect.OLLAMA: b" ",
}
_SAYS_NOTHING = (
    b'data: {"candidates": [{"content": {"parts": [], "role": "model"}, "index": 0}]}\n\n'
)


def keepalive_bytes(surface: Dialect, framing: Framing, client: bytes) -> bytes:
    """Body bytes that may stand before, between and behind events, or between the elements of an
    array; b"" where none may.

    ``client``: the value of ``x-goog-api-client``.
    """
    if framing is Framing.UNARY:
        return b""
    if framing is Framing.JSON_ARRAY:
        return b"\n"
    if surface is Dialect.GEMINI and b"genai-js/" in client:
        return _SAYS_NOTHING
    return _PULSES[surface]
