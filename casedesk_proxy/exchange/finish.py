"""Whether a stream that its node ended properly was at its end.

A server whose model dies may close its message cleanly in the middle of the answer, and no SDK
complains: the half answer looks whole. So the last events of a stream that is relayed as it is
are looked at once, when it ends. In doubt it counts as finished.
"""

from __future__ import annotations

import re

from casedesk_proxy.terms import Dialect

__all__ = ["is_unfinished"]

#: What an answer of each dialect consists of, and what its end says; an error is an end, too.
_ANSWERS = {
    Dialect.OPENAI: b'"choices"',
    Dialect.GEMINI: b'"candidates"',
    Dialect.ANTHROPIC: b"content_block_",
}
_ENDS = {
    Dialect.OPENAI: re.compile(rb'data: ?\[DONE\]|"finish_reason"\s*:\s*"|"error"\s*:'),
    Dialect.GEMINI: re.compile(rb'"finish_?[rR]eason"|"blockReason"|"error"\s*:'),
    Dialect.ANTHROPIC: re.compile(rb'message_stop|"error"|"stop_reason"\s*:\s*"'),
}
_EVENT_END = re.compile(rb"\r?\n\r?\n|\r\r")


def is_unfinished(surface: Dialect, first: bytes, tail: bytes) -> bool:
    """``first`` and ``tail``: the beginning of the body and its last bytes, as far as known."""
    if not tail:
        return True  # An answer of nothing: some servers say so that a prompt was too long.
    whole = tail.startswith(first)
    # Its end may stand in the last event but one, behind which only counts come. What breaks off
    # within an event is no end of any kind.
    if (
        not whole
        and tail.endswith((b"\n\n", b"\r\n\r\n", b"\r\r"))
        and len(_EVENT_END.findall(tail)) < 3
    ):
        return False
    if whole and b"data:" not in tail:
        return False  # No event at all: nothing that could be told of its end.
    return _ANSWERS[surface] in tail and _ENDS[surface].search(tail) is None
