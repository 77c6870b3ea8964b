"""Anthropic's forms: errors as a reply and as a stream's last event; models; the version.

Only statuses that Anthropic documents are sent. No capacity and no usable node are both its 529
overloaded_error, which its SDKs and Claude Code repeat patiently: a repeat costs nothing, since
nothing was generated. A reply that its node broke is 500 api_error with a hint not to repeat it,
since each repeat would cost a whole generation (see `errors.StreamBroken`). A feature that no node
offers (501) is reported as a fault of the request, since its SDKs would repeat a 501 too.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.errors import BadRequest, Busy, ProxyError, Unsupported
from casedesk_proxy.surfaces.anthropic_messages import message_of
from casedesk_proxy.surfaces.timestamps import rfc3339
from casedesk_proxy.terms import ModelInfo, RawHeaders
from casedesk_proxy.wire.query import read_number, read_pairs
from casedesk_proxy.wire.sse import named_frame

__all__ = [
    "error_body",
    "error_frame",
    "http_status",
    "list_models",
    "require_version",
    "show_model",
    "stream_error",
]

_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_STATUS = {501: 400, 502: 529, 503: 529}
#: Anthropic's tool runner asks for a thread by default. After this error it works without one and
#: sends the whole conversation (anthropic 2.14).
_NO_THREADS = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
_DEFAULT_PAGE_SIZE = 20
_MAX_PAGE_SIZE = 1000


def require_version(headers: RawHeaders) -> None:
    """Raises BadRequest without an ``anthropic-version``; any value is accepted (SDKs differ)."""
    for name, value in headers:
        if name.lower() == b"anthropic-version" and value.strip():
            return
    raise BadRequest("anthropic-version: header is required", code="missing_version")


def http_status(error: ProxyError) -> int:
    if isinstance(error, Busy) and error.status == Busy.status:
        return 529
    if error.status == 502 and not error.repeatable:
        return 500
    return _STATUS.get(error.status, error.status)


def error_body(error: ProxyError, request_id: str = "") -> bytes:
    """The envelope. SDKs read the request id from the header ``request-id``, people read it
    here."""
    return _envelope(_kind(http_status(error)), error, request_id)


def stream_error(error: ProxyError, request_id: str = "") -> bytes:
    """The envelope inside a stream. Since the HTTP status is 200, SDKs see only ``error.type``; a
    broken node is then not reported as overload."""
    kind = _kind(error.status if error.status == 502 else http_status(error))
    return _envelope(kind, error, request_id)


def error_frame(error: ProxyError, request_id: str = "") -> bytes:
    """A whole event."""
    return named_frame(b"error", stream_error(error, request_id))


def list_models(models: Sequence[ModelInfo], query: str = "") -> dict[str, Any]:
    """A page of models by name. ``query`` may contain limit (1 to 1000, default 20) and one of
    after_id and before_id, which need not be in the list any more. Raises BadRequest."""
    parameters = dict(read_pairs(query))
    limit = _limit(parameters.get("limit") or str(_DEFAULT_PAGE_SIZE))
    after, before = parameters.get("after_id"), parameters.get("before_id")
    if after and before:
        raise BadRequest.about(
            "before_id", "only one of after_id and before_id is allowed; leave one out"
        )
    ordered = sorted(models, key=lambda model: model.name)
    names = [model.name for model in ordered]
    if before:
        end = bisect_left(names, before)
        start = max(0, end - limit)
        more = start > 0
    else:
        start = bisect_right(names, after) if after else 0
        end = min(start + limit, len(names))
        more = end < len(names)
    return {
        "data": [show_model(model) for model in ordered[start:end]],
        "has_more": more,
        "first_id": names[start] if start < end else None,
        "last_id": names[end - 1] if start < end else None,
    }


def show_model(model: ModelInfo) -> dict[str, Any]:
    """Anthropic's model object. If the node reports no creation time, it is 1970."""
    shown: dict[str, Any] = {
        "type": "model",
        "id": model.name,
        "display_name": model.name,
        "created_at": rfc3339(model.created or 0),
        # A model that a node serves now is active; nodes report no plans.
        "lifecycle": "active",
    }
    if model.description:
        shown["description"] = model.description
    if model.context_length is not None:
        shown["max_input_tokens"] = model.context_length
    limit = model.output_limit or model.context_length
    if limit is not None:
        shown["max_tokens"] = limit
    return shown


def _kind(status: int) -> str:
    return _TYPES.get(status) or ("invalid_request_error" if status < 500 else "api_error")


def _envelope(kind: str, error: ProxyError, request_id: str) -> bytes:
    message = message_of(error).encode("utf-8", "replace").decode()
    details: dict[str, Any] = {"type": kind, "message": message}
    if isinstance(error, Unsupported) and any(one.path == "thread" for one in error.violations):
        details["details"] = _NO_THREADS
    shown: dict[str, Any] = {"type": "error", "error": details}
    if request_id:
        shown["request_id"] = request_id
    return jsonio.dumps_stream(shown)


def _limit(text: str) -> int:
    if (limit := read_number(text, 1, _MAX_PAGE_SIZE)) is None:
        raise BadRequest.about("limit", f"a number from 1 to {_MAX_PAGE_SIZE} is required")
    return limit
