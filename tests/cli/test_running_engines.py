from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from casedesk_proxy.cli.running_engines import find_engine_ports
from casedesk_proxy.engines.registry import ENGINES

_LISTEN = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""


def make_proc(root: Path, cmdline: str, state: str = "0A") -> Path:
    """A ``/proc`` with a process that has the socket 77 at port 9000."""
    fd = root / "12" / "fd"
    fd.mkdir(parents=True)
    (root / "net").mkdir()
    line = f"0: 0100007F:2328 00000000:0000 {state} 0:0 0:0 0 0 0 77 1"
    (root / "net" / "tcp").write_text(f"head\n{line}\nshort\n")
    (root / "12" / "cmdline").write_text(cmdline.replace(" ", "\0"))
    os.symlink("socket:[77]", fd / "3")
    os.symlink("socket:[78]", fd / "4")
    os.symlink("/dev/null", fd / "5")
    return root


@pytest.mark.parametrize(
    ("cmdline", "found"),
    [
        ("/usr/bin/ollama serve", True),
        ("python /opt/bin/vllm serve m", True),
        ("python -m sglang.launch_server", True),
        *[(f"{word} serve", True) for one in ENGINES.values() for word in one.programs],
        ("vim llama-server-notes", False),
        ("nginx", False),
    ],
)
def test_command_lines(cmdline: str, found: bool, tmp_path: Path) -> None:
    assert find_engine_ports(make_proc(tmp_path, cmdline)) == ([9000] if found else [])


def test_what_does_not_listen_or_cannot_be_read(tmp_path: Path) -> None:
    assert find_engine_ports(make_proc(tmp_path / "a", "ollama serve", state="01")) == []
    assert find_engine_ports(tmp_path / "none") == []
    (tmp_path / "b" / "7").mkdir(parents=True)
    (tmp_path / "b" / "7" / "cmdline").write_text("ollama")
    assert find_engine_ports(tmp_path / "b") == []


def test_a_real_process() -> None:
    arguments = [sys.executable, "-c", _LISTEN, "llama-server"]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_server(("127.0.0.1", 0)) as ours:
            ports = find_engine_ports()
            assert ours.getsockname()[1] not in ports
        assert port in ports
