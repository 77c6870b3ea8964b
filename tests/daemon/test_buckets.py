"""The files' bucket with its keys, and without the package that it needs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from casedesk_proxy.config.complaints import ConfigError
from casedesk_proxy.config.s3 import S3
from casedesk_proxy.config.secret import Secret
from casedesk_proxy.daemon.buckets import open_file_bucket

SETTINGS = S3(
    bucket="desk", endpoint="http://127.0.0.1:1", access_key=Secret(env="ID"),
    secret_key=Secret(credential="s3"),
)  # fmt: skip


def test_keys_come_from_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "s3").write_text("hush\n")
    bucket = open_file_bucket(SETTINGS, {"ID": "id"}, str(tmp_path), file="f")
    assert bucket.name == "bucket desk at http://127.0.0.1:1"
    assert open_file_bucket(S3(bucket="desk"), {}, None, file="f").name.endswith("(us-east-1)")
    with pytest.raises(ConfigError, match=r"files\.s3\.access_key: the environment variable ID"):
        open_file_bucket(SETTINGS, {}, str(tmp_path), file="f")


def test_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(ConfigError) as caught:
        open_file_bucket(S3(bucket="desk"), {}, None, file="f")
    assert [str(one) for one in caught.value.complaints] == [
        "f: files.s3: the package obstore is missing; pip install 'casedesk-proxy[s3]'"
    ]
