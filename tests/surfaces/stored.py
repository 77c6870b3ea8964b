"""Files for the tests of the surfaces' shapes."""

from __future__ import annotations

from dataclasses import replace

from casedesk_proxy.filing.stored_file import StoredFile

FILE = StoredFile(
    "0loyw3v281fviy1ihf0ah3yz", "alice", "n.txt", "text/plain", 3, "ab" * 32, 1_700_000_000.5,
    1_700_003_600.0,
)  # fmt: skip
OTHER = replace(FILE, id="1loyw3v281fviy1ihf0ah3yz", name="", expires=None, purpose="vision")
