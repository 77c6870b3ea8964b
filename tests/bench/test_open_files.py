"""open_files.py: the open files of a process by name."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from bench.open_files import find_new, open_files


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "[::1]")]
)
def test_sockets_are_named_by_their_ends(family: socket.AddressFamily, host: str) -> None:
    before = open_files(os.getpid())
    with socket.create_server((host.strip("[]"), 0), family=family) as server:
        port = server.getsockname()[1]
        with socket.create_connection((host.strip("[]"), port)) as client, server.accept()[0]:
            there = client.getsockname()[1]
            found = find_new(before, open_files(os.getpid()))
    bare = host.strip("[]")
    assert f"tcp {bare}:{port} listening" in found
    assert f"tcp {bare}:{port} to {bare}:{there}" in found
    assert f"tcp {bare}:{there} to {bare}:{port}" in found


def test_files_are_named_by_their_paths_and_pipes_counted(tmp_path: Path) -> None:
    before = open_files(os.getpid())
    ends = os.pipe()
    try:
        with (tmp_path / "file").open("w"):
            found = find_new(before, open_files(os.getpid()))
    finally:
        for end in ends:
            os.close(end)
    assert str(tmp_path / "file") in found
    assert found.count("a pipe") == 2


def test_a_connection_that_was_there_before_counts_as_new() -> None:
    kept, files = "tcp 127.0.0.1:1 to 127.0.0.1:2", ["/dev/null", "a pipe", "a pipe"]
    assert find_new([*files, kept], files) == []
    assert find_new([*files, kept], [*files, kept]) == [kept]
    assert find_new(files, ["a pipe", "/dev/null", "/dev/null"]) == ["/dev/null"]
