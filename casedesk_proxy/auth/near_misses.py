"""Describes what a client sent that looks like a key and is not one, so that it can be corrected.

The descriptions repeat none of it: even a scheme that is not well known may be half of a secret.
"""

from __future__ import annotations

import re

from casedesk_proxy.terms import RawHeaders
from casedesk_proxy.wire.query import read_pairs

__all__ = ["describe_sent", "describe_wrong"]

_SCHEMES = frozenset(
    {"basic", "digest", "negotiate", "ntlm", "token", "apikey", "key", "bot", "oauth", "jwt"}
)
#: Headers in which the proxy reads keys.
_READ = frozenset({b"x-goog-api-key", b"x-api-key"})
#: Headers that other services and gateways use for keys.
_HEADERS = frozenset(
    {
        b"api-key", b"api_key", b"apikey", b"token", b"x-token", b"x-auth-token", b"x-access-token",
        b"x-auth-key", b"auth", b"authentication", b"proxy-authorization", b"bearer",
        b"openai-api-key", b"anthropic-api-key", b"x-openai-api-key", b"x-litellm-api-key",
    }
)  # fmt: skip
_PARAMETERS = frozenset({"api_key", "apikey", "api-key", "access_token", "token", "auth"})
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_PLACEHOLDER = re.compile(r"\$\{?\w+\}?|<.*>|\{.*\}|your[-_ ].*|%\w+%|none|null|undefined", re.I)


def describe_sent(headers: RawHeaders, query: str) -> str:
    """What was found in place of a key; "" if nothing resembles one."""
    reason = ""
    for name, value in headers:
        low = name.lower()
        if low == b"authorization":
            return _about_authorization(value)
        if low in _READ:
            reason = reason or f"{low.decode()} was sent empty"
        elif low in _HEADERS:
            reason = reason or f"the header {low.decode()} was sent, which the proxy does not read"
    for parameter, given in read_pairs(query):
        if parameter == "key" and not given:
            reason = reason or "?key= was sent empty"
        elif parameter.lower() in _PARAMETERS:
            reason = reason or (
                f"the query parameter {parameter.lower()} was sent, which the proxy does not read"
            )
    return reason


def describe_wrong(credential: str) -> str:
    """What is wrong with the form of a key that is not known; "" if its form is right."""
    text = credential.strip()
    if text.lower().startswith("bearer "):
        return "it contains the word Bearer twice"
    if text[:1] in ("'", '"') or text[-1:] in ("'", '"'):
        return "it is enclosed in quotes"
    if _HASH.fullmatch(text):
        return "it looks like the SHA-256 hash in the configuration, not like the key itself"
    if _PLACEHOLDER.fullmatch(text):
        return "it looks like a placeholder that was never filled in"
    return ""


def _about_authorization(value: bytes) -> str:
    scheme, blank, rest = value.strip().replace(b"\t", b" ").partition(b" ")
    known = scheme.lower().decode("latin-1")
    if known == "bearer":
        return "Authorization: Bearer was sent without a key"
    if known in _SCHEMES and blank and rest.strip():
        return (
            f"Authorization was sent with the scheme {known.capitalize()}, which the proxy does"
            " not read"
        )
    if not scheme:
        return "Authorization was sent empty"
    if known.startswith("bearer"):
        return "Authorization was sent without a space after the word Bearer"
    return "Authorization was sent without the word Bearer before the key"
