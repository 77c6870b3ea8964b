"""The end-to-end tests again, over a network that is slower than loopback."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.network.lan import in_lan, netem

E2E = Path(__file__).parents[1] / "e2e"
#: Files in which bytes flow for long, are many, or break off. The others' replies come in one
#: frame, and of the SDKs one reads here: how frames are cut is the same for the next.
FILES = (
    "test_bytes.py", "test_files.py", "test_http10.py", "test_large.py", "test_leaving.py",
    "test_long.py", "test_openai.py", "test_tls.py", "test_translated_broken.py",
    "test_translated_examples.py", "test_websockets.py",
)  # fmt: skip
#: What says nothing about a network is left to the first run: thousands of sockets, heads of text,
#: and what is only so large because loopback takes so much.
LEFT_OUT = ("test_two_thousand_streams", "test_requests_lose_only_the_credential", "10000000")
#: One process for each core that CI has.
HALVES = 2


def halves() -> list[list[str]]:
    """The files in groups of about the same size: each file goes to the next group, the largest
    first."""
    files = sorted((E2E / name for name in FILES), key=lambda file: -file.stat().st_size)
    return [[str(file) for file in files[half::HALVES]] for half in range(HALVES)]


def run(files: list[str]) -> tuple[int, str]:
    """The exit code and the output of a run of these files, in a network of its own."""
    unwanted = " and ".join(f"not {name}" for name in LEFT_OUT)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", unwanted]
    with in_lan([*command, *files]) as started:
        try:
            said, _ = started.communicate(timeout=500)
        except subprocess.TimeoutExpired:
            started.kill()
            raise
    return started.returncode, said


@pytest.mark.timeout(540)
def test_end_to_end_over_a_narrow_network() -> None:
    print(f"frames of 1500 bytes, sockets of 64 KiB, delay and loss: {'yes' if netem() else 'no'}")
    with ThreadPoolExecutor(HALVES) as pool:
        done = list(pool.map(run, halves()))
    assert [code for code, _ in done] == [0] * HALVES, "\n".join(said for _, said in done)


def test_the_network_is_narrow() -> None:
    """Otherwise the test above would be a mere repetition."""
    show = "ip -o link show lo; cat /proc/sys/net/ipv4/tcp_wmem /proc/sys/net/ipv4/tcp_rmem"
    with in_lan(["sh", "-c", show]) as asked:
        told, _ = asked.communicate(timeout=30)
    assert asked.returncode == 0, told
    link, *buffers = told.splitlines()
    assert " mtu 1500 " in link
    assert [line.split() for line in buffers] == [["4096", "16384", "65536"]] * 2
