"""Whether a stream that its node ended properly was at its end.

A server whose model dies may close its message cleanly in the middle of the answer, and no SDK
complains: the half answer looks whole. So the last events of a stream that is relayed as it is
are looked at once, when it ends. In doubt it counts as finished.

Another one says with its finish reason that it gave the answer up. Its client sees that, since the
bytes are the node's; the log and the node's health have to learn it, too.
"""

from __future__ import annotations

import re
from typing import Any

from casedesk_proxy.terms import Dialect
from casedesk_proxy.wire.tails import event_around, last_line, read_object

__all__ = ["is_answered", "is_given_up", "is_unfinished"]

#: What an answer of each dialect consists of, and what its end says; an error is an end, too.
_ANSWERS = {
    Dialect.OPENAI: b'"choices"',
    Dialect.RESPONSES: b'"response.',
    Dialect.GEMINI: b'"candidates"',
    Dialect.ANTHROPIC: b"content_block_",
}
_ENDS = {
    Dialect.OPENAI: re.compile(rb'data: ?\[DONE\]|"finish_reason"\s*:\s*"|"error"\s*:'),
    Dialect.RESPONSES: re.compile(
        rb'"type"\s*:\s*"(?:response\.(?:completed|incomplete|failed)|error)"'
    ),
    Dialect.GEMINI: re.compile(rb'"finish_?[rR]eason"|"blockReason"|"error"\s*:'),
    Dialect.ANTHROPIC: re.compile(rb'message_stop|"error"|"stop_reason"\s*:\s*"'),
}
#: The protocol's last event, behind which nothing comes, and what a body with it holds near its
#: end. Gemini has none of its own. Comments say nothing (a ping of the node's, sent behind it).
_COMMENTS = rb"(?:\r?\n){2}(?::[^\r\n]*(?:\r?\n)+)*\Z"
_LAST = {
    Dialect.OPENAI: (b"[DONE]", re.compile(rb"(?:\A|[\r\n])data: ?\[DONE\]" + _COMMENTS)),
    Dialect.ANTHROPIC: (
        b"message_stop",
        re.compile(rb'[\r\n]data: ?\{\s*"type"\s*:\s*"message_stop"[^\r\n]*\}' + _COMMENTS),
    ),
}
#: OpenAI's own Responses streams end without it, vLLM's with it.
_LAST[Dialect.RESPONSES] = _LAST[Dialect.OPENAI]
#: The last line of Ollama's streams, which has texts before that and counts behind it.
_LAST[Dialect.OLLAMA] = (
    b'"done":true',
    re.compile(rb'[,{]"done":true(?:,"done_reason":"\w*")?(?:,"\w+":\d+)*\}\r?\n\s*\Z'),
)
_DONE = re.compile(rb'[,{]\s*"done"\s*:\s*true\b')
_FAILED = re.compile(rb'"type"\s*:\s*"(?:response\.failed|error)"')
_REASONS = ("finish_reason", "stop_reason")
#: What engines write that stopped for a reason of their own: vLLM, SGLang, DeepSeek. Other words
#: that are not OpenAI's may be another service's for an end.
_FAILURES = ("abort", "aborted", "error", "insufficient_system_resource")
_GIVEN_UP = re.compile(
    rf'"(?:{"|".join(_REASONS)})"\s*:\s*"(?:{"|".join(_FAILURES)})"'.encode("ascii")
)
#: Without one of these none of them is there.
_ABORTED, _ERROR, _SHORT = b"abort", b"error", b"insufficient"
#: Bytes.
_MAX_LAST_BYTES = 256
_EVENT_END = re.compile(rb"\r?\n\r?\n|\r\r")


def is_unfinished(surface: Dialect, first: bytes, tail: bytes) -> bool:
    """``first`` and ``tail``: the beginning of the body and its last bytes, as far as known."""
    if not tail:
        return True  # An answer of nothing: some servers say so that a prompt was too long.
    if surface is Dialect.OLLAMA:
        return not _is_done(tail)
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


def is_answered(surface: Dialect, tail: bytes) -> bool:
    """Whether the last bytes are the protocol's last event: its reader needs no more, and need not
    wait for the message's end."""
    word, last = _LAST.get(surface, (b"", None))
    end = tail[-_MAX_LAST_BYTES:]
    return last is not None and word in end and last.search(end) is not None


def is_given_up(surface: Dialect, tail: bytes) -> bool:
    """Whether the last bytes of a body say that its node gave up the answer. Of a document that is
    not all there this is not known: False."""
    if surface is Dialect.GEMINI:
        return False  # Google's reasons are all the protocol's.
    if surface is Dialect.OLLAMA:
        document = read_object(last_line(tail))
        return document is not None and "error" in document
    if surface is Dialect.RESPONSES:
        said = _FAILED.search(tail)
        event = event_around(tail, said.start()) if said is not None else None
        return isinstance(event, dict) and event.get("type") in ("response.failed", "error")
    if not (_ABORTED in tail or _ERROR in tail or _SHORT in tail):
        return False
    said = _GIVEN_UP.search(tail)
    document = event_around(tail, said.start()) if said is not None else None
    return isinstance(document, dict) and any(map(_is_failure, _endings(document)))


def _is_done(tail: bytes) -> bool:
    """Whether the last line of a stream is its end: the model's, or an error. Of a longer line only
    its own mark is looked for."""
    line = last_line(tail)
    if not line.startswith(b"{"):
        return _DONE.search(line) is not None
    document = read_object(line)
    return document is not None and (document.get("done") is True or "error" in document)


def _endings(document: dict[str, Any]) -> list[Any]:
    """Where a reason can stand: further down it is the model's own word."""
    choices = document.get("choices")
    return [document, document.get("delta"), *(choices if isinstance(choices, list) else ())]


def _is_failure(ending: Any) -> bool:
    return isinstance(ending, dict) and any(ending.get(name) in _FAILURES for name in _REASONS)
