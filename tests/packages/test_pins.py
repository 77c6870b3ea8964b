"""What tests install is pinned to the version, so that a run of today repeats yesterday's."""

from __future__ import annotations

import re
from configparser import ConfigParser

from tests.fixtures.table import table
from tests.systemd.machine import ROOT

PINNED = re.compile(r"^([\w.-]+)==\S+$", re.MULTILINE)
#: The words of an extra, up to its version.
NAMED = re.compile(r"^[\w.-]+", re.MULTILINE)


def normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@table("extra", ["test", "lint", "bench", "s3", "postgres"])
def test_all_of_an_extra_is_pinned(extra: str) -> None:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    asked = config["options"]["install_requires"] + config["options.extras_require"][extra]
    pins = (ROOT / "tests/constraints.txt").read_text()
    pinned = {normalise(name) for name in PINNED.findall(pins)}
    assert {normalise(name) for name in NAMED.findall(asked)} - pinned == set()
    assert "casedesk-proxy" not in pinned
