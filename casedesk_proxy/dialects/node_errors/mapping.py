"""Maps a node's HTTP error to the error for a client of another protocol.

A node's own text is not passed on: several include file paths, stack frames or addresses (measured:
SGLang, llama-cpp-python). The text is searched for known errors, which are reported in our own
words. Only the reason of a 400 is passed on, without anything that looks like a place on the node's
machine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from casedesk_proxy.dialects.node_errors.documents import own_words, read_document
from casedesk_proxy.dialects.node_errors.documents import reason_of as reason_in
from casedesk_proxy.dialects.node_errors.limits import read_excess
from casedesk_proxy.dialects.node_errors.words import excess_fault
from casedesk_proxy.errors import (
    BadRequest,
    Busy,
    ClientFault,
    NotFound,
    ProxyError,
    TooLarge,
    UpstreamFault,
    UpstreamTimeout,
    Violation,
)
from casedesk_proxy.terms import Dialect, RawHeaders
from casedesk_proxy.wire.http1 import retry_after_s
from casedesk_proxy.wording import AboutNode, is_harmless

__all__ = ["map_node_error", "reason_of", "scrub"]

#: The longest reason that is passed on, in characters.
MAX_REASON_CHARS = 2048
#: Sent with 503 if the node gives no time: without it google-generativeai (0.8.6) retries without a
#: pause.
_RETRY_AFTER_S = 3.0

#: Faults of a request, as a node's text describes them, often with status 500.
_REQUEST_FAULTS = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        (r"at most \d+ \w+(?:\(s\))? may be provided|too many (?:images|image items)", "many"),
        (r"could not process image|cannot identify image|invalid image"
         r"|failed to (?:load|decode|process) (?:the )?(?:input )?image"
         r"|illegal base64|image: unknown format|unable to make llava", "garbled"),
        (r"(image|audio|video|media) input is not supported|mmproj|missing data required for image"
         r"|does not support (?:image|vision|multimodal|audio|video)|not (?:a )?vision model"
         r"|(?:images?|audio|video|vision) (?:is|are) not supported", "media"),
        (r"not a multimodal model|only supports? text|text[- ]only model", "media"),
        (r"must be followed by tool messages|did not have response messages", "unanswered"),
        (r"roles must alternate", "roles"),
        (r"system role not supported", "system"),
        (r"does not support tools|tool choice requires|--jinja", "tools"),
        (r"does not support (thinking|reasoning)", "thinking"),
        (r"'messages' is required", "messages"),
    )
)  # fmt: skip
_WORDS = {
    "many": "too much media: the model accepts fewer parts of this kind in one request; send fewer",
    "garbled": "the node could not read an image in the request; send it as PNG or JPEG",
    "media": "the model does not accept this kind of input; use another model",
    "unanswered": "`tool_use` ids were found without `tool_result` blocks immediately after",
    "roles": "the model's chat template requires user and model turns to alternate;"
    " join adjacent turns",
    "system": "the model's chat template does not support a system instruction;"
    " put it into the first turn",
    "tools": "the model, as its node runs it, does not support tools; use another model",
    "thinking": "the model does not support thinking; turn it off, or use another model",
    "messages": "the request has no messages; send at least one",
}
_KIND = re.compile(r"image|vision|picture|audio|video")
_KINDS = {"vision": "image", "picture": "image"}
#: Where in a schema or a body the fault is, which the client has to know.
_POINTERS = (
    r"#/[^\s'\"`,;)\]]*"
    r"|(?<![\w.])/(?:properties|items|\$defs|definitions|anyOf|allOf|oneOf|additionalProperties)"
    r"(?:/[\w$~%.-]+)*"
)
_PLACES = re.compile(
    rf"(?P<pointer>{_POINTERS})"
    r"|\b[a-z][a-z0-9+.-]*://\S+"  # URLs
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?"  # addresses
    r"|\[[0-9a-f:]{3,}\](?::\d+)?"
    r"|(?<!\w)[a-z0-9-]+(?:\.[a-z0-9-]+)*:\d{2,5}\b"  # host:port
    r"|\b(?:[\w-]+\.)+[a-z]{2,}/\S*"  # registry.host/path
    r"|(?<![\w.])(?:~|\.{1,2})?/[\w.@+-]+(?:/[\w.@+-]*)*"  # paths
    r"|\b[A-Za-z]:\\\S+",
    re.IGNORECASE,
)


def map_node_error(
    surface: Dialect,
    status: int,
    headers: RawHeaders,
    body: bytes,
    model: str,
    media: Sequence[Violation] | None = None,
) -> ProxyError:
    """The error that a client of ``surface`` gets for a node's reply with a status other than 2xx,
    or for an error inside a reply, which would have had that status.

    ``model`` is the name that the client used; ``media`` are the places of images and the like in
    its request, None if they are not known.
    """
    document = read_document(body)
    reason = reason_in(document)
    fault = _judge(surface, status, document, reason, media)
    if fault is None:
        fault = _by_status(surface, status, retry_after_s(headers), model)
        fault.said = scrub(reason)
    return fault


def reason_of(body: bytes) -> str:
    """The node's own words in an error's body; "" if it has no known form."""
    return reason_in(read_document(body))


def _judge(
    surface: Dialect, status: int, document: Any, reason: str, media: Sequence[Violation] | None
) -> ProxyError | None:
    """The error for a fault of the request itself; None for any other fault."""
    text = own_words(reason[:MAX_REASON_CHARS].lower())
    if status in (400, 413, 422, 500) and (excess := read_excess(document, text)) is not None:
        kinds = excess_fault(surface, excess)
        if kinds is not None:
            return kinds
    if status != 500 and status not in _BAD_REQUEST:
        return None
    found = ((word, sign.search(text)) for sign, word in _REQUEST_FAULTS)
    word = next((word for word, sign in found if sign is not None), None)
    if word in ("media", "garbled", "many"):
        return _media_fault(_WORDS[word], text, media)
    if word is not None:
        return BadRequest(_WORDS[word])
    if status == 500:
        return None
    shown = scrub(reason)
    return BadRequest(AboutNode(f"refused the request: {shown}") if shown else _REFUSED)


def _media_fault(why: str, text: str, media: Sequence[Violation] | None) -> BadRequest:
    """Names the places of the media that the node named, or of all that it may have meant."""
    found = {_KINDS.get(one, one) for one in _KIND.findall(text)}
    places = [one for one in media or () if one.media in found] or list(media or ())
    kinds = sorted({one.media for one in places} or found)
    message = why
    if media is not None and kinds:
        fault, _, remedy = why.partition("; ")
        message = f"{fault} ({', '.join(kinds)}); {remedy}"
    if places:
        message = f"{', '.join(one.path for one in places[:_MAX_PLACES])}: {message}"
    violations = [Violation(one.path, why, one.media) for one in places]
    if not violations and kinds:
        violations = [Violation("", why, kinds[0])]
    return BadRequest(message, code="unsupported_media", violations=tuple(violations))


_BAD_REQUEST = frozenset({400, 405, 406, 411, 415, 422})
_REFUSED = AboutNode("refused the request and gave no reason; look into the node's log")
#: How many places of media a message names.
_MAX_PLACES = 5


def scrub(reason: str) -> str:
    """The first line of a reason without places of the node's machine; "" if it is a stack trace or
    markup."""
    line = reason.lstrip().split("\n", 1)[0].strip()[:MAX_REASON_CHARS]
    if line.startswith(("<", "Traceback")) or 'File "' in line:
        return ""
    line = "".join(mark if is_harmless(mark) else " " for mark in line)
    return _PLACES.sub(lambda place: place["pointer"] or "…", line)


def _by_status(surface: Dialect, status: int, retry_after: float | None, model: str) -> ProxyError:
    if status == 404:
        missing = NotFound(
            AboutNode(
                f"does not have the model {model!r}, or does not offer this for it; use another"
                " model"
            ),
            code="model_not_found",
        )
        missing.model = model
        return missing
    if status == 409:
        return ClientFault(
            "the request conflicts with another one; send it again", status=409, code="conflict"
        )
    if status == 413:
        gemini = surface is Dialect.GEMINI
        return TooLarge(
            "the request is too large for the node; send a smaller one",
            status=400 if gemini else 413,
        )
    if status == 429:
        return Busy(
            AboutNode("has no capacity for this request now; retry later"),
            retry_after=retry_after,
        )
    if status in (408, 504):
        return UpstreamTimeout(AboutNode("timed out; try again later"))
    if status == 501:
        unknown = surface is Dialect.ANTHROPIC
        return UpstreamFault(
            AboutNode("does not offer this; use another model"),
            status=400 if unknown else 501,
            code="unimplemented",
        )
    if status in (502, 503, 529):  # 529: Anthropic's own status, also from nodes
        return UpstreamFault(
            AboutNode("is not available now; retry later"),
            status=529 if surface is Dialect.ANTHROPIC else 503,
            code="node_unavailable",
            retry_after=retry_after or _RETRY_AFTER_S,
        )
    # Also 401 and 403: the node's key is the operator's concern, not the client's.
    return UpstreamFault(
        AboutNode("failed to serve the request; look into the node's log"),
        status=500,
        code="node_failed",
    )
