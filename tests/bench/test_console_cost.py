"""console.py from the command line: its report; the costs are only measured on quiet machines."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_it_tells_the_cost_of_a_page_and_how_soon_a_cancel_arrives() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.console", "-n", "4", "--rate", "20", "--windows", "1",
         "--seconds", "0.3", "--search", "m", "--cancel", "2"],
        capture_output=True, text=True, timeout=55, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("4 streams × 20/s, 1 page(s), searching for m: % of a core")
    for name in ("without", "with", "added"):
        assert re.search(rf"^  {name} +-?\d+\.\d\d%", done.stdout, re.MULTILINE)
    assert re.search(r"^  2 cancelled, ms p50 \d", done.stdout, re.MULTILINE)
    assert not done.stdout.endswith("0 KiB sent to pages\n")
