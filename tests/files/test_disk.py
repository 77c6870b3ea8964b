"""Disk errors: what clients get and what is logged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from casedesk_proxy.errors import Busy, NotFound
from casedesk_proxy.files.disk import Disk
from casedesk_proxy.store.file import FILE_NAME
from casedesk_proxy.store.writer import StoreWriter


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    state = StoreWriter(tmp_path / FILE_NAME, gather_s=0.001)
    state.start()
    disk = Disk(state)
    yield disk
    disk.close()
    state.close(5)


def fail(error: Exception) -> None:
    raise error


async def test_a_fault_is_told_the_log_once(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        with pytest.raises(Busy, match="look into the proxy's log") as caught:
            await disk.run(lambda: fail(OSError(28, "No space left on device", "/secret/path")))
        assert "secret" not in caught.value.message
    assert [record.message.count("No space left") for record in caplog.records] == [1]


async def test_what_is_gone_and_what_is_no_disk_s_fault(disk: Disk) -> None:
    with pytest.raises(NotFound):
        await disk.run(lambda: fail(FileNotFoundError()))
    with pytest.raises(ZeroDivisionError):
        await disk.run(lambda: fail(ZeroDivisionError()))


async def test_the_state_file_is_read_and_written(disk: Disk) -> None:
    await disk.perform(lambda file: file.execute("INSERT INTO facts VALUES ('a', 'b')"))
    ask = "SELECT value FROM facts WHERE name = 'a'"
    assert await disk.read(lambda file: file.execute(ask).fetchone()) == ("b",)
