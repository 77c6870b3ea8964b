"""Signs of life between the events of a stream that is relayed as its node sends it.

A frame of its own each, so that none is glued to the node's next one. What SDKs bear was measured:
google-genai and @google/genai skip a blank frame and choke on comments; the retired
@google/generative-ai (``genai-js/``) chokes on both. Anthropic's and OpenAI's skip either.
"""

from __future__ import annotations

from casedesk_proxy.terms import Dialect

__all__ = ["pulse"]

_PULSES = {
    Dialect.GEMINI: b"\n\n",
    Dialect.ANTHROPIC: b'event: ping\ndata: {"type": "ping"}\n\n',
    Dialect.OPENAI: b": \n\n",
}


def pulse(surface: Dialect, client: bytes) -> bytes:
    """Body bytes that may stand before, between and behind events; b"" where none may.

    ``client``: the value of ``x-goog-api-client``.
    """
    if surface is Dialect.GEMINI and b"genai-js/" in client:
        return b""
    return _PULSES[surface]
