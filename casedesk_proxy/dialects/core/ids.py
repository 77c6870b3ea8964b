"""Ids that every client takes, from what a node gave or left without one."""

from __future__ import annotations

import hashlib
import re
from typing import Any

__all__ = ["clean_id", "make_token", "reply_token"]

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


def make_token(seed: str) -> str:
    """Nine letters and digits, always the same for the same seed: Mistral's templates take no
    other ids of calls (vLLM 9019), and everybody takes those."""
    return hashlib.blake2b(seed.encode("utf-8", "replace"), digest_size=8).hexdigest()[:9]


def clean_id(text: str) -> str:
    """Without what not everybody takes in an id; may be empty."""
    return _UNSAFE.sub("", text)


def reply_token(ident: Any, request_id: str) -> str:
    """What tells a reply from others: of the node's id, where it gave one of any type, all but
    chat's prefix; else a token."""
    given = clean_id(ident.removeprefix("chatcmpl-")) if isinstance(ident, str) else ""
    return given or make_token(request_id)
