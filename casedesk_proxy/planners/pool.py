"""The daemon's side: which planner plans a large request, and what happens if one dies.

A planner has one request at a time; others wait in order of arrival. Their parent is started when
the daemon is idle (`Planners.prepare`), the first planner when a large body begins to arrive
(`Planners.expect`), and a further one when all are busy. Planning needs several times a body's size
in memory: bodies that are planned at once may need ``memory`` bytes together, unless there is only
one.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable, Coroutine, Sequence

from casedesk_proxy.errors import Busy
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planners.messages import Closed, Facts, PlanRequest, PlanResult
from casedesk_proxy.planners.parent import NICE_WEIGHT, Parent, wait_for_exit
from casedesk_proxy.planners.planner import Answer, PackedFacts, Planner
from casedesk_proxy.planning.held import HeldContent, hold_plan
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.snapshot import DeploymentSpec, Snapshot
from casedesk_proxy.surfaces.file_references import FileReference

__all__ = ["NamesFiles", "Planners"]

log = logging.getLogger(__name__)

_LOST_RETRY_AFTER_S = 1.0
#: How many times a body's size a process needs at most to plan it, if it has only short texts or is
#: read as a whole: the body, its parts (two bytes a character and their UTF-8), and the result
#: (CPython 3.11). If long texts are left out (`abridged`) it needs a fifth of the size.
_PLANNING_TIMES = 7


class NamesFiles(Exception):
    """The request names stored files, and was not planned."""

    def __init__(self, references: Sequence[FileReference]) -> None:
        super().__init__(f"{len(references)} files")
        self.references = references


class Planners:
    """At most ``most`` processes, which together may need ``memory`` bytes to plan, and run with
    the nice value ``nice``. Its owner must call ``close``."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        most: Callable[[], int],
        memory: Callable[[], int],
        *,
        nice: int = NICE_WEIGHT,
    ) -> None:
        self._loop = loop
        self._nice = nice
        self._parent = Parent()
        self._most = most
        self._memory = memory
        #: Bytes of the bodies that are being planned.
        self._planned_bytes = 0
        self._all: set[Planner] = set()
        self._idle: list[Planner] = []
        self._starting = 0
        self._waiting: deque[tuple[asyncio.Future[Planner], int]] = deque()
        self._facts: PackedFacts | None = None
        self._plans: set[asyncio.Task[None]] = set()
        #: Those that start and end processes: `close` lets them finish what they began.
        self._process_tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    @property
    def pids(self) -> list[int]:
        return [planner.pid for planner in self._all]

    @property
    def is_idle(self) -> bool:
        """Whether a planner is free."""
        return bool(self._idle)

    @property
    def are_used(self) -> bool:
        """Whether large requests are planned in separate processes at all."""
        return self._most() > 0 and not self._is_closed

    def prepare(self) -> None:
        """Start the parent process from which all planners are made: a large body may come."""
        if self.are_used:
            self._spawn(self._prepare(), self._process_tasks)

    async def _prepare(self) -> None:
        try:
            await asyncio.to_thread(self._parent.start)
        except OSError as error:
            log.error("planners cannot be started: %s", error.strerror)

    def expect(self) -> None:
        """Start a planner, if there is none: a large body begins to arrive."""
        if self.are_used and not self._all and not self._starting:
            self._start()

    async def plan(
        self, snapshot: Snapshot, deployment: DeploymentSpec, inputs: PlanInputs, body: HeldBody
    ) -> tuple[Plan, int]:
        """The plan, and the `text_size` of the body. ``inputs`` has no body.

        Raises what `plan_request` raises, NamesFiles, and Busy (503) if the planner died.
        """
        result: asyncio.Future[Answer] = self._loop.create_future()
        # A task of its own: a planner is free only when it has answered, even if no client waits.
        self._spawn(self._run(result, snapshot, deployment, inputs, body), self._plans)
        try:
            return _read(*await result, body)
        finally:
            # An error's traceback holds this frame, which must not hold the error: otherwise the
            # body stays until the next garbage collection.
            del result

    async def close(self) -> None:
        """End all planners, also busy ones and ones that were just started."""
        self._is_closed = True
        for task in [*self._plans]:
            task.cancel()
        await asyncio.gather(*self._plans, return_exceptions=True)
        self._idle.clear()
        for planner in [*self._all]:
            planner.close()
            self._forget(planner)
        self._parent.close()
        while self._process_tasks:
            await asyncio.gather(*self._process_tasks, return_exceptions=True)
        await asyncio.to_thread(self._parent.part)

    async def _run(
        self,
        result: asyncio.Future[Answer],
        snapshot: Snapshot,
        deployment: DeploymentSpec,
        inputs: PlanInputs,
        body: HeldBody,
    ) -> None:
        try:
            planner = await self._take(body.size)
            try:
                if result.done():
                    return  # Its client has left.
                known, request = (
                    self._pack_facts(snapshot, inputs),
                    PlanRequest.of(deployment, inputs),
                )
                answer = await planner.plan(known, request, body, inputs.find_keeper)
            finally:
                self._give_back(planner, body.size)
            if not result.done():
                result.set_result(answer)
        except (Closed, OSError) as error:
            log.warning("a planner died while it read request %s: %s", inputs.request_id, error)
            if not result.done():
                result.set_exception(_lost())
        except BaseException as error:
            if not result.done():
                result.set_exception(error if isinstance(error, Exception) else _lost())
            raise

    def _pack_facts(self, snapshot: Snapshot, inputs: PlanInputs) -> PackedFacts:
        known = self._facts
        if known is None or not known.is_of(snapshot, inputs):
            known = self._facts = PackedFacts(Facts(snapshot, inputs.reported, inputs.nodes))
        return known

    async def _take(self, size: int) -> Planner:
        """A planner for a body of that size. Raises OSError if none can be started."""
        waiter: asyncio.Future[Planner] = self._loop.create_future()
        self._waiting.append((waiter, size))
        self._serve()
        if not waiter.done() and not self._idle and self._may_start:
            self._start()
        try:
            return await waiter
        finally:
            del waiter  # As in `plan`.

    @property
    def _limit(self) -> int:
        """How many there may be now. Bodies that wait can only be planned here, even if a reload
        has just set their number to 0."""
        return max(self._most(), 1 if self._waiting else 0)

    @property
    def _may_start(self) -> bool:
        return len(self._all) + self._starting < self._limit and not self._is_closed

    def _serve(self) -> None:
        """Serve waiting requests, as long as there are planners and memory."""
        while self._waiting and self._idle:
            waiter, size = self._waiting[0]
            if waiter.done():  # The pool is being closed.
                self._waiting.popleft()
                continue
            need = (self._planned_bytes + size) * _PLANNING_TIMES
            if self._planned_bytes and need > self._memory():
                return
            planner = self._idle.pop()
            if not planner.is_alive:
                self._forget(planner)
                continue
            self._waiting.popleft()
            self._planned_bytes += size
            waiter.set_result(planner)

    def _give_back(self, planner: Planner, size: int = 0) -> None:
        self._planned_bytes -= size
        if planner.is_alive and len(self._all) <= self._limit and not self._is_closed:
            self._idle.append(planner)
        else:
            planner.close()
            self._forget(planner)
        self._serve()
        if self._waiting and not self._idle and self._may_start:
            self._start()

    def _forget(self, planner: Planner) -> None:
        self._all.discard(planner)
        self._spawn(
            asyncio.to_thread(wait_for_exit, planner.pid, planner.sock), self._process_tasks
        )

    def _start(self) -> None:
        self._starting += 1
        self._spawn(self._start_one(), self._process_tasks)

    async def _start_one(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            pid = await asyncio.to_thread(self._parent.start_planner, theirs, self._nice)
        except OSError as error:
            ours.close()
            if not self._is_closed:
                log.error("a planner cannot be started: %s", error.strerror)
            while self._waiting:
                if not (waiter := self._waiting.popleft()[0]).done():
                    waiter.set_exception(error)
            return
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            self._starting -= 1
        planner = Planner(self._loop, pid, ours)
        self._all.add(planner)
        self._give_back(planner)

    def _spawn(self, work: Coroutine[None, None, None], among: set[asyncio.Task[None]]) -> None:
        task = self._loop.create_task(work)
        among.add(task)
        task.add_done_callback(among.discard)


def _lost() -> Busy:
    return Busy(
        "the process that read this large request died; send it again",
        status=503,
        code="planner_lost",
        retry_after=_LOST_RETRY_AFTER_S,
    )


def _read(result: PlanResult, bodies: list[HeldBody], raw: HeldBody) -> tuple[Plan, int]:
    """Raises what planning raised."""
    if result.error is not None:
        try:
            raise result.error
        finally:
            del result  # See Planners.plan.
    if result.bug:
        raise RuntimeError(f"in a planner:\n{result.bug}")
    if result.plan is None:
        raise NamesFiles(result.references)
    contents: dict[str, HeldContent] = {
        name: raw if at < 0 else bodies[at] for name, at in result.bodies.items()
    }
    side_contents: dict[str, HeldContent] = {
        name: bodies[at] for name, at in result.side_bodies.items()
    }
    return hold_plan(result.plan, contents, side_contents), result.text_size
