"""The last event of a Responses stream that broke. Everything else is as in `openai`."""

from __future__ import annotations

import re
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.errors import ProxyError
from casedesk_proxy.wire.sse import named_frame

__all__ = ["error_frame"]

_ID = re.compile(rb'"response"\s*:\s*\{\s*"id"\s*:\s*("[A-Za-z0-9_-]{1,200}")')
_NUMBER = re.compile(rb'"sequence_number"\s*:\s*(\d{1,15})\b')


def error_frame(error: ProxyError, first: bytes = b"", last: bytes = b"") -> bytes:
    """``response.failed``: Codex ignores an event with the name ``error``. ``first`` and ``last``:
    the stream's beginning and end, which contain the response's id and the number of events."""
    ident, numbers = _ID.search(first), _NUMBER.findall(last)
    code = error.code if error.status < 500 else "server_error"
    response: dict[str, Any] = {
        "id": jsonio.loads(ident[1]) if ident else "resp_unknown",
        "object": "response",
        "created_at": 0,
        "status": "failed",
        "error": {"code": code, "message": error.message.encode("utf-8", "replace").decode()},
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "",
        "output": [],
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": None,
    }
    number = int(numbers[-1]) + 1 if numbers else 0
    event = {"type": "response.failed", "sequence_number": number, "response": response}
    return named_frame(b"response.failed", jsonio.dumps_stream(event))
