"""Errors that a node of the client's own protocol sends inside a reply of status 200.

Engines find some faults of a request only after they have sent ``200 OK``. If such an error comes
first, together with the head, nothing has been sent to the client yet, and it can still become an
HTTP error, judged like any other.
"""

from __future__ import annotations

import re

from casedesk_proxy.dialects.node_errors.documents import is_error, status_of
from casedesk_proxy.dialects.node_errors.mapping import map_node_error
from casedesk_proxy.errors import NodeError, ProxyError, StreamBroken
from casedesk_proxy.jsonio import TooDeep, dumps
from casedesk_proxy.replying.node_errors import MAX_ERROR_BYTES, without_key
from casedesk_proxy.terms import Dialect
from casedesk_proxy.wire.tails import event_around

__all__ = ["IS_PAGE", "judge_within", "read_within"]

#: What a node did that sent a page for people.
IS_PAGE = "answered with a web page; correct its url"

#: The beginning of a body or an event that may be an error, after comments; other bytes are not
#: parsed.
_BEGINNING = re.compile(
    rb"(?:\s{0,8}:[^\r\n]{0,200}[\r\n]){0,16}\s{0,8}(?:event:[^\r\n]{0,40}[\r\n]\s{0,8})?(?:data:)?"
    rb"\s{0,8}\{\s{0,40}"
    rb'"(?:error"|object"\s{0,8}:\s{0,8}"error"|detail"|type"\s{0,8}:\s{0,8}"error"|message"|code")'
)
#: What may precede a page, and the page's beginning.
_BEFORE_PAGES = frozenset((b"<", b"\n", b"\r", b" "))
_PAGE = re.compile(rb"\s{0,80}<(?:!doctype html|html)\b", re.IGNORECASE)


def read_within(payload: bytes) -> StreamBroken | None:
    """The error at the beginning of a body; None for an answer or an incomplete beginning. A web
    page is an error."""
    beginning = _BEGINNING.match(payload)
    if beginning is None:
        if payload[:1] in _BEFORE_PAGES and _PAGE.match(payload) is not None:
            return StreamBroken(IS_PAGE)
        return None
    document = event_around(payload, beginning.end() - 1)
    if not isinstance(document, dict) or not is_error(document):
        return None
    try:
        return NodeError(status_of(document), dumps(document)[:MAX_ERROR_BYTES])
    except TooDeep:
        return None


def judge_within(surface: Dialect, error: NodeError, model: str, key: str | None) -> ProxyError:
    """The error to send. ``model`` is the client's name of it, ``key`` the node's."""
    body = without_key(error.body, key)
    return map_node_error(surface, error.answered, (), body, model, ())
