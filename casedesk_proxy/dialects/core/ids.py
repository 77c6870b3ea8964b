"""Ids for what a node left without one."""

from __future__ import annotations

import hashlib

__all__ = ["make_token"]


def make_token(seed: str) -> str:
    """Nine letters and digits, always the same for the same seed: Mistral's templates take no
    other ids of calls (vLLM 9019), and everybody takes those."""
    return hashlib.blake2b(seed.encode("utf-8", "replace"), digest_size=8).hexdigest()[:9]
