"""``install-service``: systemd units for an already installed program, for example by pipx."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from casedesk_proxy.cli.report import fail

__all__ = ["install_service"]

#: In an installed package, and in a source tree.
_PLACES = (Path(sys.prefix, "share/casedesk-proxy"), Path(__file__).parents[2])


@click.command("install-service")
@click.option("--remove", is_flag=True, help="Remove the units; the configuration stays.")
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write below this folder instead of /, to inspect the result first.",
)
def install_service(remove: bool, root: Path | None) -> None:
    """Install systemd units for this program; needs root.

    Writes the units, casedesk-proxy-upgrade and an example in /etc/casedesk-proxy; an edited
    configuration stays as it is.
    """
    program = Path(sys.prefix, "bin/casedesk-proxy")
    if not program.exists():
        fail(f"{program} does not exist: install the package first, for instance with pipx")
    done = subprocess.run(
        ["sh", _find_script(), *(["--remove"] if remove else [])],
        env={
            **os.environ,
            "PROGRAM": str(program),
            "DESTDIR": str(root.absolute()) if root else "",
        },
        check=False,
    )
    if done.returncode:
        raise click.exceptions.Exit(2)


def _find_script() -> Path:
    scripts = [place / "systemd/install" for place in _PLACES]
    found = next((script for script in scripts if script.exists()), None)
    return found or fail(f"{_PLACES[0]} has no systemd/install: install the package anew")
