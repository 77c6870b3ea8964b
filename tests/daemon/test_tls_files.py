from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme

from casedesk_proxy.config.schema import Config
from casedesk_proxy.daemon.tls_files import find_tls_faults


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name in ("one", "two"):
        pair = authority.issue_cert("localhost")
        pair.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        pair.private_key_pem.write_to_path(folder / f"{name}.key")
    (folder / "junk.pem").write_text("nothing")
    return folder


def faults(files: Path, cert: str, key: str, ca: str) -> list[str]:
    tree: dict[str, Any] = {
        "server": {"tls": {"cert": str(files / cert), "key": str(files / key)}},
        "nodes": {"a": {"url": "https://a", "tls": {"ca": str(files / ca)}}},
    }
    found = find_tls_faults(Config.model_validate(tree), file="f")
    return [str(one).replace(f"{files}/", "") for one in found]


def test_nothing_to_say(files: Path) -> None:
    assert faults(files, "one.pem", "one.key", "ca.pem") == []
    assert find_tls_faults(Config()) == []


def test_every_file_that_is_missing(files: Path) -> None:
    assert faults(files, "no.pem", "no.key", "no-ca.pem") == [
        f"f: {place}: No such file or directory; check its path and its owner"
        for place in (
            "server.tls.cert: cannot read no.pem",
            "server.tls.key: cannot read no.key",
            "nodes.a.tls.ca: cannot read no-ca.pem",
        )
    ]


@pytest.mark.parametrize(
    ("cert", "key"), [("one.pem", "two.key"), ("junk.pem", "one.key"), ("one.pem", "junk.pem")]
)
def test_files_that_do_not_fit(files: Path, cert: str, key: str) -> None:
    (told,) = faults(files, cert, key, "ca.pem")
    assert told.startswith(f"f: server.tls: {cert} and {key} do not belong together: ")


def test_a_ca_file_without_certificates(files: Path) -> None:
    assert faults(files, "one.pem", "one.key", "junk.pem") == [
        "f: nodes.a.tls.ca: junk.pem contains no PEM certificate;"
        " name a file of certificates in PEM"
    ]
