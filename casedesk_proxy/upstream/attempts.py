"""One request's way through nodes: which nodes were tried, which are left, and what happens next.

The dispatcher and the code that waits for a reply write here; the exchange's record only takes the
sums. If a node refuses a request because of a control of thinking, the node is asked again without
that control, as long as nothing of the reply has gone to the client and there is a control left to
remove. The refusal is remembered once the request succeeds without the control.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum

from casedesk_proxy.dialects.core.thinking import find_refused, find_suspected, read_refusal
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.planning.restrictions import thinking_mode
from casedesk_proxy.pools.admission import Ticket
from casedesk_proxy.pools.caps import Cap
from casedesk_proxy.pools.control_memory import ControlMemory
from casedesk_proxy.pools.policies import Demand
from casedesk_proxy.pools.retry import Failure
from casedesk_proxy.replying.record import Phase
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.terms import Control, record
from casedesk_proxy.upstream.file_upload import FileContents
from casedesk_proxy.upstream.uploading import Upload

__all__ = ["Attempts", "Beginning", "Next"]

log = logging.getLogger(__name__)

#: The statuses with which nodes refuse a control; 200 is for a refusal inside the reply.
_REFUSAL_STATUSES = frozenset({200, 400, 422, 500})


@record
class Beginning:
    """How a node's reply began. ``is_granted``: the node has begun a regular reply in its own
    protocol. ``is_refused``: nothing has been sent to the client, which would get an error.
    ``is_lost``: the node was lost. ``controls``: the controls of thinking in the request.
    ``refusal``: the status and the beginning of the body of a translated reply that failed."""

    node: NodeSpec
    controls: Mapping[Control, str]
    is_granted: bool
    is_refused: bool
    is_lost: bool
    refusal: tuple[int, bytes]


class Next(Enum):
    """What happens to a request after its reply has begun."""

    #: The reply goes to the client.
    DELIVER = "deliver"
    #: The same node is asked again, without the control that it refused.
    LEAVE_OUT = "leave out"
    #: The request goes to another node.
    MOVE_ON = "move on"


class Attempts:
    """The attempts of one request. ``count``: nodes that were asked; ``tried``: nodes that failed,
    each with the reason; ``repeats``: attempts that only removed a control; ``node``: the last node
    that was asked; ``without``: the controls of thinking to leave out; ``upload``: the part of the
    request's body that is not held; ``contents``: the contents of its files; ``caps``: the limits
    on parallel requests that it counts for; ``ticket``: its last ticket for a slot; ``recheck``
    raises if the request is over a limit after its wait. Times in seconds of the loop's clock."""

    __slots__ = (
        "_memory",
        "_refused",
        "caps",
        "contents",
        "count",
        "give_up_at",
        "key",
        "last_failure",
        "node",
        "phase",
        "plan",
        "queued",
        "recheck",
        "repeats",
        "replays",
        "ticket",
        "tried",
        "untried",
        "upload",
        "without",
    )

    def __init__(self, key: str, memory: ControlMemory) -> None:
        self._memory = memory
        self._refused: dict[tuple[str, str], frozenset[Control]] = {}
        self.key = key
        self.phase = Phase.ARRIVING
        self.node = ""
        self.count = 0
        self.tried: tuple[tuple[str, str], ...] = ()
        self.queued = 0.0
        self.repeats = 0
        self.without: frozenset[Control] = frozenset()
        self.upload: Upload | None = None
        self.contents: FileContents | None = None
        self.caps: tuple[Cap, ...] = ()
        self.recheck: Callable[[], None] | None = None
        self.ticket: Ticket | None = None
        self.plan: Plan
        #: Of the current search: the nodes that are left, how many may have begun the request when
        #: they were lost, and the last node that failed, with the reason.
        self.untried: tuple[NodeSpec, ...] = ()
        self.replays = 0
        self.give_up_at = float("inf")
        self.last_failure: tuple[str, str] | None = None

    # A search.

    def begin(self, plan: Plan, now: float) -> None:
        """Begin a new search; for a request that lost its node, continue where the last search
        ended."""
        self.plan = plan
        if not self.tried:
            self.untried = plan.nodes
            return
        lost = self.lost
        self.replays = len(lost)
        self.untried = tuple(node for node in plan.nodes if node.name not in lost)
        self.give_up_at = now + plan.deployment.config.failover_timeout
        self.last_failure = self.tried[-1]

    @property
    def lost(self) -> frozenset[str]:
        """The nodes that may have begun the request when they were lost."""
        return frozenset(name for name, why in self.tried if why == Failure.LOST)

    @property
    def is_spent(self) -> bool:
        """Whether a part of the request has been sent to a node and is no longer held."""
        return self.upload is not None and self.upload.is_begun

    def demand(self) -> Demand:
        """The demand for the nodes that are left."""
        demand = self.plan.demand
        if len(self.untried) == len(demand.nodes):
            return demand
        return replace(demand, nodes=tuple(node.name for node in self.untried))

    def ask(self, name: str) -> NodeSpec:
        """Note that the node is asked now."""
        self.node, self.phase = name, Phase.WAITING
        self.count += 1
        for node in self.untried:
            if node.name == name:
                return node
        raise KeyError(name)

    def note_failure(self, name: str, why: str, now: float) -> None:
        """Note that the node has failed."""
        self.untried = tuple(node for node in self.untried if node.name != name)
        self.last_failure = name, why
        self.tried += ((name, why),)
        self.give_up_at = min(self.give_up_at, now + self.plan.deployment.config.failover_timeout)

    # The beginning of a reply.

    def decide(self, beginning: Beginning, *, may_move_on: bool) -> Next:
        """What happens next. ``may_move_on``: another node may get the request if its node was
        lost."""
        if self._is_refused(beginning):
            self.repeats += 1
            return Next.LEAVE_OUT
        if beginning.is_lost and may_move_on:
            self.tried += ((self.node, Failure.LOST),)
            return Next.MOVE_ON
        return Next.DELIVER

    def learn_late(self, beginning: Beginning) -> None:
        """Learn from a refusal that came too late to ask again, since the client has received
        keepalives."""
        self._refused = {self._service: self._find_refused(beginning, proven=False)}
        self._learn(frozenset())

    @property
    def _service(self) -> tuple[str, str]:
        return self.node, self.plan.model

    def _is_refused(self, beginning: Beginning) -> bool:
        """Whether the reply refuses a control, so that the request must be sent again without
        it."""
        controls = frozenset(beginning.controls)
        if beginning.is_granted:
            self._learn(controls)
            return False
        if not beginning.is_refused:
            return False
        blamed = self._find_refused(beginning)
        if self.without:
            # Removing a part of the controls did not help.
            blamed = blamed and controls
        if not blamed:
            return False
        self.without |= blamed
        self._refused[self._service] = self._refused.get(self._service, frozenset()) | blamed
        return True

    def _find_refused(self, beginning: Beginning, *, proven: bool = True) -> frozenset[Control]:
        """The controls that a failed reply refuses. ``proven``: the next attempt will show whether
        the request succeeds without them."""
        controls, (status, body) = beginning.controls, beginning.refusal
        if not controls or status not in _REFUSAL_STATUSES:
            return frozenset()
        if thinking_mode(beginning.node, self.plan.model) != "auto":
            return frozenset()
        if not proven:
            return find_suspected(controls, status, body)
        return find_refused(controls, status, read_refusal(status, body))

    def _learn(self, controls: frozenset[Control]) -> None:
        if controls:
            self._memory.record_taken(*self._service, controls)
        for (node, model), refused in self._refused.items():
            if news := self._memory.record_refused(node, model, refused):
                log.info(
                    "node %s: model %s rejects thinking controls (%s): they are left out from"
                    " now on; set nodes.%s.thinking to change that",
                    node, model, ", ".join(sorted(news)), node,
                )  # fmt: skip
