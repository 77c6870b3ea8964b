"""Whose token it is, and what it opens. Tokens are known here by their SHA-256 only."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from hashlib import sha256

from casedesk_proxy.auth.credentials import ACCEPTED_FORMS
from casedesk_proxy.errors import Forbidden, NotFound, Unauthenticated
from casedesk_proxy.terms import Principal

__all__ = ["TokenTable", "authorise", "bare_deployment"]

ANONYMOUS = Principal("anonymous", None)
_NOBODY = bytes(32)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class TokenTable:
    """Tokens by digest, built from (name, SHA-256 in hex, names of deployments).

    Raises ValueError for a digest that is not 64 hex digits; if one digest stands twice, the
    first entry counts.
    """

    __slots__ = ("_known",)

    def __init__(self, tokens: Iterable[tuple[str, str, Iterable[str]]]) -> None:
        self._known: dict[bytes, Principal] = {}
        for name, digest_hex, deployments in tokens:
            if not _SHA256.fullmatch(digest_hex):
                raise ValueError(f"token {name!r}: a SHA-256 has 64 hex digits")
            digest = bytes.fromhex(digest_hex)
            self._known.setdefault(digest, Principal(name, frozenset(deployments)))

    def __len__(self) -> int:
        return len(self._known)

    def match(self, token: str) -> Principal | None:
        """Whose token this is. Time tells nothing about any stored token.

        A stored digest is looked up by the whole digest of the guess, which an attacker cannot
        steer towards it, and then compared in constant time, found or not.
        """
        digest = sha256(token.encode("utf-8", "surrogateescape")).digest()
        found = digest if digest in self._known else _NOBODY
        return self._known.get(digest) if hmac.compare_digest(digest, found) else None


def authorise(
    principal: Principal | None, credential: str | None, deployment: str | None, auth: str | None
) -> Principal:
    """Who may use ``deployment``: the principal that ``credential`` matched, or the anonymous one.

    ``auth`` is the deployment's setting. An open one ("none") ignores whatever is sent: SDKs send
    dummies such as ``not-needed``. For a name that no deployment has give "tokens": it is then
    answered like one that is not the caller's, 401 without a valid token and 403 with one, so
    that names cannot be found out by asking. Where there is no token at all, and so nothing to
    hide, give None. ``deployment`` is None or empty where a bare mount has no default.

    Raises Unauthenticated, Forbidden or NotFound; no message holds the credential.
    """
    if auth == "none":
        return ANONYMOUS
    if auth is None:
        raise _not_found(deployment)
    if principal is None:
        raise _unauthenticated(credential)
    if not deployment:
        raise _not_found(None)
    if principal.deployments is not None and deployment not in principal.deployments:
        raise Forbidden(f"this token opens no deployment named {_shown(deployment)}")
    return principal


def bare_deployment(principal: Principal | None, default: str | None) -> str | None:
    """The deployment behind a mount that names none: the token's if it has exactly one."""
    if principal is not None and principal.deployments and len(principal.deployments) == 1:
        return next(iter(principal.deployments))
    return default


def _unauthenticated(credential: str | None) -> Unauthenticated:
    if not credential:
        return Unauthenticated(f"a token is required; send it as {ACCEPTED_FORMS}")
    return Unauthenticated(
        "the token is not known; where several are sent, the first of "
        f"{ACCEPTED_FORMS} counts, even if another would be right",
        code="invalid_token",
    )


def _not_found(deployment: str | None) -> NotFound:
    if not deployment:
        told = "no deployment is meant by default here; use /proxy/{deployment}/…"
    else:
        told = f"no deployment is named {_shown(deployment)}"
    return NotFound(told, code="deployment_not_found")


def _shown(name: str) -> str:
    return f"'{name}'" if len(name) <= 80 else f"'{name[:80]}…'"
