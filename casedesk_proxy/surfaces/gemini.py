"""Google's forms: errors as a reply, as a stream's last frame and as an array element; models.

Every SDK builds its exception from ``error.code``, so that always equals the HTTP status. Inside a
stream google-genai sees an error only if ``error`` is the first key and ``code`` an integer
(3.6.1).

About 503: google-generativeai repeats it for ten minutes, ignoring Retry-After (123 requests,
measured), and repeats nothing else. So a condition that passes soon, such as being busy, is 429;
503 means that no node is usable, where waiting is right and a repeat costs no node anything. A node
that fails one request is 502, which it does not repeat.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any
from zlib import crc32

from casedesk_proxy import jsonio
from casedesk_proxy.errors import BadRequest, LimitReached, ProxyError
from casedesk_proxy.surfaces.limits import describe_failure
from casedesk_proxy.surfaces.retry_after import error_pause
from casedesk_proxy.terms import ModelInfo
from casedesk_proxy.wire.query import is_number, read_number, read_pairs
from casedesk_proxy.wire.sse import google_frame

__all__ = [
    "error_body",
    "error_element",
    "error_frame",
    "http_status",
    "list_models",
    "show_model",
]

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_TYPE = "type.googleapis.com/google.rpc."
_DOMAIN = "casedesk-proxy"
_NOT_REASON = re.compile(r"[^A-Z0-9_]")
_DEFAULT_PAGE_SIZE = 50
_MAX_PAGE_SIZE = 1000


def http_status(error: ProxyError) -> int:
    return error.status


def error_body(error: ProxyError, request_id: str = "") -> bytes:
    """The envelope; Google's has no field for a request id."""
    return jsonio.dumps_stream({"error": _error(error)})


def error_frame(error: ProxyError, request_id: str = "") -> bytes:
    """A whole SSE frame in Google's format. Close the connection after it."""
    return google_frame(error_body(error))


def error_element(error: ProxyError, request_id: str = "") -> bytes:
    """An element of a streamed array, without comma. Close after it, without ``]``."""
    return error_body(error)


def list_models(models: Sequence[ModelInfo], query: str = "") -> dict[str, Any]:
    """A page of models by name. ``query`` may contain pageSize (default 50; more than 1000 is
    reduced to 1000) and pageToken, which stays valid when the list changes. Raises BadRequest for
    either."""
    parameters = dict(read_pairs(query))
    size = _page_size(parameters.get("pageSize") or parameters.get("page_size") or "0")
    token = parameters.get("pageToken") or parameters.get("page_token")
    after = _read_token(token) if token else ""
    rest = sorted(
        (model for model in models if not after or model.name > after), key=lambda one: one.name
    )
    page = rest[:size]
    reply: dict[str, Any] = {"models": [show_model(model) for model in page]}
    if len(rest) > size:
        # Absent at the end: SDKs ask for pages as long as it is there.
        reply["nextPageToken"] = _write_token(page[-1].name)
    return reply


def show_model(model: ModelInfo) -> dict[str, Any]:
    """Google's Model resource. Limits that the node does not report are left out."""
    base, colon, tag = model.name.rpartition(":")
    if not colon or "/" in tag:
        base, tag = model.name, ""
    named = model.name if model.name.startswith("tunedModels/") else f"models/{model.name}"
    shown: dict[str, Any] = {
        "name": named,
        "baseModelId": base,
        "version": tag or "001",
        "displayName": model.name,
    }
    if model.description:
        shown["description"] = model.description
    if model.context_length is not None:
        shown["inputTokenLimit"] = model.context_length
    limit = model.output_limit or model.context_length
    if limit is not None:
        shown["outputTokenLimit"] = limit
    methods = [] if model.embeds else ["generateContent", "streamGenerateContent", "countTokens"]
    if model.embeds or model.also_embeds:
        methods += ["embedContent", "batchEmbedContents"]
    shown["supportedGenerationMethods"] = methods
    if model.thinks:
        shown["thinking"] = True
    return shown


def _error(error: ProxyError) -> dict[str, Any]:
    status = http_status(error)
    fallback = "INVALID_ARGUMENT" if status < 500 else "INTERNAL"
    return {
        "code": status,
        "message": error.message.encode("utf-8", "replace").decode(),
        "status": _STATUS.get(status, fallback),
        "details": _details(error),
    }


def _details(error: ProxyError) -> list[dict[str, Any]]:
    reason = _NOT_REASON.sub("_", error.code.upper())[:63]
    details: list[dict[str, Any]] = [
        {"@type": f"{_TYPE}ErrorInfo", "reason": reason, "domain": _DOMAIN}
    ]
    if error.violations:
        violations = [
            {"field": one.path, "description": one.description} for one in error.violations
        ]
        details.append({"@type": f"{_TYPE}BadRequest", "fieldViolations": violations})
    if isinstance(error, LimitReached):
        failure = describe_failure(error.standing, error.message)
        details.append({"@type": f"{_TYPE}QuotaFailure", **failure})
    if error.retry_after is not None:
        pause = f"{error_pause(error)}s"
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": pause})
    return details


def _page_size(text: str) -> int:
    if not is_number(text):
        raise BadRequest.about("pageSize", f"a number from 1 to {_MAX_PAGE_SIZE} is required")
    size = read_number(text, 0, _MAX_PAGE_SIZE)
    return _MAX_PAGE_SIZE if size is None else size or _DEFAULT_PAGE_SIZE


def _write_token(name: str) -> str:
    raw = name.encode()
    return base64.urlsafe_b64encode(crc32(raw).to_bytes(4) + raw).rstrip(b"=").decode()


def _read_token(token: str) -> str:
    """The name of the last model already shown."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        if crc32(raw[4:]).to_bytes(4) != raw[:4] or len(raw) < 5:
            raise ValueError
        return raw[4:].decode()
    except (ValueError, binascii.Error):
        why = "invalid pageToken; use nextPageToken of the previous page"
        raise BadRequest.about("pageToken", why) from None
