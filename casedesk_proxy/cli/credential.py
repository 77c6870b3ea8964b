"""A client's key in the form of a configuration."""

from __future__ import annotations

import json
import re

from casedesk_proxy.keystore.credential import Credential

__all__ = ["key_lines", "quote"]

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./@+-]*(?::[A-Za-z0-9_./@+-]+)*")
_YAML_WORDS = {"yes", "no", "on", "off", "y", "n", "true", "false", "null", "none"}


def key_lines(name: str, credential: Credential, deployments: tuple[str, ...]) -> str:
    """The entry under ``keys`` in a configuration."""
    return (
        f"  - name: {quote(name)}\n"
        f'    sha256: "{credential.sha256}"\n'
        f"    deployments: [{', '.join(quote(one) for one in deployments)}]\n"
    )


def quote(text: str) -> str:
    """Text for YAML, in quotes unless every parser reads it as text without them."""
    if _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)
