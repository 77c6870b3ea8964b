"""The smallest possible Debian 12 with systemd and curl, booted as a separate machine with its own
root, processes and network."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.first_hour.network import PROGRAMS
from tests.systemd.machine import Machine, install_packages, wait_for_manager

__all__ = ["boot_root", "make_root", "run_in_root"]

#: Beside what every Debian has.
_PACKAGES = ("systemd", "systemd-sysv", "dbus", "curl", "ca-certificates")
#: Of the machine that this one is on, or of a screen that it has not.
_MASKED = (
    "systemd-udevd.service", "systemd-udevd-control.socket", "systemd-udevd-kernel.socket",
    "systemd-udev-trigger.service", "systemd-networkd.service", "systemd-resolved.service",
    "systemd-timesyncd.service", "systemd-logind.service", "console-getty.service", "getty.target",
)  # fmt: skip

_BOOT = """\
set -eu
mount --make-rprivate /
ip link set lo up
mount --bind "$ROOT" "$ROOT"
cd "$ROOT"
mount -t proc proc proc
mount --rbind /sys sys
umount -R sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mkdir -p old
pivot_root . old
umount -l /old
rmdir /old
mount --make-rshared /
export container=test
exec /lib/systemd/systemd --system --unit=multi-user.target --log-target=journal
"""


_CHROOT = """\
mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
exec chroot "$ROOT" "$@"
"""


def make_root(root: Path, *more: str) -> None:
    """``more``: Debian packages in addition to the smallest set."""
    if shutil.which("mmdebstrap") is None:
        install_packages("mmdebstrap")
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--dpkgopt=force-unsafe-io"]
    command += [f"--include={','.join((*_PACKAGES, *more))}", "bookworm", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for unit in _MASKED:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")


def run_in_root(root: Path, *command: str) -> str:
    """Run a command in the root before it is booted, with the network of this machine."""
    done = subprocess.run(
        ["unshare", "-m", "sh", "-ec", _CHROOT, "-", *command],
        env={"PATH": PROGRAMS, "ROOT": str(root), "DEBIAN_FRONTEND": "noninteractive"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


@contextmanager
def boot_root(root: Path, stage: Path) -> Iterator[Machine]:
    """``stage`` gets the console's log."""
    with (stage / "console.log").open("w") as console:
        unshare = subprocess.Popen(
            ["unshare", "-mpfuiCn", "--kill-child", "sh", "-c", _BOOT],
            stdin=subprocess.DEVNULL, stdout=console, stderr=console,
            env={"PATH": PROGRAMS, "ROOT": str(root), "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
    try:
        yield wait_for_manager(unshare, stage, own_network=True)
    finally:
        unshare.kill()
        unshare.wait(60)
