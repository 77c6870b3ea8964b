"""Which program is started as the successor, and invalid successors. See also test_handover.py."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from casedesk_proxy.daemon.succession import (
    Program,
    SuccessionError,
    installed_program,
    start_successor,
    take_predecessor,
)


def script(folder: Path, text: str) -> Path:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_program_is_started_by_the_name_that_installations_move(tmp_path: Path) -> None:
    for release in ("1", "2"):
        (tmp_path / release).mkdir()
        script(tmp_path / release, "exit 0")
    current = tmp_path / "current"
    current.symlink_to("1")
    argv = [str(current / "program"), "serve"]
    before = installed_program(argv, ["python", *argv])
    assert before.command == tuple(argv)
    assert installed_program(argv, ["python", *argv]) == before
    current.unlink()
    current.symlink_to("2")
    after = installed_program(argv, ["python", *argv])
    assert after.command == before.command
    assert after.mark != before.mark


def test_a_module_is_started_as_one() -> None:
    module = str(Path(__file__))
    program = installed_program([module, "serve"], ["python", "-m", "casedesk_proxy", "serve"])
    assert program.command == (sys.executable, "-m", "casedesk_proxy", "serve")
    assert program.mark is not None
    assert installed_program(["-c"], ["python", "-c", "0"]) == Program(
        (sys.executable, "-c", "0"), None
    )


async def test_a_program_that_ends_is_no_successor(tmp_path: Path) -> None:
    with pytest.raises(SuccessionError, match="ended before it served"):
        await start_successor([str(script(tmp_path, "exit 2"))], os.environ, [])


async def test_a_program_that_never_serves_is_waited_for_no_longer(tmp_path: Path) -> None:
    """The wait ends when the program closes its descriptor 3, the channel."""
    program = script(tmp_path, "cat <&3 >/dev/null 2>&1")
    with pytest.raises(SuccessionError, match="did not serve within"):
        await start_successor([str(program)], os.environ, [], start_s=0.01)


async def test_it_gets_the_sockets_where_the_manager_puts_them(tmp_path: Path) -> None:
    told = tmp_path / "told"
    program = script(
        tmp_path,
        f'echo "$LISTEN_FDS $LISTEN_FDNAMES $CASEDESK_PREDECESSOR ${{WATCHDOG_PID:-none}}" '
        f">{told}\n"
        f'[ "$LISTEN_PID" = $$ ] && readlink /proc/$$/fd/3 /proc/$$/fd/4 >>{told}',
    )
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("", 0)) as two:
        sockets = [(one.fileno(), "public"), (two.fileno(), "admin")]
        with pytest.raises(SuccessionError):
            await start_successor([str(program)], {**os.environ, "WATCHDOG_PID": "1"}, sockets)
        inodes = [f"socket:[{os.fstat(sock.fileno()).st_ino}]" for sock in (one, two)]
    assert told.read_text().splitlines() == ["2 public:admin 5 none", *inodes]


def test_who_is_not_meant_has_no_predecessor() -> None:
    assert take_predecessor({"CASEDESK_PREDECESSOR": "0", "LISTEN_PID": "1"}) is None
    assert take_predecessor({"LISTEN_PID": str(os.getpid())}) is None
