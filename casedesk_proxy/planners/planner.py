"""One planner, seen from the daemon: how it is started, asked and let go."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable

from casedesk_proxy.fastpath.switches import VARIABLE
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planners.messages import (
    Asked,
    Closed,
    Facts,
    Letter,
    Made,
    facts_of,
    pack,
    receive,
    send,
)
from casedesk_proxy.planning.route import PlanInput
from casedesk_proxy.pools.response_memory import Keeper
from casedesk_proxy.snapshot import Snapshot

__all__ = ["NICE_WEIGHT", "Answer", "FindKeeper", "Known", "Planner", "launch", "part"]

#: Seconds that planners have to leave before they are made to.
_LEAVE_S = 1.0
#: How far a planner stands back for the daemon on a busy machine, beginning with its imports.
NICE_WEIGHT = 5
#: What of the daemon's environment a planner gets: none of its secrets.
_PASSED_ON = ("PATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "LANG", "LC_ALL", VARIABLE)

Answer = tuple[Made, list[HeldBody]]
FindKeeper = Callable[[str], Keeper | None]


class Planner:
    """One process. ``known``: what it was last told."""

    __slots__ = ("_answer", "_find_keeper", "_loop", "facts", "known", "process", "sock")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        process: subprocess.Popen[bytes],
        sock: socket.socket,
    ) -> None:
        self._loop, self.process, self.sock = loop, process, sock
        self.known: Known | None = None
        #: With all that belongs to nodes and deployments.
        self.facts: Facts | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._find_keeper: FindKeeper | None = None
        sock.setblocking(False)
        loop.add_reader(sock.fileno(), self._hear)

    @property
    def is_alive(self) -> bool:
        return self.sock.fileno() >= 0

    async def plan(
        self, known: Known, asked: Asked, body: HeldBody, find_keeper: FindKeeper
    ) -> Answer:
        """Raises Closed."""
        self._answer = answer = self._loop.create_future()
        self._find_keeper = find_keeper
        self.facts = known.facts
        try:
            if self.known is not known:
                send(self.sock, Letter.FACTS, known.packed)
                self.known = known
            send(self.sock, Letter.ASKED, pack(asked), [body])
        except OSError:
            self.close()
            raise Closed from None
        try:
            made: Answer = await answer
        finally:
            del answer  # See Planners.plan.
        return made

    def _hear(self) -> None:
        try:
            letter, value, bodies = receive(self.sock, self.facts)
            if letter is Letter.FIND_KEEPER:
                assert self._find_keeper is not None
                send(self.sock, Letter.KEEPER, pack(self._find_keeper(value)))
                return
        except BlockingIOError:
            return
        except (Closed, OSError):
            self.close()
            return
        answer, self._answer, self._find_keeper = self._answer, None, None
        if answer is not None and not answer.done():
            answer.set_result((value, bodies))

    def close(self) -> None:
        """It leaves, once it sees it."""
        if self.is_alive:
            self._loop.remove_reader(self.sock.fileno())
            self.sock.close()
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(Closed())


class Known:
    """What planning reads beside the request, as it is sent to each planner."""

    __slots__ = ("facts", "packed")

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        # Packed once, and for as long as nothing changes.
        self.packed = pack(facts_of(facts.snapshot, facts.reported, facts.nodes))

    def is_of(self, snapshot: Snapshot, ask: PlanInput) -> bool:
        known = self.facts
        return (
            known.snapshot is snapshot
            and known.reported is ask.reported
            and known.nodes is ask.nodes
        )


def launch(theirs: socket.socket, nice: int = NICE_WEIGHT) -> subprocess.Popen[bytes]:
    number = theirs.fileno()
    # Where its modules are is where the daemon's are; nothing else of its environment goes along.
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    process = subprocess.Popen(
        [sys.executable, "-m", "casedesk_proxy.planners.process", str(number)],
        pass_fds=[number], env=environment, process_group=0,  # A terminal's Ctrl-C is the daemon's.
    )  # fmt: skip
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + nice)
    return process


def part(process: subprocess.Popen[bytes]) -> None:
    """Wait until the process, whose socket is closed, has exited; kill it after `_LEAVE_S`."""
    try:
        process.wait(_LEAVE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
