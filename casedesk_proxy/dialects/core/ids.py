"""Ids that every client accepts, made from a node's ids or without one."""

from __future__ import annotations

import hashlib
import re
from typing import Any

__all__ = ["clean_id", "make_token", "reply_token"]

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


def make_token(seed: str) -> str:
    """Nine letters and digits, always the same for the same seed: the only ids of calls that
    Mistral's templates accept (vLLM 9019), and all other clients and nodes accept them too."""
    return hashlib.blake2b(seed.encode("utf-8", "replace"), digest_size=8).hexdigest()[:9]


def clean_id(text: str) -> str:
    """The id without characters that some clients refuse; may be empty."""
    return _UNSAFE.sub("", text)


def reply_token(ident: Any, request_id: str) -> str:
    """The unique part of a reply's id: the node's id, of any type, without chat's prefix; else a
    token."""
    given = clean_id(ident.removeprefix("chatcmpl-")) if isinstance(ident, str) else ""
    return given or make_token(request_id)
