"""A new user's first hour with the Debian package: ``make check-deb``, as root.

README's own commands are typed into a Debian 12 with only the smallest set of packages, systemd and
curl. What apt fetches for the package is fetched before, since the machine's network has only
loopback. The tests follow one another, on one machine.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from casedesk_proxy import __version__
from casedesk_proxy.simulator.answer import say
from tests.first_hour.fresh_root import boot_root, make_root, run_in_root
from tests.first_hour.network import running
from tests.first_hour.typed import find_block
from tests.systemd.machine import ROOT, Machine
from tests.systemd.test_deb import NEXT, build, repack

# The first test waits for the build, and for a Debian.
pytestmark = pytest.mark.timeout(2400)

STREAMS = 50
#: Of the node, which is not where the package's configuration looks for Ollama.
NODE_PORT = 11435
#: In place of a person and an editor: one line is changed.
EDITOR = f"""\
#!/bin/sh
exec sed -i 's|http://127.0.0.1:11434|http://127.0.0.1:{NODE_PORT}|' "$1"
"""
MINE = "/etc/casedesk-proxy/mine.txt"
#: Written by whatever runs: books of packages, logs, caches, compiled modules of Debian's Python.
NOT_LOOKED_AT = (
    "/proc", "/sys", "/dev", "/tmp", "/var/cache", "/var/log", "/var/lib/apt", "/var/lib/dpkg",
    "/var/lib/systemd", "/var/tmp", "/root/dist", "/run/systemd", "/run/log", "/run/lock",
)  # fmt: skip


class Host:
    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def type_in(self, text: str) -> str:
        """Type the command in root's shell, and answer each question with y."""
        script = 'cd /root; export DEBIAN_FRONTEND=noninteractive; yes | sh -ec "$1"'
        return self.machine.run("sh", "-ec", script, "-", text, timeout=300)

    def paths(self) -> set[str]:
        """All files and folders, but for those that do not matter."""
        left_out = [part for place in NOT_LOOKED_AT for part in ("-path", place, "-prune", "-o")]
        found = self.machine.run("find", "/", *left_out, "-print")
        return {one for one in found.splitlines() if "__pycache__" not in one}

    def of_packages(self) -> set[str]:
        return set(self.machine.run("sh", "-c", "cat /var/lib/dpkg/info/*.list").splitlines())


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    stage = tmp_path_factory.mktemp("packages")
    first = build(stage)
    following = repack(first, stage)
    with tempfile.TemporaryDirectory(prefix="casedesk-root-") as folder:
        root = Path(folder, "root")
        make_root(root)
        (root / "root/dist").mkdir(parents=True)
        for package in (first, following):
            package.rename(root / "root/dist" / package.name)
        editor = root / "usr/local/bin/editor"
        editor.write_text(EDITOR)
        editor.chmod(0o755)
        run_in_root(root, "apt-get", "update", "-qq")
        fetch = ["apt-get", "install", "--quiet=2", "--yes", "--download-only"]
        run_in_root(root, *fetch, f"/root/dist/{first.name}")
        with boot_root(root, stage) as machine, running(machine.network, "node", str(NODE_PORT)):
            yield Host(machine)


@pytest.fixture(scope="module")
def before(host: Host) -> set[str]:
    return host.paths()


def test_installed_edited_a_stream_comes(host: Host, before: set[str]) -> None:
    assert not any("casedesk" in one for one in before)
    host.type_in(find_block("README.md", "apt install ./dist"))
    shown = host.type_in(find_block("README.md", "streamGenerateContent"))
    words = say("Hello").split()
    assert shown.count('data: {"candidates"') >= len(words), shown
    assert words[-1] in shown
    version = host.machine.run("casedesk-proxy", "--version")
    assert version == f"casedesk-proxy {__version__}"


def test_enabled_reloaded_restarted(host: Host) -> None:
    """The restart waits for the stream, and another instance serves meanwhile."""
    typed = find_block("README.md", "systemctl enable --now")
    with (
        running(host.machine.network, "clients", "8080", "1") as clients,
        ThreadPoolExecutor(1) as typist,
    ):
        done = typist.submit(host.type_in, typed)
        host.machine.wait("casedesk-proxy@restart-1.service", "ActiveState", "active", seconds=200)
        assert finish(clients) == "1 of 1 whole"
        done.result()


def test_each_line_for_systemd(host: Host) -> None:
    """The lines of docs/operations.md that name a unit are run in their order."""
    page = " ".join((ROOT / "docs/operations.md").read_text().split())
    lines = [one for one in re.findall(r"`(systemctl [^`]+)`", page) if "casedesk-proxy" in one]
    assert len(lines) >= 7
    for line in lines:
        host.type_in(line)
    host.type_in("systemctl disable --now casedesk-proxy@a casedesk-proxy@b")
    host.type_in("systemctl start casedesk-proxy")
    host.machine.wait("casedesk-proxy.service", "ActiveState", "active")


def test_an_upgrade_breaks_none_of_50_streams(host: Host) -> None:
    host.machine.write(MINE, "mine\n")
    with running(host.machine.network, "clients", "8080", str(STREAMS)) as clients:
        host.type_in(f"apt install ./dist/casedesk-proxy_{NEXT}.deb")
        assert host.machine.run("casedesk-proxy", "--version") == f"casedesk-proxy {NEXT}"
        assert finish(clients) == f"{STREAMS} of {STREAMS} whole"


def test_a_purge_leaves_nothing_but_what_the_admin_wrote(host: Host, before: set[str]) -> None:
    host.type_in("apt purge casedesk-proxy")
    left = host.paths() - before - host.of_packages()
    assert {one for one in left if "casedesk" in one} == {str(Path(MINE).parent), MINE}
    assert "casedesk" not in host.machine.run("cat", "/etc/passwd", "/etc/group")
    shown = host.machine.systemctl("list-units", "--all", "--plain", "--no-legend", "casedesk*")
    assert [line for line in shown.splitlines() if " active " in line] == []
    # Of Debian's own packages, which apt keeps until `apt autoremove`.
    print("also new:", sorted(one for one in left if "casedesk" not in one))


def finish(clients: subprocess.Popen[str]) -> str:
    """Let the streams be read to their end; returns what they received."""
    assert clients.stdin is not None
    assert clients.stdout is not None
    clients.stdin.write("go on\n")
    clients.stdin.flush()
    return clients.stdout.readline().strip()
