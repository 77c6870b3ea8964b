"""The bucket that several hosts share."""

from __future__ import annotations

import pytest

from casedesk_proxy.config.complaints import ConfigError
from casedesk_proxy.config.load import load_config
from casedesk_proxy.config.s3 import S3

START = "nodes: {n: {url: http://127.0.0.1:1}}\ndeployments: {d: {nodes: [n]}}\nfiles: {s3: "


def complaint(settings: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(START + settings + "}", "f")
    (one,) = caught.value.complaints
    return f"{one.path}: {one.message}; {one.remedy}"


def test_what_is_needed() -> None:
    assert S3(bucket="desk", region="eu-west-1").region == "eu-west-1"
    settings = S3(bucket="desk")
    assert (settings.endpoint, settings.region, settings.prefix) == (None, "us-east-1", "")
    url = "https://s3.example.com:9000"
    assert S3(bucket="desk", endpoint=url + "/", prefix="a/b-c").endpoint == url


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{bucket: Desk}", "bucket: is not a bucket's name"),
        ("{bucket: desk, endpoint: s3.example.com}", "endpoint: is not an http or https URL"),
        ("{bucket: desk, endpoint: 'https://h:99999'}", "endpoint: is not an http or https URL"),
        ("{bucket: desk, endpoint: 'https://hush:hush@h'}", "put the keys into access_key and"),
        ("{bucket: desk, endpoint: 'https://h/desk'}", "put the bucket's name into bucket"),
        ("{bucket: desk, prefix: /a}", "prefix: is not a valid prefix of a key"),
        ("{bucket: desk, region: US East}", "region: is not a region"),
        ("{bucket: desk, access_key: {env: A}}", "write both, or neither of them"),
        ("{bucket: desk, access_key: {env: A}, secret_key: hush}", "s3: contains the key itself"),
        ("{bucket: desk, access_key: {env: A}, secret_key: 7}", "files.s3.secret_key"),
    ],
)
def test_what_cannot_be(given: str, words: str) -> None:
    said = complaint(given)
    assert words in said
    assert "hush" not in said
