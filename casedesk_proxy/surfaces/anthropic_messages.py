"""The beginning of messages to Anthropic clients: Claude Code recovers only if it reads its
vendor's own words.

If the history contains an image or a document that the model does not accept, every further turn
would fail in the same way. Claude Code 2.1 searches a 400 for the words of Anthropic's service,
followed by the place of the part, removes the part and sends the request again. ``docs/errors.md``
has the whole table.
"""

from __future__ import annotations

import re

from casedesk_proxy.errors import NotFound, ProxyError, Violation

__all__ = ["message_of"]

_MEDIA = {
    "image": "Could not process image",
    "document": "The PDF specified was not valid",
}
#: The place of a block: in a message, or in the result of a tool.
_BLOCK = re.compile(r"(messages\.\d+\.content\.\d+)(\.content\.\d+)?")


def message_of(error: ProxyError) -> str:
    """The vendor's words, if clients act on them, then ours."""
    if error.code == "model_not_found" and isinstance(error, NotFound) and error.model:
        return f"model: {error.model}; {error.message}"
    if error.status == 400:
        for violation in error.violations:
            if violation.media in _MEDIA:
                return f"{_MEDIA[violation.media]}: {_place(violation)}{error.message}"
    return error.message


def _place(violation: Violation) -> str:
    """The place in Anthropic's notation, with the kind of the part:
    ``messages.0.content.1.image``."""
    block = _BLOCK.match(violation.path)
    if block is None:
        return ""
    result = f".tool_result{block[2]}" if block[2] else ""
    return f"{block[1]}{result}.{violation.media}: "
