"""Errors that a node of the client's own protocol puts into a reply of status 200.

Engines find some faults of a request only when they have sent ``200 OK``. Where such an error is
the first that comes, together with the head, nothing has gone to the client yet, and it can still
be what it is: an HTTP error, judged as those are.
"""

from __future__ import annotations

import re

from casedesk_proxy.dialects.node_errors.documents import is_error, status_of
from casedesk_proxy.dialects.node_errors.mapping import read_fault
from casedesk_proxy.errors import NodeError, ProxyError
from casedesk_proxy.jsonio import TooDeep, dumps
from casedesk_proxy.replying.node_errors import MAX_ERROR_BYTES, without_key
from casedesk_proxy.terms import Dialect
from casedesk_proxy.wire.tails import event_around

__all__ = ["judge_within", "read_within"]

#: How a body or an event begins that may be an error, comments before it; anything else is not
#: parsed.
_BEGINNING = re.compile(
    rb"(?:\s{0,8}:[^\n]{0,200}\n){0,16}\s{0,8}(?:event:[^\n]{0,40}\n)?(?:data:)?\s{0,8}\{\s{0,40}"
    rb'"(?:error"|object"\s{0,8}:\s{0,8}"error"|detail"|type"\s{0,8}:\s{0,8}"error"|message"|code")'
)


def read_within(payload: bytes) -> NodeError | None:
    """The error with which a body begins; None for an answer, and for what is not all there."""
    beginning = _BEGINNING.match(payload)
    if beginning is None:
        return None
    document = event_around(payload, beginning.end() - 1)
    if not isinstance(document, dict) or not is_error(document):
        return None
    try:
        return NodeError(status_of(document), dumps(document)[:MAX_ERROR_BYTES])
    except TooDeep:
        return None


def judge_within(surface: Dialect, error: NodeError, model: str, key: str | None) -> ProxyError:
    """The error to answer with. ``model`` is the client's name of it, ``key`` the node's."""
    body = without_key(error.body, key)
    return read_fault(surface, error.answered, (), body, model, ())
