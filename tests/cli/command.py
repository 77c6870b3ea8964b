"""Runs the real command in its own process: exit codes and streams as operators see them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMMAND = (sys.executable, "-m", "casedesk_proxy")

#: No variable of the developer's own may find its way into a test.
ENVIRONMENT = {
    key: value
    for key, value in os.environ.items()
    if key not in ("CASEDESK_PROXY_CONFIG", "CREDENTIALS_DIRECTORY")
}


def run(
    *arguments: str | Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
