"""One planner, seen from the daemon: how it is used and ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable

from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planners.messages import (
    Closed,
    Facts,
    MessageKind,
    PlanRequest,
    PlanResult,
    facts_of,
    pack,
    receive,
    send,
)
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.pools.response_memory import Keeper
from casedesk_proxy.snapshot import Snapshot

__all__ = ["Answer", "FindKeeper", "PackedFacts", "Planner"]

log = logging.getLogger(__name__)

Answer = tuple[PlanResult, list[HeldBody]]
FindKeeper = Callable[[str], Keeper | None]


class Planner:
    """One process. ``known``: the facts that it has. Code that closes it must also wait for its
    exit (`parent.wait_for_exit`), which closes ``sock``."""

    __slots__ = ("_answer", "_find_keeper", "_loop", "facts", "is_alive", "known", "pid", "sock")

    def __init__(self, loop: asyncio.AbstractEventLoop, pid: int, sock: socket.socket) -> None:
        self._loop, self.pid, self.sock = loop, pid, sock
        self.is_alive = True
        self.known: PackedFacts | None = None
        #: The current facts, with all objects of nodes and deployments.
        self.facts: Facts | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._find_keeper: FindKeeper | None = None
        sock.setblocking(False)
        loop.add_reader(sock.fileno(), self._hear)

    async def plan(
        self, known: PackedFacts, request: PlanRequest, body: HeldBody, find_keeper: FindKeeper
    ) -> Answer:
        """Raises Closed."""
        self._answer = answer = self._loop.create_future()
        self._find_keeper = find_keeper
        self.facts = known.facts
        try:
            if self.known is not known:
                send(self.sock, MessageKind.FACTS, known.packed)
                self.known = known
            send(self.sock, MessageKind.REQUEST, pack(request), [body])
        except OSError:
            self.close()
            raise Closed from None
        try:
            result: Answer = await answer
        finally:
            del answer  # See Planners.plan.
        return result

    def _hear(self) -> None:
        try:
            kind, value, bodies = receive(self.sock, self.facts)
            if kind is MessageKind.FIND_KEEPER:
                assert self._find_keeper is not None
                send(self.sock, MessageKind.KEEPER, pack(self._find_keeper(value)))
                return
        except BlockingIOError:
            return
        except (Closed, OSError):
            self.close()
            return
        except Exception:
            # For example because files of another version were installed since the daemon started:
            # the request would wait forever for an answer.
            log.exception("a planner's answer cannot be read; if the files of the program were"
                          " replaced, restart the service")  # fmt: skip
            self.close()
            return
        answer, self._answer, self._find_keeper = self._answer, None, None
        if answer is not None and not answer.done():
            answer.set_result((value, bodies))

    def close(self) -> None:
        """Close the socket; the planner exits when it notices."""
        if self.is_alive:
            self.is_alive = False
            self._loop.remove_reader(self.sock.fileno())
            # The socket shows when it has exited, so it stays open until then.
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(Closed())


class PackedFacts:
    """The facts that planning reads besides the request, as they are sent to each planner."""

    __slots__ = ("facts", "packed")

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        # Packed once, until something changes.
        self.packed = pack(facts_of(facts.snapshot, facts.reported, facts.nodes))

    def is_of(self, snapshot: Snapshot, inputs: PlanInputs) -> bool:
        known = self.facts
        return (
            known.snapshot is snapshot
            and known.reported is inputs.reported
            and known.nodes is inputs.nodes
        )
