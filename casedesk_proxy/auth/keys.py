"""Which principal a key belongs to, and what it grants. Keys are known here only by their
SHA-256."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from enum import Enum
from hashlib import sha256

from casedesk_proxy.terms import Principal

__all__ = ["Access", "KeyTable", "bare_deployment", "find_access", "find_user"]

ANONYMOUS = Principal("anonymous", None)
_NOBODY = bytes(32)
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


def find_user(principal: Principal | None, deployment: str, access: Access) -> Principal | None:
    """Who uses ``deployment``: the ``principal`` of the request's key, or the anonymous one; None
    if the request must be refused. An open deployment ignores any key: SDKs send dummies such as
    ``not-needed``. ``deployment`` is empty if a bare mount has no default."""
    if access is Access.OPEN:
        return ANONYMOUS
    if access is Access.MISSING or principal is None:
        return None
    opened = principal.deployments
    return principal if opened is None or (deployment and deployment in opened) else None


def bare_deployment(principal: Principal | None, default: str | None) -> str | None:
    """The deployment for a mount that names none: the key's if it has exactly one."""
    if principal is not None and principal.deployments and len(principal.deployments) == 1:
        return next(iter(principal.deployments))
    return default
