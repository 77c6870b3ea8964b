"""Buckets for the tests of files: in memory, and one that fails."""

from __future__ import annotations

from typing import Any

from obstore.store import MemoryStore

from casedesk_proxy.files.s3_bucket import S3Bucket, S3Fault


class MemoryBucket(S3Bucket):
    """``is_away``: the bucket cannot be reached."""

    def __init__(self) -> None:
        super().__init__(MemoryStore(), "bucket b")
        self.is_away = False
        self.puts = 0

    def put_file(self, *arguments: Any) -> None:
        if self.is_away:
            raise S3Fault("bucket b: it cannot be reached")
        self.puts += 1
        super().put_file(*arguments)

    def list_keys(self) -> list[str]:
        folders = ("contents", "files", "names")
        return [listed.path for folder in folders for listed in self.walk(folder)]
