from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from casedesk_proxy.config.schema import Config
from casedesk_proxy.daemon.tls_files import find_tls_faults, warn_of_certificate


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


#: In seconds since 1970: 10 and 20 March 2026, and a day.
SINCE, UNTIL, DAY = 1773100800.0, 1773964800.0, 86400.0


def warnings(folder: Path, cert: str, key: str, now: float) -> list[str]:
    tree = {"server": {"tls": {"cert": str(folder / cert), "key": str(folder / key)}}}
    found = warn_of_certificate(Config.model_validate(tree), file="f", now=now)
    return [str(one).replace(f"{folder}/", "") for one in found]


@pytest.fixture(scope="module", params=["RSA", "ECDSA"])
def dated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for these days alone, with its authority behind it."""
    folder = tmp_path_factory.mktemp("dated")
    authority = trustme.CA()
    pair = authority.issue_cert(
        "localhost",
        not_before=datetime.fromtimestamp(SINCE, UTC),
        not_after=datetime.fromtimestamp(UNTIL, UTC),
        key_type=trustme.KeyType[request.param],
    )
    chain = [one.bytes() for one in (*pair.cert_chain_pems, authority.cert_pem)]
    (folder / "one.pem").write_bytes(b"".join(chain))
    pair.private_key_pem.write_to_path(folder / "one.key")
    return folder


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (SINCE - 1, "is not valid before 2026-03-10 00:00 UTC; check this machine's clock"),
        (SINCE, "expires on 2026-03-20 00:00 UTC; renew it; a reload takes the new one"),
        (
            UNTIL + DAY,
            "expired on 2026-03-20 00:00 UTC, so clients refuse it; renew it; a reload takes the"
            " new one",
        ),
    ],
)
def test_a_certificate_that_clients_refuse_or_will_soon(dated: Path, now: float, told: str) -> None:
    assert warnings(dated, "one.pem", "one.key", now) == [f"f: server.tls.cert: one.pem {told}"]


def test_a_certificate_that_is_valid_for_long(files: Path) -> None:
    assert warnings(files, "one.pem", "one.key", time.time()) == []


@pytest.mark.parametrize(
    ("cert", "key"), [("one.pem", "two.key"), ("junk.pem", "one.key"), ("no.pem", "no.key")]
)
def test_files_that_cannot_be_used_have_no_date(files: Path, cert: str, key: str) -> None:
    assert warnings(files, cert, key, time.time()) == []


def test_without_tls_there_is_no_certificate() -> None:
    assert warn_of_certificate(Config()) == []
