"""OpenAI's forms: errors as a reply and as a stream's last event; models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.errors import LimitReached, ProxyError
from casedesk_proxy.terms import Limit, ModelInfo
from casedesk_proxy.wire.sse import frame

__all__ = ["error_body", "error_frame", "http_status", "list_models", "show_model"]

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
#: The codes that programs test for on OpenAI's own service.
_CODES = {"unauthenticated": "invalid_api_key", "invalid_key": "invalid_api_key"}


def http_status(error: ProxyError) -> int:
    return error.status


def error_body(error: ProxyError, request_id: str = "") -> bytes:
    """The envelope; ``param`` is the first faulty place, if one is known."""
    return jsonio.dumps_stream(
        {
            "error": {
                "message": error.message.encode("utf-8", "replace").decode(),
                "type": _type(error),
                "param": error.violations[0].path if error.violations else None,
                "code": _CODES.get(error.code, error.code),
            }
        }
    )


def _type(error: ProxyError) -> str:
    """For a limit OpenAI reports which quantity it limits, or that there is no credit left."""
    if isinstance(error, LimitReached):
        if not error.repeatable:
            return error.code
        is_of_tokens = error.standing.limit is Limit.TOKENS_PER_MINUTE
        return "tokens" if is_of_tokens else "requests"
    fallback = "invalid_request_error" if error.status < 500 else "server_error"
    return _TYPES.get(error.status, fallback)


def error_frame(error: ProxyError, request_id: str = "") -> bytes:
    """A whole event. No ``[DONE]`` is in it or follows it."""
    return frame(error_body(error))


def list_models(models: Sequence[ModelInfo]) -> dict[str, Any]:
    """All models: OpenAI's list has no pages."""
    return {"object": "list", "data": [show_model(model) for model in models]}


def show_model(model: ModelInfo) -> dict[str, Any]:
    """OpenAI's model object, with vLLM's ``max_model_len`` if the length is known."""
    shown: dict[str, Any] = {
        "id": model.name,
        "object": "model",
        "created": model.created or 0,
        "owned_by": model.owned_by or "casedesk-proxy",
    }
    if model.description:
        shown["description"] = model.description
    if model.context_length is not None:
        shown["max_model_len"] = model.context_length
    return shown
