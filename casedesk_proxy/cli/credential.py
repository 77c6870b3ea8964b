"""A client's key: made here, printed once, stored by its hash alone."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import dataclass, field

__all__ = ["PREFIX", "Credential", "key_lines", "mint", "quote"]

#: Tells people and secret scanners what they have found.
PREFIX = "cdp-"

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./@+-]*(?::[A-Za-z0-9_./@+-]+)*")
_YAML_WORDS = {"yes", "no", "on", "off", "y", "n", "true", "false", "null", "none"}


@dataclass(frozen=True, slots=True)
class Credential:
    key: str = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.key.encode()).hexdigest()


def mint() -> Credential:
    """256 bits from the system's generator: nothing that could be guessed or searched."""
    return Credential(PREFIX + secrets.token_urlsafe(32))


def key_lines(name: str, credential: Credential, deployments: tuple[str, ...]) -> str:
    """The entry under ``keys`` in a configuration."""
    return (
        f"  - name: {quote(name)}\n"
        f'    sha256: "{credential.sha256}"\n'
        f"    deployments: [{', '.join(quote(one) for one in deployments)}]\n"
    )


def quote(text: str) -> str:
    """Text for YAML, in quotes unless every reader takes it for text without them."""
    if _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)
