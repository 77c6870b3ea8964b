"""The request for a URL: body, headers and path, by the protocol of its path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from bench.engine.clients import Request

__all__ = ["UnusableUrl", "make_request"]

PROMPT = "Count from one to ten thousand, one number per line."


class UnusableUrl(Exception):
    """A URL that the engine cannot load; the message says why."""


def make_request(
    url: str,
    *,
    key: str | None = None,
    model: str = "bench",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    unary: bool = False,
) -> Request:
    """A request for ``url``; missing parts are those of the protocol's SDKs.

    Raises UnusableUrl.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http":
        raise UnusableUrl(
            f"{parts.scheme} is not supported: the engine loads plain http only; measure the"
            " plain listener, TLS would measure the TLS library"
        )
    if not parts.hostname or parts.username is not None or not _has_port(parts):
        # The URL is not quoted: a user part contains a password.
        raise UnusableUrl("want http://HOST[:PORT]/PATH, without a user")
    path, query = parts.path, parts.query
    if path in ("", "/"):
        path = "/v1/chat/completions"
    if ":streamGenerateContent" in path and "alt=" not in query:
        query = f"{query}&alt=sse" if query else "alt=sse"
    sent = {"Content-Type": "application/json", **_default_headers(path, key), **(headers or {})}
    return Request(
        host=parts.hostname,
        port=parts.port or 80,
        path=f"{path}?{query}" if query else path,
        headers=sent,
        body=_default_body(path, model, stream=not unary) if body is None else body,
    )


def _has_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _default_headers(path: str, key: str | None) -> dict[str, str]:
    if "/messages" in path:
        headers = {"anthropic-version": "2023-06-01"}
        return {**headers, "x-api-key": key} if key else headers
    if not key:
        return {}
    return {"x-goog-api-key": key} if _is_gemini(path) else {"Authorization": f"Bearer {key}"}


def _default_body(path: str, model: str, *, stream: bool) -> bytes:
    messages = [{"role": "user", "content": PROMPT}]
    if _is_gemini(path):
        return json.dumps({"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}).encode()
    if "/messages" in path:
        facts = {"model": model, "max_tokens": 4096, "messages": messages}
    elif path.endswith("/completions") and "/chat/" not in path:
        facts = {"model": model, "prompt": PROMPT}
    else:
        facts = {"model": model, "messages": messages}
        if stream:
            facts["stream_options"] = {"include_usage": True}
    return json.dumps({**facts, "stream": stream}).encode()


def _is_gemini(path: str) -> bool:
    return "enerateContent" in path
