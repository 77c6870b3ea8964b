"""The open sessions of all instances that share a state file.

They are looked up in memory, since each request of a page needs one. A session that begins or ends
is written to the file first. The other instances read the file when they notice the change, and
when a page uses a session that they do not know. Without a file a session lives as long as the
process. Only the SHA-256 of an id is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace

from casedesk_proxy.config.schema import Config
from casedesk_proxy.console.accounts import Account, find_account
from casedesk_proxy.console.rows import (
    TOUCH,
    Session,
    StoredUser,
    end_session,
    keep_session,
    read_all,
    read_version,
)
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.store.file import open_reader
from casedesk_proxy.store.schema import StoreError
from casedesk_proxy.store.writer import StoreWriter
from casedesk_proxy.terms import Principal

__all__ = ["SessionBook"]

log = logging.getLogger(__name__)

#: Seconds after which everything is read again, since the use of a session at other instances does
#: not change the version.
_READ_AGAIN_S = 60.0
#: Seconds until the next check of a file that cannot be read.
_RETRY_S = 0.5
#: Seconds of use that are not written.
_TOUCH_S = 30.0
#: Seconds for which a sign-in waits for the state file.
_FILE_WAIT_S = 10.0


class SessionBook:
    """A `Sessions`. ``now``: seconds since 1970. ``read_again_s``: the file is read again after so
    many seconds without a call of `hear`."""

    def __init__(
        self,
        config: Callable[[], Config],
        snapshot: Callable[[], Snapshot],
        store: StoreWriter | None,
        *,
        now: Callable[[], float] = time.time,
        read_again_s: float = _READ_AGAIN_S,
    ) -> None:
        self._config = config
        self._snapshot = snapshot
        self._store = store
        self._now = now
        self._read_again_s = read_again_s
        self._news = asyncio.Event()
        self._open: dict[str, Session] = {}
        self._written: dict[str, float] = {}
        self.users: dict[str, StoredUser] = {}
        self._seen: tuple[int, float] = (-1, 0.0)
        #: One check at a time; and how many have begun.
        self._turn = asyncio.Lock()
        self._looks = 0
        #: How many sessions began and ended here: what was read meanwhile may be older.
        self._changes = 0
        #: Sessions that ended here, and must not open again because the file does not have that
        #: yet.
        self._ended: dict[str, float] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    @property
    def secure(self) -> bool:
        return self._config().server.tls is not None

    def find(self, ident: str) -> Principal | None:
        """Raises nothing."""
        session = self.find_session(ident)
        return None if session is None else self.principal_of(session)

    def find_session(self, ident: str) -> Session | None:
        """An open session, noting its use."""
        digest, now = _digest(ident), self._now()
        session = self._open.get(digest)
        if session is None or self.has_ended(session, now):
            return None
        if self.principal_of(session) is None:
            return None
        session = self._open[digest] = replace(session, seen=now)
        if self._store is not None and now - self._written.get(digest, 0.0) >= _TOUCH_S:
            self._written[digest] = now
            self._store.write(TOUCH, (now, digest))
        return session

    def has_ended(self, session: Session, now: float) -> bool:
        idle_s = self._config().console.idle_timeout
        return now >= min(session.expires, session.seen + idle_s)

    def is_open(self, session: Session) -> bool:
        """Whether it is still open, without noting a use."""
        known = self._open.get(session.digest)
        return (
            known is not None
            and not self.has_ended(known, self._now())
            and self.principal_of(known) is not None
        )

    def principal_of(self, session: Session) -> Principal | None:
        """None once the key is revoked or the password changed."""
        if session.way == "key":
            return self._snapshot().find_by_digest(bytes.fromhex(session.proof))
        account = self.find_account(session.name)
        if account is None or not secrets.compare_digest(account.proof, session.proof):
            return None
        return account.principal

    def find_account(self, name: str) -> Account | None:
        return find_account(name, self._config(), self.users)

    async def begin(self, name: str, way: str, proof: str) -> tuple[str, Session]:
        """The id, which is shown once, and the session. Raises StoreError and TimeoutError if the
        state file does not accept it."""
        ident, now = secrets.token_urlsafe(32), self._now()
        expires = now + self._config().console.lifetime
        session = Session(_digest(ident), name, way, proof, now, now, expires)
        await self._write(lambda file: keep_session(file, session, now))
        self._changes += 1
        self._open[session.digest] = session
        self._written[session.digest] = now
        return ident, session

    async def end(self, session: Session) -> None:
        """Here at once, for the other instances once the file has it."""
        self._open.pop(session.digest, None)
        self._ended[session.digest] = session.expires
        await self._write(lambda file: end_session(file, session.digest))

    async def _write(self, step: Callable[[sqlite3.Connection], None]) -> None:
        if self._store is not None:
            async with asyncio.timeout(_FILE_WAIT_S):
                await asyncio.wrap_future(self._store.perform(step))

    def hear(self) -> None:
        """Called when sessions or users in the file have changed."""
        self._news.set()

    async def keep_current(self) -> None:
        """Runs as long as the process serves."""
        while True:
            self._news.clear()
            await self.look()
            # `asyncio.wait_for` would forget a cancel on Python 3.11.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._read_again_s):
                    await self._news.wait()

    async def look_for(self, ident: str) -> None:
        """Read changes of others, which may have begun this session. Requests that ask meanwhile
        share the next check, so that many unknown ids cause only one check after the other."""
        digest = _digest(ident)
        if self._store is None or digest in self._open or digest in self._ended:
            return
        known = self._looks
        async with self._turn:
            if self._looks == known:
                await self._look()

    async def look(self) -> None:
        """Read changes of others."""
        if self._store is None:
            self._forget_ended()
            return
        async with self._turn:
            await self._look()

    async def _look(self) -> None:
        self._looks += 1
        changes = self._changes
        try:
            found = await asyncio.to_thread(self._read)
        except (StoreError, sqlite3.Error, OSError, ValueError) as error:
            log.debug("sessions cannot be read: %s", error)
            asyncio.get_running_loop().call_later(_RETRY_S, self.hear)
            return
        if changes != self._changes:
            self._seen = (-1, 0.0)
            self.hear()
        elif found is not None:
            self._take(*found)

    def _take(self, sessions: list[Session], users: list[StoredUser]) -> None:
        """A use here that was not written yet counts."""
        now = self._now()
        self._ended = {digest: until for digest, until in self._ended.items() if until > now}
        self._open = {
            one.digest: _newer(one, self._open.get(one.digest))
            for one in sessions
            if one.digest not in self._ended
        }
        self._written = {d: at for d, at in self._written.items() if d in self._open}
        self.users = {one.name: one for one in users}

    def _read(self) -> tuple[list[Session], list[StoredUser]] | None:
        assert self._store is not None
        now = self._now()
        with open_reader(self._store.path) as connection:
            version = read_version(connection)
            if version == self._seen[0] and now - self._seen[1] < self._read_again_s:
                return None
            connection.execute("BEGIN")
            version, found = read_version(connection), read_all(connection)
            connection.execute("ROLLBACK")
        self._seen = version, now
        return found

    def _forget_ended(self) -> None:
        now = self._now()
        self._open = {d: one for d, one in self._open.items() if not self.has_ended(one, now)}


def _digest(ident: str) -> str:
    return hashlib.sha256(ident.encode()).hexdigest()


def _newer(one: Session, known: Session | None) -> Session:
    return one if known is None or known.seen <= one.seen else known
