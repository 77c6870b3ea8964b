"""Files of two hosts in a real S3 store, which fails during an upload and comes back."""

from __future__ import annotations

import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import invoke
from tests.fixtures.proxy import config_text, proxy_process
from tests.fixtures.sdks import openai
from tests.fixtures.seaweed import ACCESS_KEY, SECRET_KEY, Seaweed, seaweed

#: Each starts processes, and a loaded machine takes its time.
pytestmark = pytest.mark.timeout(240)

#: More than two parts of an upload to S3.
CONTENT = os.urandom(20 * 2**20)
KEYS = {"TEST_S3_ID": ACCESS_KEY, "TEST_S3_KEY": SECRET_KEY}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        server.open_bucket()
        yield server


def config(folder: Path, server: Seaweed) -> dict[str, Any]:
    keys = {"access_key": {"env": "TEST_S3_ID"}, "secret_key": {"env": "TEST_S3_KEY"}}
    return {
        "server": {"state_directory": str(folder / "state")},
        "default_deployment": "d",
        "nodes": {"n": {"url": "http://127.0.0.1:1", "engine": "vllm", "models": ["m"]}},
        "deployments": {"d": {"nodes": ["n"], "auth": "none"}},
        "files": {
            "s3": {"bucket": "casedesk", "endpoint": server.endpoint, "prefix": "x/y", **keys}
        },
    }


def send(url: str, command: str, data: bytes = b"", **headers: str) -> Any:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    given |= {"X-Goog-Upload-Command": command, "Content-Type": "application/json"}
    return urllib.request.urlopen(urllib.request.Request(url, data, given, method="POST"))


def finalize(url: str) -> str | None:
    """The file's name; None if the store does not have it yet."""
    try:
        with send(url, "finalize") as done:
            name: str = json.load(done)["file"]["name"]
            return name
    except urllib.error.HTTPError as error:
        with error:
            if error.code != 503:
                raise
        return None


def test_two_hosts_share_files_and_the_store_may_be_away(store: Seaweed, tmp_path: Path) -> None:
    with ExitStack() as stack:
        hosts = []
        for name in ("a", "b"):
            folder = tmp_path / name
            folder.mkdir()
            hosts.append(stack.enter_context(proxy_process(folder, config(folder, store), KEYS)))
        start = {"X_Goog_Upload_Protocol": "resumable"}
        metadata = json.dumps({"file": {"displayName": "big"}}).encode()
        with send(f"{hosts[0].url}/upload/v1beta/files", "start", metadata, **start) as begun:
            url = begun.headers["x-goog-upload-url"]
        half = len(CONTENT) // 2
        send(url, "upload", CONTENT[:half], X_Goog_Upload_Offset="0").close()
        store.kill()
        send(url, "upload", CONTENT[half:], X_Goog_Upload_Offset=str(half)).close()
        # It is tried again until the store is back; where that takes long, by the client, too.
        back = threading.Timer(0.3, store.come_back)
        back.start()
        while (name := finalize(url)) is None:
            continue
        back.join()
        here, there = (stack.enter_context(openai.OpenAI(base_url=f"{host.url}/v1", api_key="x"))
                       for host in hosts)  # fmt: skip
        ident = name.replace("files/", "file-")
        assert [one.id for one in there.files.list()] == [ident]
        assert there.files.content(ident).content == CONTENT
        there.files.delete(ident)
        with pytest.raises(openai.NotFoundError):
            here.files.retrieve(ident)
        assert not any(SECRET_KEY in host.log for host in hosts)


def test_what_check_says(store: Seaweed, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(config_text(config(tmp_path, store)))
    assert invoke("check", "--keys", file, **KEYS).stderr == ""
    no_bucket = config(tmp_path, store)
    no_bucket["files"]["s3"]["bucket"] = "none"
    there_is_none = tmp_path / "none.yaml"
    there_is_none.write_text(config_text(no_bucket))
    for other, keys, words in (
        (file, {**KEYS, "TEST_S3_KEY": "hush"},
         "casedesk at {}: the store rejected a request (SignatureDoesNotMatch)"),
        (there_is_none, KEYS, "none at {}: the bucket does not exist"),
    ):  # fmt: skip
        said = invoke("check", "--keys", other, **keys).stderr
        where = words.format(store.endpoint)
        place, _, text = said.removeprefix(f"warning: {other}:").partition(": ")
        assert other.read_text().splitlines()[int(place.split(":")[0]) - 1].strip() == "s3:"
        assert text == f"files.s3: bucket {where}\n"
    missing = invoke("check", "--keys", file, TEST_S3_ID="x")
    assert "files.s3.secret_key: the environment variable TEST_S3_KEY is not set" in missing.stderr
    assert missing.returncode == 2
