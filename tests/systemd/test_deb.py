"""The Debian package under a real systemd: installed, upgraded under streams, removed, purged.

The tests follow one another, on one machine.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.engine.process import free_port
from casedesk_proxy import __version__
from casedesk_proxy.simulator.script import Script
from tests.daemon.streams import ask, read_words, request, stream
from tests.fixtures import raw_client
from tests.fixtures.messages import read_message
from tests.fixtures.simulated import SimulatorThread, simulator_thread
from tests.systemd.machine import ROOT, Machine, boot, install_packages

# The first test waits for the build.
pytestmark = pytest.mark.timeout(400)

SOCKET, SERVICE = "casedesk-proxy.socket", "casedesk-proxy.service"
CONFIG_FILE = "/etc/casedesk-proxy/config.yaml"
NEXT = f"{__version__}+next"
#: Of a stream: a few events.
SOME_BYTES = 1000


class Packaged:
    """``folder``: the machine's /run/source, on this side."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine = machine
        self.port = free_port()
        self.before = self.find_named()
        self.first = build(folder)
        self.next = repack(self.first, folder)

    def install(self, package: Path) -> str:
        return self.machine.run(
            "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--quiet=2",
            f"/run/source/{package.name}", timeout=120,
        )  # fmt: skip

    def find_named(self) -> set[str]:
        """All paths with the program's name, except dpkg's own records."""
        places = ("/etc", "/usr", "/var/lib")
        found = self.machine.run(
            "find", *places, "-not", "-path", "*/dpkg/*", "-not", "-path", "*/containers/*",
            "-not", "-path", "*.socket.d*", "-name", "*casedesk*",
        )  # fmt: skip
        return set(found.splitlines())

    def releases(self) -> list[str]:
        there = self.machine.path("/usr/lib/casedesk-proxy").iterdir()
        return sorted(path.name for path in there if path.name[0].isdigit())


def build(folder: Path) -> Path:
    """Build the package like `make deb`, but uncompressed, as it is not downloaded."""
    if shutil.which("dh") is None:
        install_packages("debhelper")
    source = folder / "tree"
    subprocess.run(["git", "clone", "--quiet", ROOT, source], check=True)
    # What is not committed yet, too.
    shutil.copytree(ROOT / "casedesk_proxy", source / "casedesk_proxy", dirs_exist_ok=True)
    for name in ("packages", "systemd", "config"):
        shutil.copytree(ROOT / name, source / name, dirs_exist_ok=True)
    shutil.copy(ROOT / "setup.cfg", source)
    environment = {**os.environ, "COMPRESSION": "-Znone"}
    # pip goes beyond this machine, see tests/conftest.py.
    environment.pop("SSL_CERT_FILE", None)
    done = subprocess.run(
        [source / "packages/build-deb"], capture_output=True, text=True, env=environment,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (built,) = (source / "dist").glob("*.deb")
    return Path(shutil.move(built, folder))


def repack(package: Path, folder: Path) -> Path:
    """The next version: the same files with its own version number."""
    tree = folder / "next"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    (release,) = re.findall(r"^RELEASE=(.+)$", (tree / "DEBIAN/postinst").read_text(), re.MULTILINE)
    library = tree / "usr/lib/casedesk-proxy/package"
    named = [tree / "DEBIAN/postinst", tree / "DEBIAN/control", library / "pyvenv.cfg"]
    for path in [*named, *(library / "bin").glob("casedesk-proxy")]:
        text = path.read_text().replace(release, f"{NEXT}-1")
        path.write_text(text.replace(f"Version: {__version__}\n", f"Version: {NEXT}\n"))
    (init,) = library.glob("lib/python*/site-packages/casedesk_proxy/__init__.py")
    init.write_text(init.read_text().replace(f'"{__version__}"', f'"{NEXT}"'))
    built = folder / f"casedesk-proxy_{NEXT}.deb"
    subprocess.run(["dpkg-deb", "--build", "-Znone", tree, built], check=True, capture_output=True)
    return built


async def read_past(port: int, first: asyncio.Event, upgraded: asyncio.Event) -> list[str]:
    """The words of a stream that does not end, until some have arrived after the upgrade, however
    long that takes. Raises PeerGone if the stream breaks."""
    async with raw_client.connect(f"http://127.0.0.1:{port}") as client:
        client.write(request("words=100000&words_per_second=5"))
        await client.take_through(b"data: ")
        first.set()
        await upgraded.wait()
        enough = len(client.received) + SOME_BYTES
        await client.until(lambda: len(client.received) >= enough or None)
        reply = read_message(client.received, 0, at_eof=True)
        assert reply is not None
        return read_words(reply.body.rpartition(b"\n\n")[0])


@pytest.fixture(scope="module")
def node() -> Iterator[SimulatorThread]:
    with simulator_thread(m=Script(words=3)) as thread:
        yield thread


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packaged]:
    stage = tmp_path_factory.mktemp("machine")
    with boot(stage, install="true") as machine:
        yield Packaged(machine, stage)


async def test_a_line_is_edited_and_a_stream_comes(
    packaged: Packaged, node: SimulatorThread
) -> None:
    machine = packaged.machine
    # Port 8080 may be another's here, and so may 9090.
    machine.write(
        f"/etc/systemd/system/{SOCKET}.d/port.conf",
        f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{packaged.port}\n",
    )
    packaged.install(packaged.first)
    assert machine.show(SOCKET, "ActiveState") == "active"
    assert machine.show(SERVICE, "ActiveState") == "inactive", "it waits for the first request"
    assert machine.systemctl("is-enabled", SOCKET) == "enabled"
    config = machine.path(CONFIG_FILE).read_text()
    edited = config.replace(
        '"http://127.0.0.1:11434"', f'"{node.url}", engine: openai, models: [m]'
    )
    assert edited != config
    machine.write(CONFIG_FILE, f'server: {{admin: "127.0.0.1:{free_port()}"}}\n{edited}')
    streamed = await stream(packaged.port, "words=3")
    assert (streamed.whole, streamed.words) == (True, ["1", "2", "3"])
    assert machine.run("casedesk-proxy", "--version") == f"casedesk-proxy {__version__}"


async def test_an_upgrade_breaks_none_of_50_streams(packaged: Packaged) -> None:
    machine = packaged.machine
    firsts, upgraded = [asyncio.Event() for _ in range(50)], asyncio.Event()
    tasks = [asyncio.ensure_future(read_past(packaged.port, one, upgraded)) for one in firsts]
    await asyncio.gather(*(one.wait() for one in firsts))
    told = await asyncio.to_thread(packaged.install, packaged.next)
    assert "casedesk-proxy@a.service serves; casedesk-proxy.service drains" in told
    assert not any(task.done() for task in tasks), "the old one still streams"
    assert (await ask(packaged.port)).status == 200
    upgraded.set()
    for words in await asyncio.gather(*tasks):
        assert words == [str(number) for number in range(1, len(words) + 1)]
    await asyncio.to_thread(machine.wait, SERVICE, "ActiveState", "inactive")
    assert machine.run("casedesk-proxy", "--version") == f"casedesk-proxy {NEXT}"
    running = machine.path(f"/proc/{machine.pid_of('casedesk-proxy@a.service')}/cmdline")
    assert f"/{NEXT}-1/".encode() in running.read_bytes()
    assert len(packaged.releases()) == 2


async def test_an_edited_configuration_stays(packaged: Packaged) -> None:
    assert "models: [m]" in packaged.machine.path(CONFIG_FILE).read_text()


async def test_nothing_runs_once_it_is_removed_and_the_files_of_the_admin_stay(
    packaged: Packaged,
) -> None:
    machine = packaged.machine
    machine.write("/etc/casedesk-proxy/keys/studio", "key", mode=0o600)
    machine.run("dpkg", "--remove", "casedesk-proxy", timeout=120)
    shown = machine.systemctl("list-units", "--all", "--plain", "--no-legend", "casedesk-proxy*")
    assert [line for line in shown.splitlines() if " active " in line] == []
    assert not machine.path("/usr/lib/casedesk-proxy").exists()
    assert machine.path(CONFIG_FILE).exists()


async def test_a_purge_leaves_what_the_admin_wrote(packaged: Packaged) -> None:
    machine = packaged.machine
    machine.run("dpkg", "--purge", "casedesk-proxy", timeout=120)
    assert packaged.find_named() - packaged.before == {"/etc/casedesk-proxy"}
    files = machine.run("find", "/etc/casedesk-proxy", "-type", "f")
    assert files == "/etc/casedesk-proxy/keys/studio"
    places = ("-path", "/run/source", "-prune", "-o", "-path", "/run/systemd", "-prune", "-o")
    assert machine.run("find", "/run", *places, "-name", "*casedesk*", "-print") == ""
