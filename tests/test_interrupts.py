"""Ctrl-C at each moment of a command: no word, and the end by its signal."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.cli.command import COMMAND, ENVIRONMENT
from tests.fixtures.patience import PATIENCE_S

#: Sends SIGINT to itself when a module is imported, in the callback of a weak reference: an
#: exception there is printed and forgotten. Imports have such callbacks.
INTERRUPTED = """
import os, runpy, signal, sys, weakref

class Thing: pass

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == at:
            thing = Thing()
            ref = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
            del thing

at = sys.argv.pop(1)
sys.meta_path.insert(0, Finder())
runpy.run_module("casedesk_proxy", run_name="__main__", alter_sys=True)
"""
MODULES = ["click", "pydantic", "casedesk_proxy.cli.demo", "uvloop", "casedesk_proxy.server.app"]


def run_interrupted(at: str, *arguments: str, ahead: tuple[str, ...] = ()) -> tuple[int, str]:
    """The status, and all that was printed."""
    done = subprocess.run(
        [*ahead, sys.executable, "-c", INTERRUPTED, at, *arguments],
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.parametrize("at", MODULES)
def test_during_imports(at: str) -> None:
    assert run_interrupted(at, "demo", "--listen", "127.0.0.1:0") == (-signal.SIGINT, "")


def test_the_first_process_of_a_container() -> None:
    """The kernel drops a signal whose default it has."""
    ahead = ("unshare", "--pid", "--fork", "--kill-child")
    status, said = run_interrupted("pydantic", "demo", "--listen", "127.0.0.1:0", ahead=ahead)
    assert (status, said) == (130, "")


def test_where_it_is_ignored_it_stays_so() -> None:
    """As for programs that a shell runs in the background."""
    ahead = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
    assert run_interrupted("pydantic", "schema", ahead=ahead)[0] == 0


def test_while_a_command_works(tmp_path: Path) -> None:
    """It waits for the other end of a pipe."""
    file = tmp_path / "config.yaml"
    os.mkfifo(file)
    command = [*COMMAND, "check", str(file)]
    with (
        subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process,
        file.open("w"),  # once the command opens it
    ):
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (-signal.SIGINT, "")


def test_a_hidden_password_gives_the_terminal_back() -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, "user", "hash"]
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True, preexec_fn=_take_terminal,
    ) as process:  # fmt: skip
        said = b""
        while b"Password: " not in said:
            said += os.read(ours, 1024)
        os.write(ours, b"\x03")
        assert process.wait(PATIENCE_S) == -signal.SIGINT
        assert termios.tcgetattr(theirs)[3] & termios.ECHO
    os.close(theirs)
    while piece := _read_on(ours):
        said += piece
    os.close(ours)
    assert b"Aborted" not in said
    assert b"Traceback" not in said


def _take_terminal() -> None:
    """Make stdin the terminal whose keys send signals."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read_on(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1024)
    except OSError:  # EIO: nobody has its other end
        return b""
