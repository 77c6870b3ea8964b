"""A client's key: made here, shown once, stored only by its hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field

__all__ = ["Credential", "mint"]

#: Lets people and secret scanners recognise a key.
PREFIX = "cdp-"


@dataclass(frozen=True, slots=True)
class Credential:
    key: str = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.key.encode()).hexdigest()


def mint() -> Credential:
    """256 bits from the system's generator: it cannot be guessed or searched."""
    return Credential(PREFIX + secrets.token_urlsafe(32))
