"""Regular work; none for parts that are not configured."""

from __future__ import annotations

from pathlib import Path

from casedesk_proxy.files.store import FileStore
from casedesk_proxy.server.chores import list_chores
from casedesk_proxy.store.writer import StoreWriter
from tests.server.test_file_store import serving


def test_chores_are_for_what_there_is(tmp_path: Path) -> None:
    assert list(list_chores(serving(), None, None, None, None)) == []
    state = StoreWriter(tmp_path / "state.db")
    chores = list(list_chores(serving(), state, None, None, FileStore(state, tmp_path)))
    assert [name for _, name in chores] == ["retention", "sweep of files"]
    for chore, _ in chores:
        chore.close()
