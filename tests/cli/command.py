"""Runs a command: exit codes and streams as operators see them.

``run`` starts a separate process, for tests that need one: each command once, and its effects on
the whole process. ``invoke`` runs in this process and is many times faster.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from casedesk_proxy.cli import main
from tests.fixtures.patience import PATIENCE_S

COMMAND = (sys.executable, "-m", "casedesk_proxy")

#: No variable of the developer's own may find its way into a test, nor one that is for SDKs alone.
_HIDDEN = ("CASEDESK_PROXY_CONFIG", "CREDENTIALS_DIRECTORY", "SSL_CERT_FILE")
ENVIRONMENT = {key: value for key, value in os.environ.items() if key not in _HIDDEN}


def run(
    *arguments: str | Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def invoke(
    *arguments: str | Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The same as `run`, in this process; raises exceptions that the command does not handle."""
    hidden = dict.fromkeys(_HIDDEN)
    with contextlib.chdir(cwd or Path.cwd()):
        result = CliRunner().invoke(
            main,
            [*map(str, arguments)],
            prog_name="python -m casedesk_proxy",
            env={**hidden, **environment},
            catch_exceptions=False,
        )
    return subprocess.CompletedProcess(
        arguments, result.exit_code, stdout=result.stdout, stderr=result.stderr
    )
