from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from casedesk_proxy.config.complaints import ConfigError
from casedesk_proxy.config.schema import Config
from casedesk_proxy.config.secret import Secret
from casedesk_proxy.daemon.secrets import (
    MAX_SECRET_BYTES,
    find_exposed,
    read_secret,
    resolve_secrets,
)


def with_keys(**keys: Any) -> Config:
    nodes = {name: {"url": f"http://{name}", "api_key": key} for name, key in keys.items()}
    return Config.model_validate({"nodes": {**nodes, "open": {"url": "http://open"}}})


def complaints(config: Config, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        resolve_secrets(config, environ or {}, None, file="f.yaml")
    return [str(one) for one in caught.value.complaints]


def test_every_place(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file\n")
    (tmp_path / "cred").write_text("from-credential")
    config = with_keys(
        a={"env": "A"}, b={"file": str(tmp_path / "key")}, c={"credential": "cred"}, d="inline-key"
    )
    assert resolve_secrets(config, {"A": "from-env"}, str(tmp_path)) == {
        "a": "from-env",
        "b": "from-file",
        "c": "from-credential",
        "d": "inline-key",
    }


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_one_newline_at_the_end_is_not_the_key_s(tmp_path: Path, end: str) -> None:
    (tmp_path / "key").write_bytes(b"abc" + end.encode())
    assert resolve_secrets(with_keys(a={"file": str(tmp_path / "key")}), {}, None) == {"a": "abc"}


def test_all_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    config = with_keys(
        a={"env": "NOT_SET"}, b={"file": str(tmp_path / "none")}, c={"credential": "cred"}
    )
    assert complaints(config) == [
        "f.yaml: nodes.a.api_key: the environment variable NOT_SET is not set;"
        " set it, under systemd with Environment= or EnvironmentFile=",
        f"f.yaml: nodes.b.api_key: cannot read {tmp_path}/none: No such file or directory;"
        " check its path and its owner",
        "f.yaml: nodes.c.api_key: systemd passed no credential named cred;"
        " add LoadCredential=cred:/path to the unit",
    ]


def test_a_credential_that_was_not_handed_over(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory; add LoadCredential=cred"):
        resolve_secrets(with_keys(c={"credential": "cred"}), {}, str(tmp_path))
    with pytest.raises(
        ConfigError, match="; write it to /etc/casedesk-proxy/keys/cred and restart"
    ):
        resolve_secrets(with_keys(c={"credential": "key_cred"}), {}, str(tmp_path))
    (tmp_path / "key_cred").write_text("k")
    with pytest.raises(ConfigError, match=r"; write \{credential: key_cred\}"):
        resolve_secrets(with_keys(c={"credential": "cred"}), {}, str(tmp_path))


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"hush hush\n", b"hush\r\nX-Evil: 1\n", b"hush\x00", b"h\xc3\xbcsh", b"\xff"],
)
def test_what_no_header_takes_is_refused_unseen(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "key").write_bytes(data)
    (told,) = complaints(with_keys(a={"file": str(tmp_path / "key")}))
    assert "the key " in told
    assert "hush" not in told


def test_other_places_are_checked_too() -> None:
    assert "not allowed in a header" in complaints(with_keys(a="hush\nhush"))[0]
    assert "not allowed in a header" in complaints(with_keys(a={"env": "A"}), {"A": "a b"})[0]
    assert "is not set" in complaints(with_keys(a={"env": "A"}), {"A": ""})[0]


def test_a_folder_and_a_large_file_are_no_keys(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * (MAX_SECRET_BYTES + 1))
    config = with_keys(a={"file": str(tmp_path)}, b={"file": str(tmp_path / "large")})
    folder, large = complaints(config)
    assert "Is a directory" in folder
    assert "too large" in large


def test_files_that_everybody_can_read(tmp_path: Path) -> None:
    for name, mode in (("open", 0o644), ("group", 0o640), ("closed", 0o600)):
        (tmp_path / name).write_text("k")
        (tmp_path / name).chmod(mode)
    keys = {name: {"file": str(tmp_path / name)} for name in ("open", "group", "closed", "gone")}
    config = with_keys(e={"env": "A"}, **{f"n-{name}": key for name, key in keys.items()})
    path = tmp_path / "open"
    assert [str(one) for one in find_exposed(config, file="f")] == [
        f"f: nodes.n-open.api_key.file: everyone on this machine can read {path}; chmod o-rwx"
        f" {path}"
    ]


def test_another_secret(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql:///x\n")
    secret = Secret(file=str(tmp_path / "url"))
    assert read_secret(secret, "ledger.url", {}, None) == "postgresql:///x"
    with pytest.raises(ConfigError) as caught:
        read_secret(Secret(env="LEDGER"), "ledger.url", {}, None, file="c.yaml")
    (complaint,) = caught.value.complaints
    assert (complaint.path, complaint.file) == ("ledger.url", "c.yaml")
