"""Whether a body from elsewhere is an error that a surface's clients understand.

What SDKs read of each envelope was measured: google-generativeai fails on an ``error`` that is not
an object, google-genai shows nothing of an error without code and status, applications of
Anthropic's read both ``type``s.
"""

from __future__ import annotations

from typing import Any

from casedesk_proxy.jsonio import JSONError, loads
from casedesk_proxy.terms import Dialect

__all__ = ["is_error"]


def is_error(surface: Dialect, body: bytes) -> bool:
    """Google's error may be alone in an array, as its frontend sends it for ``alt=json``
    streams."""
    try:
        document = loads(body)
    except JSONError:
        return False
    if surface is Dialect.GEMINI and isinstance(document, list) and len(document) == 1:
        document = document[0]
    if surface is Dialect.OLLAMA:
        return isinstance(document, dict) and isinstance(document.get("error"), str)
    if not isinstance(document, dict) or not isinstance(document.get("error"), dict):
        return False
    return _CHECKS[surface](document, document["error"])


def _is_gemini(document: dict[str, Any], error: dict[str, Any]) -> bool:
    return type(error.get("code")) is int and _has_texts(error, "message", "status")


def _is_anthropic(document: dict[str, Any], error: dict[str, Any]) -> bool:
    return document.get("type") == "error" and _has_texts(error, "type", "message")


def _is_openai(document: dict[str, Any], error: dict[str, Any]) -> bool:
    return _has_texts(error, "message")


_CHECKS = {
    Dialect.GEMINI: _is_gemini,
    Dialect.ANTHROPIC: _is_anthropic,
    Dialect.OPENAI: _is_openai,
    Dialect.RESPONSES: _is_openai,
}


def _has_texts(error: dict[str, Any], *names: str) -> bool:
    return all(isinstance(error.get(name), str) for name in names)
