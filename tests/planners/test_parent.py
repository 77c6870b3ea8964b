"""The parent of planners: it starts them without a file, is replaced if it dies, and ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from casedesk_proxy.planners import parent as module
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planners.messages import (
    Facts,
    MessageKind,
    PlanRequest,
    PlanResult,
    facts_of,
    pack,
    receive,
    send,
)
from casedesk_proxy.planners.parent import Parent, wait_for_exit
from tests.fixtures.moved_python import move_python
from tests.planners.asking import REPORTED, ask, snapshot, write


@contextmanager
def parent(leave_s: float = 60) -> Iterator[Parent]:
    made = Parent(leave_s=leave_s)
    try:
        yield made
    finally:
        made.close()
        made.part()


def start_planner(one: Parent) -> tuple[int, socket.socket]:
    """A planner's process id, and our end of its socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        try:
            return one.start_planner(theirs, 0), ours
        except BaseException:
            ours.close()
            raise


def let_go(pid: int, ours: socket.socket, leave_s: float = 60) -> None:
    ours.shutdown(socket.SHUT_WR)
    wait_for_exit(pid, ours, leave_s=leave_s)
    until_ended(pid)


def until_ended(pid: int) -> None:
    """Wait until the planner has ended. It closes its socket a moment before that; the process id
    of an orphan may remain."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        while stat.read_text().rpartition(")")[2].split()[0] not in "ZX":
            os.sched_yield()
    except (FileNotFoundError, ProcessLookupError):
        return


def plan(ours: socket.socket) -> PlanResult:
    config = snapshot()
    facts = Facts(config, REPORTED, {})
    asked = PlanRequest.of(config.deployments["d"], ask("openai", b""))
    send(ours, MessageKind.FACTS, pack(facts_of(config, REPORTED, {})))
    send(ours, MessageKind.REQUEST, pack(asked), [HeldBody.create(write("openai", "m", ["Hi"]))])
    kind, made, _ = receive(ours, facts)
    assert kind is MessageKind.RESULT
    assert isinstance(made, PlanResult)
    return made


def test_what_is_installed_meanwhile_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A running planner needs no program and no file of ours."""
    with parent() as one:
        first = start_planner(one)
        monkeypatch.setattr("sys.executable", "/nonexistent/python")
        monkeypatch.setattr(module, "__version__", "0.0.0")
        second = start_planner(one)
        for pid, ours in (first, second):
            made = plan(ours)
            assert made.plan is not None
            assert made.plan.model == "m"
            let_go(pid, ours)


def test_what_is_in_the_working_directory_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon may be started in another checkout."""
    (tmp_path / "casedesk_proxy").mkdir()
    (tmp_path / "casedesk_proxy" / "__init__.py").write_text("raise SystemExit(7)\n")
    monkeypatch.chdir(tmp_path)
    with parent() as one:
        pid, ours = start_planner(one)
        assert plan(ours).plan is not None
        let_go(pid, ours)


def test_it_finds_the_libraries_of_its_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A libpython in a place of its own is found by LD_LIBRARY_PATH alone; no secret is passed."""
    move_python(tmp_path, monkeypatch)
    with parent() as one:
        pid, ours = start_planner(one)
        let_go(pid, ours)


def test_another_version_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "__version__", "0.0.0")
    with parent() as one, pytest.raises(OSError, match=r"another version than 0\.0\.0 .*; restart"):
        start_planner(one)


def test_one_that_has_died_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with parent() as one:
        pid, ours = start_planner(one)
        assert one._process is not None
        first = one._process
        os.kill(first.pid, signal.SIGKILL)
        # What it has borne lives on.
        assert plan(ours).plan is not None
        other, its = start_planner(one)
        assert one._process.pid != first.pid
        let_go(other, its)
        let_go(pid, ours)
        os.kill(one._process.pid, signal.SIGKILL)
        monkeypatch.setattr("sys.executable", "/nonexistent/python")
        with pytest.raises(FileNotFoundError):
            start_planner(one)


def test_it_and_its_planners_leave_with_the_daemon() -> None:
    one = Parent()
    pid, ours = start_planner(one)
    assert one._sock is not None
    assert one._process is not None
    process = one._process
    # All that a daemon which is killed closes.
    one._sock.close()
    ours.close()
    process.wait()
    until_ended(pid)


def test_a_planner_that_does_not_leave_is_killed() -> None:
    with parent() as one:
        pid, ours = start_planner(one)
        os.kill(pid, signal.SIGSTOP)
        let_go(pid, ours, 0.01)


def test_one_that_does_not_answer_is_given_up() -> None:
    with parent(leave_s=0.01) as one:
        pid, ours = start_planner(one)
        let_go(pid, ours)
        assert one._sock is not None
        assert one._process is not None
        os.kill(one._process.pid, signal.SIGSTOP)
        one._sock.settimeout(0.01)
        with pytest.raises(OSError, match="it takes more than"):
            start_planner(one)
        let_go(*start_planner(one))


async def test_closing_ends_the_wait_for_a_start() -> None:
    one = Parent()
    starting = asyncio.ensure_future(asyncio.to_thread(start_planner, one))
    while one._sock is None:
        await asyncio.sleep(0)
    one.close()
    with pytest.raises(OSError, match="ended"):
        await starting
    await asyncio.to_thread(one.part)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with closing(ours), closing(theirs), pytest.raises(OSError, match="ended"):
        await asyncio.to_thread(one.start_planner, theirs)
