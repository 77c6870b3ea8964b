"""Each module of the package can be imported first: none needs another to have been there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
#: A process that knows the libraries and nothing of the package makes one child for each module.
SCRIPT = """
import os, sys, traceback
import aiohttp, click, orjson, prometheus_client, pydantic, rich, uvloop, yaml

assert not [name for name in sys.modules if name.startswith("casedesk_proxy")]
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            __import__(name)
        except BaseException:
            print(f"{name}: {traceback.format_exc()}", flush=True)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        print(f"{name} cannot be imported first", flush=True)
"""


def modules() -> list[str]:
    found = []
    for path in sorted((ROOT / "casedesk_proxy").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] != "__main__":
            found.append(".".join(part for part in parts if part != "__init__"))
    return found


@pytest.mark.timeout(180)
def test_each_module_can_be_the_first() -> None:
    command = [sys.executable, "-c", SCRIPT, *modules()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
