"""Messages for errors of the database, without its URL."""

from __future__ import annotations

import asyncio
import errno

import asyncpg
import pytest

from casedesk_proxy.ledger.database import connect, explain
from casedesk_proxy.store.schema import StoreError
from tests.fixtures.table import table


@table(
    ("error", "words"),
    [
        (StoreError("its disk is full"), "the state file: its disk is full"),
        (TimeoutError(), "it did not answer in time"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "Connection refused"),
        (OSError("several addresses"), "it cannot be reached"),
        (ValueError("very-secret"), "ledger.url is not a PostgreSQL URL"),
        (asyncpg.InvalidPasswordError("no\nDETAIL"), "InvalidPasswordError: no"),
        (asyncpg.InterfaceError(""), "InterfaceError"),
    ],
)
def test_faults_in_words(error: Exception, words: str) -> None:
    assert explain(error).startswith(words)
    assert "very-secret" not in explain(error)


def test_nobody_listens() -> None:
    with pytest.raises(OSError, match="Errno") as found:
        asyncio.run(connect(asyncpg, "postgresql://u:very-secret@127.0.0.1:1/x?sslmode=disable"))
    assert "very-secret" not in explain(found.value)
