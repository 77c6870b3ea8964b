"""The image of packages/Containerfile, built and run by buildah: ``make check-image``, as root.

``BASE`` names the base image; without it one is made of Debian 12 and its Python, since no registry
of images may be used. The image runs as its user, on a read-only root, in its own network.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.first_hour.fresh_root import make_root
from tests.first_hour.network import own_network, running
from tests.fixtures.patience import PATIENCE_S
from tests.systemd.machine import ROOT, install_packages

pytestmark = pytest.mark.timeout(2400)

#: No daemon, no registry, no rights beyond root's own.
ENVIRONMENT = {**os.environ, "STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
NAME = "localhost/casedesk-proxy-check"
CONFIG = """\
server: {listen: "127.0.0.1:8080", drain_timeout: 60s}
default_deployment: desk
nodes: {n: {url: "http://127.0.0.1:8000", engine: openai, models: [m]}}
deployments: {desk: {auth: none, nodes: [n]}}
"""
START = """\
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
mount --bind "$ROOT$STATE" "$ROOT$STATE"
mount -o remount,bind,ro "$ROOT"
mount -t proc proc "$ROOT/proc"
exec setpriv --no-new-privs chroot --userspec="$USERSPEC" "$ROOT" env -i "$@"
"""
STATE = "/var/lib/casedesk-proxy"


def buildah(*words: str) -> str:
    done = subprocess.run(
        ["buildah", *words], env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


def pip_places() -> list[str]:
    """The files of pip's settings, and the folders of packages that they name. The build can read
    them."""
    listed = subprocess.check_output([sys.executable, "-m", "pip", "config", "debug"], text=True)
    words = [
        word.strip("\"',").removeprefix("file://") for word in listed.replace("=", " ").split()
    ]
    listed = subprocess.check_output([sys.executable, "-m", "pip", "config", "list"], text=True)
    words += [
        word.strip("\"',").removeprefix("file://") for word in listed.replace("=", " ").split()
    ]
    found = {word for word in words if word.startswith("/") and Path(word).exists()}
    return sorted(one for one in found if not one.startswith("/root"))


def make_base() -> str:
    if base := os.environ.get("BASE"):
        return base
    name = f"{NAME}-base"
    with tempfile.TemporaryDirectory(prefix="casedesk-root-") as folder:
        root = Path(folder, "root")
        make_root(root, "python3-venv")
        container = buildah("from", "scratch")
        place = buildah("mount", container)
        subprocess.run(["cp", "-a", f"{root}/.", place], check=True)
        buildah("umount", container)
        buildah("commit", "--quiet", container, name)
        buildah("rm", container)
    return name


@dataclass
class Image:
    settings: dict[str, Any]
    root: Path
    enter: list[str]

    def command(self, *words: str) -> tuple[list[str], dict[str, str]]:
        """A command in the image, run as a runtime runs it: with the image's user and environment,
        and only the state's folder writable."""
        given = {**os.environ, "ROOT": str(self.root), "STATE": STATE}
        given["USERSPEC"] = self.settings["User"]
        return [*self.enter, "unshare", "-m", "sh", "-ec", START, "-", *self.settings["Env"],
                *words], given  # fmt: skip

    def is_healthy(self) -> bool:
        kind, line = self.settings["Healthcheck"]["Test"]
        assert kind == "CMD-SHELL"
        command, environment = self.command("sh", "-c", line)
        return subprocess.call(command, env=environment) == 0


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    if subprocess.call(["sh", "-c", "command -v buildah"], stdout=subprocess.DEVNULL):
        install_packages("buildah")
    volumes = [f"--volume={one}:{one}:ro" for one in pip_places()]
    base = make_base()
    buildah(
        "build", f"--build-arg=BASE={base}", "--network=host", *volumes, "--format=docker",
        "-f", "packages/Containerfile", "-t", NAME, ".",
    )  # fmt: skip
    container = buildah("from", NAME)
    try:
        root = Path(buildah("mount", container))
        (root / "etc/casedesk-proxy").mkdir(parents=True)
        (root / "etc/casedesk-proxy/config.yaml").write_text(CONFIG)
        settings = json.loads(buildah("inspect", container))["Docker"]["config"]
        with own_network() as enter, running(enter, "node", "8000"):
            yield Image(settings, root, enter)
    finally:
        buildah("rm", container)
        buildah("rmi", NAME)
        if base.startswith(NAME):
            buildah("rmi", base)


def test_it_is_healthy_on_a_read_only_root_and_drains(image: Image) -> None:
    assert image.settings["User"] == "65532:65532"
    assert image.settings["StopSignal"] == "SIGTERM"
    assert not image.is_healthy()
    command, environment = image.command(*image.settings["Entrypoint"], *image.settings["Cmd"])
    daemon = subprocess.Popen(command, env=environment)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not image.is_healthy():
            assert daemon.poll() is None
            assert time.monotonic() < deadline
        status = Path(f"/proc/{daemon.pid}/status").read_text()
        assert "NoNewPrivs:\t1" in status
        assert "CapEff:\t0000000000000000" in status
        touch, given = image.command("touch", "/etc/anything")
        assert subprocess.call(touch, env=given, stderr=subprocess.DEVNULL) != 0
        assert list((image.root / STATE.lstrip("/")).iterdir())
        with running(image.enter, "clients", "8080", "5") as clients:
            daemon.terminate()
            assert clients.stdin is not None
            assert clients.stdout is not None
            clients.stdin.write("go on\n")
            clients.stdin.flush()
            assert clients.stdout.readline().strip() == "5 of 5 whole"
        # A further signal could arrive when Python itself is ending, and would kill it.
        daemon.wait(PATIENCE_S)
    finally:
        if daemon.poll() is None:
            daemon.terminate()
        print(shlex.join(command), daemon.wait(PATIENCE_S))
    assert daemon.returncode == 0
