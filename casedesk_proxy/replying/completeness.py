"""Whether a stream whose message its node ended correctly is complete.

A server whose model dies may close its message cleanly in the middle of the answer, and no SDK
complains: the half answer looks complete. So the last events of a relayed stream are checked once,
when it ends. In doubt it counts as complete.

A node may also report with its finish reason that it gave up the answer. The client sees that,
since the bytes are the node's; the log and the node's health must learn it, too.
"""

from __future__ import annotations

import json
import re
from typing import Any

from casedesk_proxy.terms import Dialect
from casedesk_proxy.wire.tails import data_of, event_around, last_line, read_object

__all__ = ["is_answered", "is_given_up", "is_unfinished"]

#: Parts of an answer in each dialect, and its end; an error is an end, too.
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
#: The protocol's last event, after which nothing follows, and bytes that a body with it contains
#: near its end. Gemini has no such event. Comments (such as a node's ping after the event) are
#: ignored.
_COMMENTS = rb"(?:(?:\r?\n){2}(?::[^\r\n]*(?:\r?\n)+)*|\r\r)\Z"
_LAST = {
    Dialect.OPENAI: (b"[DONE]", re.compile(rb"(?:\A|[\r\n])data: ?\[DONE\]" + _COMMENTS)),
    Dialect.ANTHROPIC: (
        b"message_stop",
        re.compile(rb'[\r\n]data: ?\{\s*"type"\s*:\s*"message_stop"[^\r\n]*\}' + _COMMENTS),
    ),
}
#: OpenAI's own Responses streams end without it, vLLM's end with it.
_LAST[Dialect.RESPONSES] = _LAST[Dialect.OPENAI]
#: The last line of an Ollama stream, which may contain texts before this and counts after it.
_LAST[Dialect.OLLAMA] = (
    b'"done":true',
    re.compile(rb'[,{]"done":true(?:,"done_reason":"\w*")?(?:,"\w+":\d+)*\}\r?\n\s*\Z'),
)
_DONE = re.compile(rb'[,{]\s*"done"\s*:\s*true\b')
_FAILED = re.compile(rb'"type"\s*:\s*"(?:response\.failed|error)"')
_REASONS = ("finish_reason", "stop_reason")
#: Reasons of engines that stopped for a reason of their own: vLLM, SGLang, DeepSeek. Other words
#: than OpenAI's may be another service's word for a regular end.
_FAILURES = ("abort", "aborted", "error", "insufficient_system_resource")
_GIVEN_UP = re.compile(
    rf'"(?:{"|".join(_REASONS)})"\s*:\s*"(?:{"|".join(_FAILURES)})"'.encode("ascii")
)
#: If none of these occurs, none of the reasons does.
_ABORTED, _ERROR, _SHORT = b"abort", b"error", b"insufficient"
#: The last bytes that are searched for the protocol's last event, and first for any end.
_MAX_LAST_BYTES, _MAX_END_BYTES = 256, 512
_EVENT_END = re.compile(rb"\r?\n\r?\n|\r\r")
_EVENT_ENDS = (b"\n\n", b"\n\r\n", b"\r\r")
#: The beginning of a stream without data: a comment, or a field that says something of an event.
_NO_DATA = re.compile(rb"(?:\xef\xbb\xbf)?[\r\n]*(?:event|id|retry)?:")
_COMMENT_LINES = re.compile(rb"(?:\A|(?<=[\r\n])):[^\r\n]*+[\r\n]*+")
#: Reads what clients may accept: NaN, half of a surrogate pair, control characters in a text.
_DECODER = json.JSONDecoder(strict=False)


def is_unfinished(surface: Dialect, first: bytes | None, tail: bytes) -> bool:
    """``first`` and ``tail``: the beginning of the body and its last bytes, as far as known; None:
    between them are bytes that are not."""
    if not tail:
        return True  # An empty answer: some servers send it if a prompt was too long.
    if surface is Dialect.OLLAMA:
        return not _is_done(tail)
    whole = first is not None and tail.startswith(first)
    if whole and b"data:" not in tail:
        # A stream's clients read nothing of this. Of other bytes that is not known.
        is_document = tail.startswith(b"{") and _ANSWERS[surface] in tail
        return is_document or _NO_DATA.match(tail) is not None
    rest = b""
    if not tail.endswith(_EVENT_ENDS):
        begin = max(tail.rfind(end) + len(end) if end in tail else 0 for end in _EVENT_ENDS)
        rest = _COMMENT_LINES.sub(b"", tail[begin:]).strip()
        if rest and _is_cut(rest, is_known=whole or begin > 0):
            # No client reads the event that its node began last.
            return _ENDS[surface].search(tail, 0, begin) is None
    if _ENDS[surface].search(tail, len(tail) - _MAX_END_BYTES) is not None:
        return False  # As nearly always: a search of the whole tail takes 0.5 ms.
    # Its end may be in the second last event, before one with counts.
    if not (whole or rest) and len(_EVENT_END.findall(tail)) < 3:
        return False
    return _ANSWERS[surface] in tail and _ENDS[surface].search(tail) is None


def is_answered(surface: Dialect, tail: bytes) -> bool:
    """Whether the last bytes are the protocol's last event, so that there is no need to wait for
    the message's end."""
    word, last = _LAST.get(surface, (b"", None))
    end = tail[-_MAX_LAST_BYTES:]
    return last is not None and word in end and last.search(end) is not None


def is_given_up(surface: Dialect, tail: bytes) -> bool:
    """Whether the last bytes of a body show that its node gave up the answer. False for an
    incomplete document, of which this is not known."""
    if surface is Dialect.GEMINI:
        return False  # Google's reasons are all part of the protocol.
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
    event = event_around(tail, said.start()) if said is not None else None
    return isinstance(event, dict) and any(map(_is_failure, _endings(event)))


def _is_cut(event: bytes, *, is_known: bool) -> bool:
    """Whether an event without a blank line after it lacks more than that. ``is_known``: its
    beginning is there, too."""
    if not is_known:
        return not event.endswith((b"}", b"]"))
    if b":" not in event.splitlines()[-1]:
        return True  # a part of a field's name
    data = data_of(event).decode("utf-8", "replace").strip()
    if not data:
        return True
    try:
        # There are several if the node ends its events with a single line end.
        while data.startswith("{"):
            _, end = _DECODER.raw_decode(data)
            data = data[end:].lstrip()
    except ValueError:
        return True
    except RecursionError:
        return False
    return False


def _is_done(tail: bytes) -> bool:
    """Whether the last line of a stream is an end: the model's, or an error. A longer line is only
    searched for its own mark."""
    line = last_line(tail)
    if not line.startswith(b"{"):
        return _DONE.search(line) is not None
    document = read_object(line)
    return document is not None and (document.get("done") is True or "error" in document)


def _endings(document: dict[str, Any]) -> list[Any]:
    """The places of finish reasons: the same name further down is the model's own text."""
    choices = document.get("choices")
    return [document, document.get("delta"), *(choices if isinstance(choices, list) else ())]


def _is_failure(ending: Any) -> bool:
    return isinstance(ending, dict) and any(ending.get(name) in _FAILURES for name in _REASONS)
