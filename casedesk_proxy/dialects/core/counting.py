"""The size of a prompt, as a node counted it, or as an estimate."""

from __future__ import annotations

from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.errors import StreamBroken

__all__ = ["COUNTED", "estimate_tokens", "read_count"]

#: Header of a reply whose number is not the tokenizer's count of the whole prompt: ``estimate``, or
#: ``text-only`` if media could not be counted.
COUNTED = "x-casedesk-token-count"
#: Bytes of UTF-8 for each token, as a rule of thumb over languages and code.
_BYTES_PER_TOKEN = 4


def read_count(document: Any) -> int:
    """The number in a node's answer, in any engine's form. Raises StreamBroken."""
    if isinstance(document, dict):
        for name in ("count", "input_tokens"):
            count = jsonio.read_count(document.get(name))
            if count is not None:
                return count
        document = document.get("tokenize_response")
    if isinstance(document, list):
        return len(document)
    raise StreamBroken("did not report the number of tokens")


def estimate_tokens(text: bytes) -> int:
    return max(1, len(text) // _BYTES_PER_TOKEN)
