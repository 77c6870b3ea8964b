"""Checks the keys in the state file, so that a change applies on all instances within a second.

It runs in a thread of its own, so the loop never waits for the file. A number in the file shows
that it has changed; one call passes the change on. Code of this process that has changed the file
requests a check at once. If the file cannot be read, the keys stay as they were. The same check
also reads the version numbers of other tables and calls a function for each one that has changed.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from casedesk_proxy.auth.keys import KeyTable
from casedesk_proxy.config.limits import LimitDefaults
from casedesk_proxy.keystore.rows import StoredKey, read_keys, read_version
from casedesk_proxy.keystore.table import NO_CHANGE, make_table, next_expiry
from casedesk_proxy.store.file import explain, open_reader
from casedesk_proxy.store.schema import StoreError
from casedesk_proxy.store.sign import FileSign

__all__ = ["KeyWatch"]

log = logging.getLogger(__name__)

#: Seconds between two checks. Each calls stat twice, and reads some rows if the file has changed.
_LOOK_S = 0.5
#: How many names one log line contains.
_MAX_LISTED_NAMES = 10


class KeyWatch:
    """``fault``: why the file cannot be read now; empty while it can."""

    def __init__(
        self,
        path: Path,
        publish: Callable[[KeyTable], None],
        *,
        defaults: Callable[[], LimitDefaults] = LimitDefaults,
        now: Callable[[], float] = time.time,
        look_s: float = _LOOK_S,
    ) -> None:
        """``publish`` is called in the checking thread, with each new table. ``defaults``: the
        limits of keys without their own, in the active configuration. ``now``: seconds since
        1970."""
        self.fault = ""
        self._path = path
        self._publish = publish
        self._now = now
        self._defaults = defaults
        self._had = defaults()
        self._look_s = look_s
        self._sign = FileSign(path)
        self._others: list[_Other] = []
        self._file = ExitStack()
        self._connection: sqlite3.Connection | None = None
        #: The file's identity, and the version of its keys; none at first.
        self._seen: tuple[object, int] | None = None
        self._keys: list[StoredKey] = []
        self._last, self._expiry = 0.0, NO_CHANGE
        self._is_stopping = False
        #: Set to check at once; the callers that wait for a check that begins from now on.
        self._bell = threading.Event()
        self._hurried: deque[Callable[[], None]] = deque()
        #: Set after the first check, whatever its result.
        self.looked = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keys", daemon=True)

    def start(self) -> None:
        """Check from then on."""
        self._thread.start()

    def inform(
        self, read: Callable[[sqlite3.Connection], int], changed: Callable[[], None]
    ) -> None:
        """Call ``changed``, in the checking thread, whenever ``read`` returns another number than
        before. Call this before `start`."""
        self._others.append(_Other(read, changed))

    def stop(self) -> None:
        """Does not wait for the thread, which may hang while it reads the file; the thread closes
        the file at its end."""
        self._is_stopping = True
        self._bell.set()
        if self._thread.ident is None:
            self._close()

    def hurry(self, looked: Callable[[], None]) -> None:
        """Check at once; ``looked`` is called after that, in the checking thread. May be called
        from any thread."""
        self._hurried.append(looked)
        self._bell.set()

    def look(self) -> bool:
        """Check once; returns whether a table was published. Called from one thread."""
        try:
            found = self._read()
        except (StoreError, sqlite3.Error, OSError, ValueError) as error:
            self._close()
            why = explain(error)
            if why != self.fault:
                log.error(
                    "keys in %s cannot be read: %s; %s",
                    self._path,
                    why,
                    "the keys read before stay valid"
                    if self._seen
                    else "their requests get 503 until it can",
                )
            self.fault = why
            found = None
        if self._seen is None:
            return False
        now, defaults = self._now(), self._defaults()
        same = found is None and defaults == self._had
        if same and self._last <= now < self._expiry:
            self._last = now
            return False
        if found is not None:
            self._log_names(found)
            self._keys = found
        self._last, self._expiry = now, next_expiry(self._keys, now)
        self._had = defaults
        self._publish(make_table(self._keys, now, defaults))
        return True

    def _run(self) -> None:
        while not self._is_stopping:
            # In this order: a caller that sets it meanwhile gets another check.
            self._bell.clear()
            hurried = [self._hurried.popleft() for _ in range(len(self._hurried))]
            self.look()
            self.looked.set()
            for looked in hurried:
                looked()
            self._bell.wait(self._look_s)
        self._close()

    def _read(self) -> list[StoredKey] | None:
        """None if nothing has changed."""
        if not self._sign.may_have_changed() and self._connection is not None:
            return None
        found = os.stat(self._path)
        identity = found.st_dev, found.st_ino
        if self._connection is None or self._seen is None or self._seen[0] != identity:
            self._close()
            self._connection = self._file.enter_context(open_reader(self._path))
        connection = self._connection
        for other in self._others:
            other.look(connection)
        version = read_version(connection)
        self.fault = ""
        if self._seen == (identity, version):
            return None
        # One transaction, so that version and keys belong together.
        connection.execute("BEGIN")
        try:
            version, keys = read_version(connection), read_keys(connection)
        finally:
            connection.execute("ROLLBACK")
        self._seen = identity, version
        return keys

    def _log_names(self, found: list[StoredKey]) -> None:
        """Names only, and not those of the first check."""
        if not self._last:
            return
        old, new = ({one.sha256: one for one in keys} for keys in (self._keys, found))
        changed = sorted(
            {one.name for digest, one in new.items() if _differs(one, old.get(digest))}
            | {one.name for digest, one in old.items() if digest not in new}
        )
        more = (
            f" and {len(changed) - _MAX_LISTED_NAMES} more"
            if len(changed) > _MAX_LISTED_NAMES
            else ""
        )
        if changed:
            log.info(
                "keys changed in the state file: %s%s", ", ".join(changed[:_MAX_LISTED_NAMES]), more
            )

    def _close(self) -> None:
        self._file.close()
        self._connection = None


class _Other:
    """Calls ``changed`` when the number in the file differs from the one before, and for the first
    number."""

    def __init__(
        self, read: Callable[[sqlite3.Connection], int], changed: Callable[[], None]
    ) -> None:
        self._read, self._changed = read, changed
        self._known: int | None = None

    def look(self, connection: sqlite3.Connection) -> None:
        number = self._read(connection)
        if number != self._known:
            self._known = number
            self._changed()


def _differs(one: StoredKey, other: StoredKey | None) -> bool:
    return other is None or (one.expires, one.ended) != (other.expires, other.ended)
