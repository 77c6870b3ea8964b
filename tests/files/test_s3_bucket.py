"""Objects of a bucket, in memory, and the messages for its failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from casedesk_proxy.config.s3 import S3
from casedesk_proxy.files.s3_bucket import explain, open_bucket
from tests.files.buckets import MemoryBucket


def test_objects_are_put_read_listed_and_removed(tmp_path: Path) -> None:
    bucket = MemoryBucket()
    assert bucket.put_new("a/x", b"one")
    assert not bucket.put_new("a/x", b"two")
    assert bucket.get("a/x") == b"one"
    bucket.put("a/x", b"two")
    (tmp_path / "f").write_bytes(b"0123456789")
    bucket.put_file("a/y", tmp_path / "f")
    bucket.put("ab", b"")
    assert bucket.read("a/y", 3, 4) == b"3456"
    assert [(one.path, one.size) for one in bucket.walk("a")] == [("a/x", 3), ("a/y", 10)]
    assert [bucket.measure(key) for key in ("a/y", "none")] == [10, None]
    for _ in range(2):
        bucket.remove("a/x")
    assert bucket.get("a/x") is None
    with pytest.raises(FileNotFoundError):
        bucket.read("a/x", 0, 1)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("… <Code>SignatureDoesNotMatch</Code><StringToSign>hush",
         "the store rejected a request (SignatureDoesNotMatch)"),
        ("PUT http://169.254.169.254/latest/api/token hush",
         "no credentials: set files.s3.access_key and files.s3.secret_key"),
        ("… <Code>NoSuchBucket</Code>", "the bucket does not exist"),
        ("Server returned non-2xx status code: 503 hush", "the store answered with status 503"),
        ("error sending request hush", "it cannot be reached"),
    ],
)  # fmt: skip
def test_a_fault_says_why_and_nothing_else(said: str, words: str) -> None:
    assert explain(said) == words


def test_no_key_is_shown() -> None:
    settings = S3(bucket="desk", endpoint="http://127.0.0.1:1", prefix="a/b")
    bucket = open_bucket(settings, ("hush-id", "hush-key"))
    assert bucket.name == "bucket desk at http://127.0.0.1:1"
    assert "hush" not in repr(vars(bucket))
    assert open_bucket(S3(bucket="desk"), None).name == "bucket desk at Amazon S3 (us-east-1)"
