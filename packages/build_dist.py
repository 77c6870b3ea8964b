#!/usr/bin/env python3
"""Builds sdist, wheel and SBOM into dist/.

Run twice on one commit, it gives the same bytes: times are those of SOURCE_DATE_EPOCH (by itself
that of the last commit), owners are root. The SBOM (CycloneDX, JSON) lists what pip installs with
the wheel today, so it may differ from day to day.

Needs the packages build and cyclonedx-bom, which `make dist` installs.
"""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    dist = ROOT / "dist"
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or _commit_time()
    with tempfile.TemporaryDirectory() as folder:
        # Apart from dist/, which may hold what was built before.
        _run(sys.executable, "-m", "build", "--quiet", "--outdir", folder, str(ROOT), epoch=epoch)
        (sdist,) = Path(folder).glob("*.tar.gz")
        (wheel,) = Path(folder).glob("*.whl")
        sdist.write_bytes(level(sdist.read_bytes(), int(epoch)))
        bill = Path(folder, f"{wheel.name.split('-py3')[0]}.cdx.json")
        bill.write_bytes(list_parts(wheel, Path(folder, "environment")))
        dist.mkdir(exist_ok=True)
        for built in (sdist, wheel, bill):
            (dist / built.name).write_bytes(built.read_bytes())
            print(f"dist/{built.name}")


def level(archive: bytes, epoch: int) -> bytes:
    """A .tar.gz without what differs from build to build: times, owners, order."""
    packed = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as source,
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=epoch, filename="") as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        for member in sorted(source.getmembers(), key=lambda member: member.name):
            content = source.extractfile(member) if member.isfile() else None
            member.mtime, member.pax_headers = epoch, {}
            member.uid = member.gid = 0
            member.uname = member.gname = "root"
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            target.addfile(member, content)
    return packed.getvalue()


def list_parts(wheel: Path, environment: Path) -> bytes:
    """The software bill of materials of an environment with the wheel and nothing else."""
    venv.create(environment, with_pip=False)
    python = str(environment / "bin/python")
    _run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", str(wheel))
    # Of the wheel itself it would name the folder that it was built in, another one each time.
    for origin in environment.glob("lib/python*/site-packages/casedesk_proxy-*/direct_url.json"):
        origin.unlink()
    command = [
        sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", python,
    ]  # fmt: skip
    return subprocess.run(command, check=True, capture_output=True).stdout


def _commit_time() -> str:
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _run(*command: str, epoch: str = "") -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch} if epoch else None
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
