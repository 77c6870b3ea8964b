"""A real systemd as PID 1 of separate namespaces: mounts, processes, host name, IPC, cgroups.

Its changes are lost at its end: /run and /tmp are its own, /etc, /usr and /var are overlays. The
network is shared, so clients reach it over loopback. None of the distribution's units runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.installation import install_debian
from tests.fixtures.patience import PATIENCE_S

__all__ = ["INSTALL", "PYTHON", "ROOT", "Machine", "boot", "install_packages", "wait_for_manager"]

ROOT = Path(__file__).parents[2]
MANAGER = "/lib/systemd/systemd"
#: A Python that the service can see: not one from somebody's home.
PYTHON = "/usr/bin/python3"
INSTALL = f"make --silent install PYTHON={PYTHON}"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#: What ordinary units depend on, with nothing behind it.
_TARGETS = (
    "basic", "emergency", "multi-user", "network-online", "rescue", "shutdown", "sockets",
    "sysinit", "timers", "umount",
)  # fmt: skip
_JOURNAL = ("systemd-journald.service", "systemd-journald.socket")

_SCRIPT = """\
set -eu
mount --make-rprivate /
mkdir -p "$STAGE/mounts"
mount -t tmpfs -o mode=755 tmpfs "$STAGE/mounts"
for place in etc usr var; do
    mkdir -p "$STAGE/mounts/$place" "$STAGE/mounts/work/$place"
    layers=lowerdir=/$place,upperdir=$STAGE/mounts/$place,workdir=$STAGE/mounts/work/$place
    mount -t overlay -o "$layers" overlay "/$place"
done
cd "$SOURCE"
{{ {install} ; }} >"$STAGE/install.log" 2>&1
# Containers forbid packages to start services with it.
rm -f /usr/sbin/policy-rc.d
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/units /run/source
mount --bind "$STAGE" /run/source
mount -t tmpfs tmpfs /etc/systemd/system
cp "$STAGE"/units/* /run/units/
cp "$STAGE"/journald.conf /etc/systemd/journald.conf
rm -rf /etc/systemd/journald.conf.d
cd /
mount -t tmpfs -o mode=1777 tmpfs /tmp
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
# Among themselves, as systemd has it where it boots: credentials are mounted by a child of it.
mount --make-rshared /
# Targets of the same names as the distribution's come first, with nothing behind them.
OURS=/etc/systemd/system:/usr/local/lib/systemd/system:/run/units
export container=test SYSTEMD_UNIT_PATH=$OURS:/lib/systemd/system
exec {manager} --system --unit=test.target --log-target=journal
"""


@dataclass
class Machine:
    """``pid``: the manager's process id on this side. ``own_network``: the machine has a network
    with loopback only."""

    pid: int
    own_network: bool = False

    @property
    def network(self) -> list[str]:
        """The words before a command of this side that make it run in the machine's network."""
        return ["nsenter", "-t", str(self.pid), *(["-n"] if self.own_network else []), "--"]

    def _inside(self, command: tuple[str, ...]) -> list[str]:
        network = ["-n"] if self.own_network else []
        return ["nsenter", "-t", str(self.pid), "-m", "-p", "-u", "-i", "-C", *network, *command]

    def run(self, *command: str, check: bool = True, timeout: float = 60) -> str:
        """The output of a command in the machine, both streams together."""
        done = subprocess.run(
            self._inside(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=timeout,
            env={"PATH": PATH, "LC_ALL": "C.UTF-8"},
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}"
        return done.stdout.strip()

    def start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._inside(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": PATH, "LC_ALL": "C.UTF-8"},
        )

    def systemctl(self, *arguments: str, check: bool = True) -> str:
        return self.run("systemctl", *arguments, check=check)

    def show(self, unit: str, name: str) -> str:
        return self.systemctl("show", "--property", name, "--value", unit)

    def wait(self, unit: str, name: str, *wanted: str, seconds: float = 60) -> str:
        """The property of a unit, once it has one of these values. The limit is longer than
        TimeoutStopSec, after which systemd continues without a process that has not ended."""
        deadline = time.monotonic() + seconds
        while (value := self.show(unit, name)) not in wanted:
            if time.monotonic() > deadline:
                tail = self.journal("-u", unit, "-n", "20", "-o", "short-precise")
                raise AssertionError(
                    f"{unit}: {name} is {value!r}, not {wanted}; its state is "
                    f"{self.show(unit, 'SubState')}. The end of its journal:\n{tail}"
                )
            time.sleep(0.05)
        return value

    def path(self, inside: str) -> Path:
        """The path on this side of one of the machine's files."""
        return Path(f"/proc/{self.pid}/root") / inside.lstrip("/")

    def write(self, inside: str, text: str, mode: int = 0o644) -> None:
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def pid_of(self, unit: str) -> int:
        """The main process, as a process id of the machine."""
        return int(self.show(unit, "MainPID"))

    def journal(self, *arguments: str, until: str = "") -> str:
        """What the journal has, once it has the words ``until``: a line reaches it a moment after
        what it is about."""
        deadline = time.monotonic() + PATIENCE_S
        while until not in (told := self.run("journalctl", "--no-pager", *arguments, check=False)):
            assert time.monotonic() < deadline, f"{until!r} is not in the journal:\n{told}"
            time.sleep(0.05)
        return told


@contextmanager
def boot(stage: Path, install: str = INSTALL) -> Iterator[Machine]:
    """A shell runs ``install`` in the project's folder before systemd starts. ``stage`` is an empty
    folder for the machine's needs, inside it /run/source."""
    _install_systemd()
    _write_units(stage)
    script = stage / "boot"
    script.write_text(_SCRIPT.format(install=install, manager=MANAGER))
    with (stage / "console.log").open("w") as console:
        unshare = subprocess.Popen(
            ["unshare", "-mpfuiC", "--kill-child", "--mount-proc", "sh", str(script)],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            env={**_pip_environment(), "PATH": PATH, "STAGE": str(stage), "SOURCE": str(ROOT)},
        )
    try:
        yield wait_for_manager(unshare, stage)
    finally:
        # The child is PID 1 of its namespace: with it goes everything inside.
        unshare.kill()
        unshare.wait(60)


def _pip_environment() -> dict[str, str]:
    """The settings for pip in the machine: pip's own, proxies and certificates."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith("PIP_") or name.lower().endswith("_proxy") or name == "HOME"
    }


def _write_units(stage: Path) -> None:
    units = stage / "units"
    units.mkdir()
    for name in _TARGETS:
        (units / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    (units / "test.target").write_text(
        "[Unit]\nDefaultDependencies=no\nWants=systemd-journald.socket systemd-journald.service\n"
    )
    for name in _JOURNAL:
        shutil.copy(Path("/lib/systemd/system", name), units / name)
    # In memory, and with no ear for the kernel and the audit of the real machine.
    (stage / "journald.conf").write_text("[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\n")


def wait_for_manager(
    unshare: subprocess.Popen[bytes], stage: Path, *, own_network: bool = False
) -> Machine:
    """The machine whose namespaces that process made, once it has booted. ``stage`` has the output
    until then."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and unshare.poll() is None:
        children = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text().split()
        if children and _runs_manager(int(children[0])):
            machine = Machine(int(children[0]), own_network)
            state = machine.systemctl("is-system-running", check=False)
            if state in ("running", "degraded"):
                return machine
        time.sleep(0.1)
    logs = "".join(path.read_text() for path in sorted(stage.glob("*.log")))
    raise AssertionError(f"the machine did not come up:\n{logs[-3000:]}")


def _runs_manager(pid: int) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/exe").endswith("/systemd")
    except OSError:
        return False


def _install_systemd() -> None:
    """Install systemd's packages, which Debian and CI images may lack."""
    wanted = {
        "systemd": Path(MANAGER).exists(),
        "python3-venv": Path(PYTHON).exists() and not subprocess.call(
            [PYTHON, "-c", "import ensurepip"], stderr=subprocess.DEVNULL
        ),
        "make": shutil.which("make") is not None,
    }  # fmt: skip
    install_packages(*(name for name, there in wanted.items() if not there))


def install_packages(*names: str) -> None:
    """Install Debian packages that are missing."""
    if names:
        install_debian(*names)
