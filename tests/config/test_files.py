"""The keys of the file store."""

from __future__ import annotations

from casedesk_proxy.config.files import Files
from casedesk_proxy.config.schema import Config


def test_files_are_kept_as_long_as_at_google_s() -> None:
    assert Config().files == Files(keep=48 * 3600, max_file=2 * 2**30)
    given = Config.model_validate({"files": {"max_file": "1MiB", "keep": "1h", "enabled": False}})
    assert (given.files.max_file, given.files.keep, given.files.enabled) == (2**20, 3600, False)
