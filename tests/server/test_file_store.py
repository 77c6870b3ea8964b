"""Where this process's file store is."""

from __future__ import annotations

from pathlib import Path

from casedesk_proxy.config.schema import Config
from casedesk_proxy.files.shared_store import SharedFileStore
from casedesk_proxy.server.file_store import open_files
from casedesk_proxy.server.runtime import Serving, first_runtime
from casedesk_proxy.store.writer import StoreWriter
from casedesk_proxy.telemetry.log_output import LogFormatter
from tests.files.buckets import MemoryBucket


def serving(**files: str) -> Serving:
    config = Config.model_validate({"files": files})
    return Serving(first_runtime(config, {}, LogFormatter()))


def test_contents_lie_beside_the_state_file_or_where_they_are_told(tmp_path: Path) -> None:
    state = StoreWriter(tmp_path / "state.db")
    beside = open_files(serving(), state)
    assert beside is not None
    assert beside.contents.directory == tmp_path / "files"
    told = open_files(serving(directory="/elsewhere"), state)
    assert told is not None
    assert told.contents.directory == Path("/elsewhere")


def test_without_a_state_file_there_are_no_files() -> None:
    assert open_files(serving(), None) is None


def test_they_are_in_a_bucket_where_there_is_one(tmp_path: Path) -> None:
    state = StoreWriter(tmp_path / "state.db")
    shared = open_files(serving(), state, MemoryBucket())
    assert isinstance(shared, SharedFileStore)
    assert open_files(serving(), None, shared) is shared
