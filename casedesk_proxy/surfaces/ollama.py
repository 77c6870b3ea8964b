"""Ollama's own forms: errors, and merged answers of several nodes.

Its clients read ``error`` as a text, in a reply as in a line of a stream, and pull a model after a
404 (ollama-python's documentation). A server that has too much to do answers 503.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.errors import LimitReached, NotFound, ProxyError

__all__ = ["error_body", "error_frame", "http_status", "least_version", "merge_models"]

_BUSY_STATUSES = frozenset({429, 529})
#: Sorted after all known times in Ollama's order, the newest first.
_NO_TIME = ""
#: How many numbers of a release are compared at most.
_MAX_VERSION_NUMBERS = 4


def http_status(error: ProxyError) -> int:
    is_busy = error.status in _BUSY_STATUSES and not isinstance(error, LimitReached)
    return 503 if is_busy else error.status


def error_body(error: ProxyError, request_id: str = "") -> bytes:
    message = error.message.encode("utf-8", "replace").decode()
    if isinstance(error, NotFound) and error.model:
        name = error.model.encode("utf-8", "replace").decode()
        message = f"model '{name}' not found: {message}"
    return jsonio.dumps_stream({"error": message})


def error_frame(error: ProxyError, request_id: str = "") -> bytes:
    """A line of a stream, the last one."""
    return error_body(error) + b"\n"


def merge_models(
    shown: Iterable[tuple[str, str]], entries_of: Sequence[Mapping[str, Mapping[str, Any]]]
) -> dict[str, Any]:
    """The reply to ``/api/tags`` or ``/api/ps``: each model under each of its names for clients.

    ``shown``: names for clients, with the nodes' own; ``entries_of``: the entries of each node by
    its own names, in the operator's order: the first node that has a model counts.
    """
    entries = []
    for name, model in shown:
        entry = next((node[model] for node in entries_of if model in node), None)
        if entry is not None:
            entries.append({**entry, "name": name, "model": name})
    entries.sort(key=lambda entry: entry["name"])
    entries.sort(key=_modified_at, reverse=True)
    return {"models": entries}


def least_version(versions: Iterable[str]) -> str:
    """Clients decide by the version what they may request, and any node may get the request: so
    this is the oldest node's version. "" if none is known."""
    return min(versions, key=_numbers, default="")


def _modified_at(entry: Mapping[str, Any]) -> str:
    value = entry.get("modified_at")
    return value if isinstance(value, str) else _NO_TIME


def _numbers(version: str) -> tuple[int, ...]:
    """For example (0, 9, 3) for ``0.9.3-rc1``."""
    words = version.lstrip("v").partition("-")[0].split(".")[:_MAX_VERSION_NUMBERS]
    return tuple(int(word) if word.isdecimal() and len(word) < 10 else 0 for word in words)
