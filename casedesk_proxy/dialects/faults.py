"""What an HTTP error answered by a node becomes for a client of another protocol.

A node's own text is not passed on: several put file paths, stack frames or addresses into it
(measured: SGLang, llama-cpp-python). It is read for what can be recognised, and that is said in
our words. Only the reason of a 400 is worth more; it is passed on with everything that
looks like a place of the node's machine cut out.
"""

from __future__ import annotations

import re
from typing import Any

from casedesk_proxy.errors import (
    BadRequest,
    Busy,
    ClientFault,
    NotFound,
    ProxyError,
    TooLarge,
    UpstreamFault,
    UpstreamTimeout,
)
from casedesk_proxy.jsonio import JSONError, loads
from casedesk_proxy.terms import Dialect, RawHeaders

__all__ = ["read_fault", "reason_of"]

#: Longest reason passed on, in characters.
MAX_REASON = 2048
#: What is looked at of a body that is not an error of a known form.
_MAX_PLAIN = 200
#: Sent with 503 where the node names no time: google-generativeai hammers on (measured).
_RETRY_AFTER = 3.0

_TOO_LONG = re.compile(
    r"context (?:size|length|window)|exceed_context|context_length_exceeded|prompt is too long"
    r"|maximum model length|inputs?`? (?:tokens )?(?:must have less than|\+ `?max_new_tokens)"
)
_ROOM = re.compile(
    r"(?:context (?:size|length|window)|maximum model length|less than)\D{0,20}(\d+)"
)
_NUMBER = re.compile(r"\d+")
#: vLLM: the limit asked for is too large, not the prompt.
_OWN_LIMIT = "max_tokens"
#: Faults of a request that some nodes answer with 500, as their text says it.
_REQUEST_FAULTS = (
    (re.compile(r"(image|audio|video|media) input is not supported|mmproj"), "media"),
    (re.compile(r"not a multimodal model|only supports text"), "media"),
    (re.compile(r"roles must alternate"), "roles"),
    (re.compile(r"system role not supported"), "system"),
    (re.compile(r"does not support tools|tool choice requires|--jinja"), "tools"),
    (re.compile(r"does not support (thinking|reasoning)"), "thinking"),
    (re.compile(r"'messages' is required"), "messages"),
)
_WORDS = {
    "media": "the model does not take this kind of input",
    "roles": "the model's chat template wants user and model turns to alternate",
    "system": "the model's chat template takes no system instruction",
    "tools": "the model, as its node runs it, does not support tools",
    "thinking": "the model does not support thinking",
    "messages": "the request has no messages",
}
_PLACES = re.compile(
    r"\b[a-z][a-z0-9+.-]*://\S+"  # URLs
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?"  # addresses
    r"|\[[0-9a-f:]{3,}\](?::\d+)?"
    r"|\b[\w-]+(?:\.[\w-]+)*:\d{2,5}\b"  # host:port
    r"|\b(?:[\w-]+\.)+[a-z]{2,}/\S*"  # registry.host/path
    r"|(?<![\w.])(?:~|\.{1,2})?/[\w.@+-]+(?:/[\w.@+-]*)*"  # paths
    r"|\b[A-Za-z]:\\\S+",
    re.IGNORECASE,
)


def read_fault(
    surface: Dialect, status: int, headers: RawHeaders, body: bytes, model: str
) -> ProxyError:
    """The error that a client of ``surface`` gets for a node's reply of a status other than 2xx.

    ``model`` is the name the client used.
    """
    document = _document(body)
    text = _reason(document).lower()
    if status in (400, 413, 422, 500) and (numbers := _too_long(document, text)) is not None:
        return _context_fault(surface, *numbers)
    known = next((word for sign, word in _REQUEST_FAULTS if sign.search(text)), None)
    if known is not None and (status == 500 or status in _BAD_REQUEST):
        return BadRequest(_WORDS[known])
    if status in _BAD_REQUEST:
        reason = _scrub(_reason(document))
        return BadRequest(f"the node refused the request: {reason}" if reason else _REFUSED)
    return _by_status(surface, status, _retry_after(headers), model)


def reason_of(body: bytes) -> str:
    """The node's own words in an error's body; "" where there are none of a known form."""
    document = _document(body)
    if isinstance(document, list) and len(document) == 1:
        document = document[0]  # Google's, behind a stream without ``alt=sse``.
    return _reason(document)


def _reason(document: Any) -> str:
    """The node's own words, wherever they stand."""
    found = document
    if isinstance(document, dict):
        error = document.get("error")
        inner = error.get("message") if isinstance(error, dict) else error
        found = next(
            (value for value in (inner, document.get("message"), document.get("detail")) if value),
            "",
        )
    if isinstance(found, list):
        found = "; ".join(
            str(one["msg"]) for one in found if isinstance(one, dict) and "msg" in one
        )
    return found if isinstance(found, str) else ""


_BAD_REQUEST = frozenset({400, 405, 406, 411, 415, 422})
_REFUSED = "the node refused the request"


def _document(body: bytes) -> Any:
    try:
        return loads(body)
    except JSONError:
        return body[:_MAX_PLAIN].decode("utf-8", "replace")


def _too_long(document: Any, text: str) -> tuple[int | None, int | None] | None:
    """(tokens of the prompt, tokens there is room for), each None where not told."""
    error = document.get("error") if isinstance(document, dict) else None
    kind = f"{error.get('type')} {error.get('code')}" if isinstance(error, dict) else ""
    if not _TOO_LONG.search(f"{kind} {text}") or _OWN_LIMIT in text:
        return None
    if isinstance(error, dict):
        told = (error.get("n_prompt_tokens"), error.get("n_ctx"))
        if all(isinstance(number, int) for number in told):
            return told
    text = text[:MAX_REASON]  # Python reads no number of more than 4300 digits.
    room = _ROOM.search(text)
    largest = max((int(number) for number in _NUMBER.findall(text)), default=0)
    return (largest, int(room[1])) if room and largest > int(room[1]) else (None, None)


def _context_fault(surface: Dialect, tokens: int | None, room: int | None) -> ProxyError:
    """In the words that applications of each surface look for."""
    told = tokens is not None and room is not None
    if surface is Dialect.ANTHROPIC:
        return BadRequest(
            f"prompt is too long: {tokens} tokens > {room} maximum"
            if told
            else "prompt is too long"
        )
    if surface is Dialect.GEMINI:
        tokens_told, room_told = (f" ({tokens})", f" ({room})") if told else ("", "")
        return BadRequest(
            f"The input token count{tokens_told} exceeds the maximum number of tokens "
            f"allowed{room_told}."
        )
    return BadRequest(
        f"This model's maximum context length is {room} tokens; the request needs {tokens}."
        if told
        else "The request exceeds this model's maximum context length.",
        code="context_length_exceeded",
    )


def _scrub(reason: str) -> str:
    """The first line of a reason without places; "" where it is a trace or markup."""
    line = reason.lstrip().split("\n", 1)[0].strip()[:MAX_REASON]
    if line.startswith(("<", "Traceback")) or 'File "' in line:
        return ""
    line = "".join(mark if mark.isprintable() else " " for mark in line)
    return _PLACES.sub("…", line)


def _by_status(surface: Dialect, status: int, retry_after: float | None, model: str) -> ProxyError:
    if status == 404:
        return NotFound(
            f"the node does not have the model {model!r}, or does not offer this for it",
            code="model_not_found",
        )
    if status == 409:
        return ClientFault("the request conflicts with another one", status=409, code="conflict")
    if status == 413:
        gemini = surface is Dialect.GEMINI
        return TooLarge("the request is too large for the node", status=400 if gemini else 413)
    if status == 429:
        return Busy("the node has no capacity for this request now", retry_after=retry_after)
    if status in (408, 504):
        return UpstreamTimeout("the node timed out")
    if status == 501:
        unknown = surface is Dialect.ANTHROPIC
        return UpstreamFault(
            "the node does not offer this", status=400 if unknown else 501, code="unimplemented"
        )
    if status in (502, 503, 529):  # 529: Anthropic's own, of a node that speaks it
        return UpstreamFault(
            "the node is not available now",
            status=529 if surface is Dialect.ANTHROPIC else 503,
            code="node_unavailable",
            retry_after=retry_after or _RETRY_AFTER,
        )
    # 401 and 403 too: the node's key is our affair, not the client's.
    return UpstreamFault("the node failed to serve the request", status=500, code="node_failed")


def _retry_after(headers: RawHeaders) -> float | None:
    for name, value in headers:
        if name.lower() == b"retry-after" and value.strip().isdigit():
            return float(value[:6])
    return None
