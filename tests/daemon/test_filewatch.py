"""Changes of files in the ways of editors and configuration management."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import cast

import pytest

from casedesk_proxy.daemon.filewatch import FileWatch
from tests.fixtures.patience import PATIENCE_S


class Watched:
    """A watched file. ``calls`` and ``looks`` count its reports and checks. ``may_look``: clear it,
    and the next check hangs."""

    def __init__(self, path: Path) -> None:
        self.calls = self.looks = 0
        self.called, self.may_look = asyncio.Event(), threading.Event()
        self.may_look.set()
        self._path = path
        self.watch = FileWatch(cast(Path, self), self.note, period_s=0.01)
        self.watch.start()

    def stat(self) -> os.stat_result:
        """Stands in for that of the path."""
        self.looks += 1
        self.may_look.wait()
        return self._path.stat()

    def note(self) -> None:
        self.calls += 1
        self.called.set()

    async def next(self) -> None:
        await asyncio.wait_for(self.called.wait(), PATIENCE_S)
        self.called.clear()

    async def looked(self, times: int) -> None:
        """Wait for so many further checks, and for their reports."""
        wanted = self.looks + times + 1
        async with asyncio.timeout(PATIENCE_S):
            while self.looks < wanted:
                await asyncio.sleep(0.001)

    async def ended(self) -> None:
        """Wait until nothing watches any more."""
        async with asyncio.timeout(PATIENCE_S):
            while any(one.name == "file watch" for one in threading.enumerate()):
                await asyncio.sleep(0.001)


async def test_rewritten_replaced_and_gone_for_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a")
    watched = Watched(path)
    # In one step: if it were emptied first, both of its states might be seen.
    with path.open("r+") as opened:
        opened.write("longer")
    await watched.next()
    (tmp_path / "draft").write_text("longer")
    (tmp_path / "draft").rename(path)
    await watched.next()
    path.unlink()
    await watched.looked(3)
    assert watched.calls == 2, "a file that is gone is nothing to reload"
    path.write_text("back")
    await watched.next()
    watched.watch.stop()


async def test_a_link_to_another_folder(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "c.yaml").write_text("same")
    (tmp_path / "now").symlink_to("one")
    watched = Watched(tmp_path / "now" / "c.yaml")
    (tmp_path / "next").symlink_to("two")
    os.rename(tmp_path / "next", tmp_path / "now")
    await watched.next()
    watched.watch.stop()


async def test_half_written_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("")
    watch = FileWatch(path, lambda: None)
    with path.open("a") as opened:
        for _ in range(40):
            opened.write("x")
            opened.flush()
            assert not watch._is_edited(watch._look())
    assert watch._is_edited(watch._look())
    assert not watch._is_edited(watch._look())


async def test_a_mount_that_hangs_does_not_hang_the_loop(tmp_path: Path) -> None:
    """If the loop waited for it, the test would time out."""
    path = tmp_path / "c.yaml"
    watched = Watched(path)
    watched.may_look.clear()
    path.write_text("new")
    await watched.looked(0)
    watched.watch.stop()
    watched.watch.start()
    watched.watch.stop()
    watched.may_look.set()
    await watched.ended()
    assert watched.calls == 0


@pytest.mark.parametrize("stops", [1, 2])
async def test_stop(tmp_path: Path, stops: int) -> None:
    watched = Watched(tmp_path / "c.yaml")
    for _ in range(stops):
        watched.watch.stop()
    (tmp_path / "c.yaml").write_text("new")
    await watched.ended()
    assert watched.calls == 0
