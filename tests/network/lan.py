"""A network namespace for commands, with the limits of a real network: loopback with the frames of
a LAN, small socket buffers and, if the kernel has netem, delay and loss.

A machine's loopback accepts 64 KB a frame and megabytes a socket, and so hides what happens on
networks: a write that is only accepted in part, a read that ends in the middle.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from bench.installation import install_debian

__all__ = ["in_lan", "netem"]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Sizes in bytes: least, default and largest buffer of a socket. Delay and loss are for all frames.
_SCRIPT = """\
set -eu
ip link set lo mtu 1500
ip link set lo up
ip link set lo gso_max_size 1500 2>/dev/null || true
echo '4096 16384 65536' >/proc/sys/net/ipv4/tcp_wmem
echo '4096 16384 65536' >/proc/sys/net/ipv4/tcp_rmem
tc qdisc add dev lo root netem delay 200us 100us loss 0.05% 2>/dev/null || true
exec "$@"
"""


def in_lan(command: Sequence[str]) -> subprocess.Popen[str]:
    """Start a command in the network; the output is a pipe with both streams. Needs root, like the
    tests of the units."""
    _install_iproute()
    return subprocess.Popen(
        ["unshare", "--net", "sh", "-c", _SCRIPT, "lan", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{_PATH}"},
    )


def netem() -> bool:
    """Whether the kernel can delay and lose frames. Many containers' and small VMs' kernels
    cannot."""
    with in_lan(["tc", "qdisc", "show", "dev", "lo"]) as asked:
        told, _ = asked.communicate(timeout=30)
    return "netem" in told


def _install_iproute() -> None:
    if shutil.which("ip", path=_PATH) is not None and shutil.which("tc", path=_PATH) is not None:
        return
    install_debian("iproute2")
