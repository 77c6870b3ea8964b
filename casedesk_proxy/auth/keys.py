"""Which principal a key belongs to, and what it grants. Keys are known here only by their
SHA-256."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Sequence
from enum import Enum
from hashlib import sha256

from casedesk_proxy.auth.credentials import ACCEPTED_FORMS
from casedesk_proxy.auth.near_misses import describe_wrong
from casedesk_proxy.errors import ClientFault, Forbidden, NotFound, Unauthenticated
from casedesk_proxy.terms import Principal
from casedesk_proxy.wording import quoted

__all__ = ["UNREAD", "Access", "KeyTable", "authorise", "bare_deployment", "find_access"]

ANONYMOUS = Principal("anonymous", None)
_NOBODY = bytes(32)
#: What the holder of a key learns that is not known: clients give up at 401.
UNREAD = "the state file with the keys cannot be read now; send the request again"
_UNREAD_RETRY_S = 1.0
#: How many names of deployments one message lists.
_MAX_LISTED_NAMES = 8
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class KeyTable:
    """Principals by the digests of their keys, built from (SHA-256 in hex, principal). ``ended``:
    digests of keys that were valid once, each with a sentence about their end. ``is_read``: false
    if these are not all, since the state file could not be read yet.

    Raises ValueError for a digest that is not 64 hex digits; if a digest occurs twice, the first
    entry counts.
    """

    __slots__ = ("_ended", "_known", "is_read", "names")

    def __init__(
        self,
        keys: Iterable[tuple[str, Principal]] = (),
        ended: Iterable[tuple[str, str]] = (),
        *,
        is_read: bool = True,
    ) -> None:
        self.is_read = is_read
        self._known: dict[bytes, Principal] = {}
        for digest_hex, principal in keys:
            if not _SHA256.fullmatch(digest_hex):
                raise ValueError(f"key {principal.name!r}: a SHA-256 has 64 hex digits")
            self._known.setdefault(bytes.fromhex(digest_hex), principal)
        self._ended = {bytes.fromhex(digest_hex): sentence for digest_hex, sentence in ended}
        self.names = frozenset(principal.name for principal in self._known.values())

    def __len__(self) -> int:
        return len(self._known)

    @property
    def principals(self) -> Iterable[Principal]:
        return self._known.values()

    @property
    def has_ended(self) -> bool:
        """Whether there are keys that were valid once."""
        return bool(self._ended)

    def explain(self, key: str) -> str:
        """Why a former key is no longer valid; "" for a key that never existed."""
        return self._ended.get(_digest(key), "")

    def match(self, key: str) -> Principal | None:
        """The principal of this key. The time that this takes reveals nothing about stored keys.

        A stored digest is looked up by the whole digest of the given key, which an attacker cannot
        steer towards it, and then compared in constant time, found or not.
        """
        return self.find(_digest(key))

    def find(self, digest: bytes) -> Principal | None:
        """The same for a key's SHA-256."""
        found = digest if digest in self._known else _NOBODY
        return self._known.get(digest) if hmac.compare_digest(digest, found) else None


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()


class Access(Enum):
    """What a deployment requires of a request that names it."""

    #: Nothing.
    OPEN = "open"
    #: A key that grants access to it.
    KEY = "key"
    #: It does not exist, and saying so gives nothing away.
    MISSING = "missing"


def find_access(auth: str | None, *, any_keys: bool) -> Access:
    """``auth`` is the deployment's setting, None if no deployment has the name. Such a name is
    answered like a deployment that the caller may not use, 401 without a valid key and 403 with
    one, so that names cannot be found by trying. ``any_keys``: keys are configured; without keys
    there is nothing to hide."""
    if auth is None:
        return Access.KEY if any_keys else Access.MISSING
    return Access.OPEN if auth == "none" else Access.KEY


def authorise(
    principal: Principal | None,
    credential: str | None,
    deployment: str | None,
    access: Access,
    *,
    sent: str = "",
    ended: str = "",
    all_read: bool = True,
    open_to_all: Sequence[str] = (),
) -> Principal:
    """Returns who uses ``deployment``: the principal that ``credential`` matched, or the anonymous
    one.

    An open deployment ignores any credential: SDKs send dummies such as ``not-needed``.
    ``deployment`` is None or empty if a bare mount has no default. ``sent``: what a client without
    a credential sent in its place; ``ended``: why a former key is no longer valid; ``open_to_all``:
    the deployments that need no key. These three are for messages. ``all_read``: false if the keys
    of the state file could not be read yet, so that any key may be valid.

    Raises ClientFault, mostly Unauthenticated, Forbidden or NotFound; no message contains the
    credential.
    """
    if access is Access.OPEN:
        return ANONYMOUS
    if access is Access.MISSING:
        raise _not_found(deployment, _list("deployments that need no key:", open_to_all))
    if principal is None:
        if credential and not all_read:
            raise ClientFault(UNREAD, status=503, code="no_state", retry_after=_UNREAD_RETRY_S)
        raise _unauthenticated(credential, sent, ended)
    opened = principal.deployments
    if opened is None or (deployment and deployment in opened):
        return principal
    doors = _list("this key may use", sorted(opened)) + _list(
        "deployments that need no key:", open_to_all
    )
    if not deployment:
        raise _not_found(None, doors)
    raise Forbidden(
        f"this key does not grant access to deployment {quoted(deployment)}; ask an admin to"
        f" add it to the key{doors}"
    )


def bare_deployment(principal: Principal | None, default: str | None) -> str | None:
    """The deployment for a mount that names none: the key's if it has exactly one."""
    if principal is not None and principal.deployments and len(principal.deployments) == 1:
        return next(iter(principal.deployments))
    return default


def _unauthenticated(credential: str | None, sent: str, ended: str) -> Unauthenticated:
    if not credential:
        message = f"{sent}; a key is required" if sent else "a key is required"
        return Unauthenticated(f"{message}; send it as {ACCEPTED_FORMS}")
    used = f"(when several credentials are sent, only the first of {ACCEPTED_FORMS} is used)"
    if ended:
        # The key was typed correctly.
        return Unauthenticated(f"{ended}; ask for a new one {used}", code="invalid_key")
    looks = describe_wrong(credential)
    message = f"unknown key: {looks}" if looks else "unknown key"
    return Unauthenticated(
        f"{message}; check it for typing errors, or ask for a new one {used}", code="invalid_key"
    )


def _not_found(deployment: str | None, doors: str) -> NotFound:
    if not deployment:
        message = "no default deployment is configured; use /proxy/{deployment}/…"
    else:
        message = f"unknown deployment {quoted(deployment)}"
    return NotFound(message + doors, code="deployment_not_found")


def _list(message: str, names: Sequence[str]) -> str:
    """A clause in brackets with the first of ``names``; "" if there are none."""
    if not names:
        return ""
    others = f" and {len(names) - _MAX_LISTED_NAMES} more" if len(names) > _MAX_LISTED_NAMES else ""
    return f"; {message} {', '.join(names[:_MAX_LISTED_NAMES])}{others}"
