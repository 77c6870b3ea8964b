"""Every name in the documents has a title, and a daemon starts without the code that makes them."""

from __future__ import annotations

import subprocess
import sys

from casedesk_proxy.openapi.names import ADMIN, NAMES, TITLES

_ASK = """
import sys
import casedesk_proxy.cli, casedesk_proxy.daemon.run
print(*sorted(name for name in sys.modules if name.startswith("casedesk_proxy.openapi")))
"""


def test_every_name_has_a_title() -> None:
    assert tuple(TITLES) == NAMES
    assert ADMIN in NAMES


def test_a_daemon_starts_without_what_makes_documents() -> None:
    made = subprocess.run(
        [sys.executable, "-c", _ASK], capture_output=True, text=True, check=True, timeout=60
    )
    assert made.stdout.split() == ["casedesk_proxy.openapi", "casedesk_proxy.openapi.names"]
