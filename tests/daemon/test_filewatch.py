"""Changes of files in the ways of editors and configuration management."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from casedesk_proxy.daemon.filewatch import FileWatch
from tests.fixtures.patience import PATIENCE_S


class Watched:
    def __init__(self, path: Path) -> None:
        self.calls = 0
        self.called = asyncio.Event()
        self.watch = FileWatch(path, self.note, period_s=0.01)
        self.watch.start()

    def note(self) -> None:
        self.calls += 1
        self.called.set()

    async def next(self) -> None:
        await asyncio.wait_for(self.called.wait(), PATIENCE_S)
        self.called.clear()


async def test_rewritten_replaced_and_gone_for_a_moment(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a")
    watched = Watched(path)
    path.write_text("longer")
    await watched.next()
    (tmp_path / "draft").write_text("longer")
    (tmp_path / "draft").rename(path)
    await watched.next()
    path.unlink()
    await asyncio.sleep(0.05)
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


async def test_a_mount_that_hangs_does_not_hang_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock plays the part of a mount at which ``stat`` hangs; if the loop waited for it, the
    test would time out."""
    hung, looked = threading.Event(), threading.Event()
    watched = Watched(tmp_path / "c.yaml")

    def stat(path: Path) -> os.stat_result:
        looked.set()
        hung.wait()
        return os.stat(tmp_path)

    monkeypatch.setattr(Path, "stat", stat)
    assert await asyncio.to_thread(looked.wait, 10)
    await asyncio.sleep(0)
    watched.watch.stop()
    watched.watch.start()
    watched.watch.stop()
    hung.set()
    assert watched.calls == 0


@pytest.mark.parametrize("stops", [1, 2])
async def test_stop(tmp_path: Path, stops: int) -> None:
    watched = Watched(tmp_path / "c.yaml")
    for _ in range(stops):
        watched.watch.stop()
    (tmp_path / "c.yaml").write_text("new")
    await asyncio.sleep(0.05)
    assert watched.calls == 0
