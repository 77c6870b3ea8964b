"""What happens to an error that a node answered in the client's own protocol.

The client gets it unchanged if it has the form of errors in the client's protocol. Many nodes use
other forms: llama-server answers in OpenAI's form on ``/v1/messages``, SGLang with a flat object,
frameworks with ``{"detail": …}``, text or HTML (recorded). These are rewritten in our words.
"""

from __future__ import annotations

import re

from casedesk_proxy import jsonio
from casedesk_proxy.dialects.node_errors.mapping import map_node_error
from casedesk_proxy.errors import ClientFault, KeyRefused, ModelLost, ProxyError, UpstreamFault
from casedesk_proxy.replying.verdict import Verdict
from casedesk_proxy.surfaces.error_shapes import is_error
from casedesk_proxy.terms import Dialect
from casedesk_proxy.wire.http1 import ResponseHead
from casedesk_proxy.wording import quoted

__all__ = ["MAX_ERROR_BYTES", "judge_refusal", "nodes_affair", "remedy", "without_key"]

#: How many bytes of an error reply are examined; a longer one has no known form.
MAX_ERROR_BYTES = 65536

#: From this many characters on, a part of a key reveals something.
_MIN_KEY_CHARS = 8
#: Bytes in which such a part is searched for: servers that reveal it send short errors.
_MAX_BRIEF_BYTES = 4096
_WORD = re.compile(rb"[^\s\"',<>]+")
_MASK = re.compile(rb"\*{2,}|(?:\xe2\x80[\xa2\xa6]|\\u20(?:22|26))+|\.{3,}|[xX]{4,}")

#: Marks of a stack frame in Python, C++ and Go.
_FRAMES = (b"Traceback (most recent", b'File \\"/', b"goroutine ", b"terminate called after")


def judge_refusal(
    surface: Dialect,
    head: ResponseHead,
    body: bytes,
    authority: bytes,
    model: str,
    key: str | None = None,
) -> ProxyError | None:
    """The error to send in place of the node's reply; None: the reply's body may be sent unchanged.

    ``authority`` is the node's address and ``key`` its key, which no client may learn; ``model``
    the client's name of the model. The status remains the node's, but if the fault is the
    request's, the reply asks clients not to repeat it.
    """
    known = without_key(body, key)
    plain = len(body) <= MAX_ERROR_BYTES and known == body and not _tells(body, authority)
    formed = plain and is_error(surface, body)
    if formed and head.status < 500 and surface is not Dialect.ANTHROPIC:
        return None
    fault = map_node_error(surface, head.status, head.headers, known[:MAX_ERROR_BYTES], model, ())
    ours = isinstance(fault, ClientFault) and head.status >= 500
    if formed and not ours and not _reads_better(fault, body):
        return None
    return ProxyError(
        fault.wording,
        status=fault.status if ours else head.status,
        code=fault.code,
        violations=fault.violations,
        retry_after=fault.retry_after,
    )


def nodes_affair(
    verdict: Verdict, status: int, node: str, asked: str, model: str, action: str
) -> UpstreamFault | None:
    """The error to send in place of a refusal that concerns the node itself; None: its reply says
    enough. ``asked`` and ``model`` are the client's and the node's names of the model."""
    if verdict in (Verdict.DENIED, Verdict.MODEL_DENIED):
        of = "" if verdict is Verdict.DENIED else f" for the model {quoted(model)}"
        return KeyRefused(
            f"node {node} denies the proxy access{of} (status {status}); the proxy's operator has"
            " to fix this, your own key is not the cause"
        )
    if verdict is Verdict.NO_MODEL:
        if asked.removeprefix("models/") == model:
            return ModelLost(f"node {node} no longer has model {quoted(asked)}; use another one")
        return ModelLost(
            f"alias {quoted(asked)} points to {quoted(model)}, which node"
            f" {node} no longer has; correct the alias"
        )
    if verdict is Verdict.NOT_OFFERED and status in (404, 410):
        return ModelLost(
            f"node {node} does not offer {action} for {quoted(model)}; use another model"
        )
    return None


def remedy(verdict: Verdict, status: int, node: str, model: str, *, keyed: bool) -> str:
    """The log's text for such a refusal. ``keyed``: the node has a key."""
    message = f"it answered {status}"
    if verdict in (Verdict.DENIED, Verdict.MODEL_DENIED):
        if status == 402:
            return f"{message}: its account has no credit left"
        mend = f"check nodes.{node}.api_key" if keyed else f"it may need nodes.{node}.api_key"
        what = "to accept its key" if keyed else "access"
        for_model = f" for {quoted(model)}" if verdict is Verdict.MODEL_DENIED else ""
        return f"{message}, refusing {what}{for_model}: {mend} and what its account may use"
    if verdict is Verdict.NO_MODEL:
        return f"{message}: it does not have the model {quoted(model)}"
    return message


def _reads_better(fault: ProxyError, body: bytes) -> bool:
    """Whether a node's error in Anthropic's form needs the vendor's wording in place of its own.
    Anthropic's clients recover from some errors only by that wording."""
    if fault.code == "unsupported_media":
        return True
    return fault.known_by != "" and fault.known_by.encode() not in body


def without_key(body: bytes, key: str | None) -> bytes:
    """An error's body without the node's key: if they refuse a key, some servers quote it, and
    OpenAI's service quotes its beginning and end."""
    if key is None:
        return body
    for form in {key.encode(), jsonio.dumps(key)[1:-1]}:
        body = body.replace(form, b"...")
    if len(key) < _MIN_KEY_CHARS:
        return body
    return _without_masked(body[:_MAX_BRIEF_BYTES], key) + body[_MAX_BRIEF_BYTES:]


def _without_masked(body: bytes, key: str) -> bytes:
    """The same for a partly masked key: a word with the same beginning or end."""
    head, tail = key[:3].encode(), key[-3:].encode()

    def blot(word: re.Match[bytes]) -> bytes:
        mask = _MASK.search(word[0])
        if mask is None:
            return word[0]
        ours = head in word[0][: mask.start()] or tail in word[0][mask.end() :]
        return b"..." if ours else word[0]

    return _WORD.sub(blot, body)


def _tells(body: bytes, authority: bytes) -> bool:
    """Whether it reveals what only the node should know."""
    return authority in body or any(mark in body for mark in _FRAMES)
