"""Passwords: kept as scrypt hashes, checked in a thread, one at a time.

``scrypt:LOG2N:R:P:SALT:HASH``. The costs are OWASP's minimum: 32 MiB and about 0.25 s of a core
(OpenSSL 3 in CPython 3.11). So guessing is slow, and since only one check runs at a time, guesses
cost us little.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets

__all__ = ["Checker", "hash_password", "is_right"]

#: The base-2 logarithm of the number of blocks, their size in 128 bytes, and the number of passes.
_COSTS = (15, 8, 3)
_SALT_BYTES, _HASH_BYTES = 16, 32
#: For hashes from elsewhere: no more memory is used, whatever their costs.
_MAX_MEMORY_BYTES = 256 * 2**20
MAX_PASSWORD_CHARS = 1000
#: How many checks may wait.
_MAX_WAITING_CHECKS = 16


def hash_password(password: str, log2_n: int = _COSTS[0]) -> str:
    salt = secrets.token_bytes(_SALT_BYTES)
    _, r, p = _COSTS
    made = _derive(password, salt, log2_n, r, p)
    return f"scrypt:{log2_n}:{r}:{p}:{_text(salt)}:{_text(made)}"


def is_right(password: str, stored: str) -> bool:
    """False also if ``stored`` is not a hash."""
    try:
        _, log2_n, r, p, salt, wanted = stored.split(":")
        made = _derive(password, _bytes(salt), int(log2_n), int(r), int(p))
        return hmac.compare_digest(made, _bytes(wanted))
    except (ValueError, OverflowError, MemoryError):
        return False


class Checker:
    """Checks passwords from any source."""

    def __init__(self, log2_n: int = _COSTS[0]) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._log2_n = log2_n

    @property
    def is_busy(self) -> bool:
        """Whether no more checks may wait."""
        return self._waiting >= _MAX_WAITING_CHECKS

    async def check(self, password: str, stored: str | None) -> bool:
        """``stored``: None if no user has the name."""
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(self._check, password, stored)
        finally:
            self._waiting -= 1

    def _check(self, password: str, stored: str | None) -> bool:
        if stored is not None:
            return is_right(password, stored)
        # The same work, so that the time does not reveal which names exist.
        hash_password(password, self._log2_n)
        return False


def _derive(password: str, salt: bytes, log2_n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"), salt=salt, n=1 << min(log2_n, 20), r=r, p=p,
        maxmem=_MAX_MEMORY_BYTES, dklen=_HASH_BYTES,
    )  # fmt: skip


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
