"""One request's way through nodes: which were tried, which are left, and what happens next.

The dispatcher and the code that waits for a reply write here; the exchange's record only takes the
sums. Where a node refuses a request because of a control of thinking, the node is asked again
without that control: before anything of the reply has gone to the client, and for as long as there
is a control to leave out. The refusal is remembered once the request succeeds without the control.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum

from casedesk_proxy.dialects.core.thinking import find_refused, find_suspected, read_refusal
from casedesk_proxy.planning.limits import thinking_mode
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.pools.admission import Ticket
from casedesk_proxy.pools.control_memory import ControlMemory
from casedesk_proxy.pools.policies import Demand
from casedesk_proxy.pools.retry import Failure
from casedesk_proxy.replying.record import Phase
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.terms import Control, UseRules, record
from casedesk_proxy.upstream.file_upload import FileContents
from casedesk_proxy.upstream.uploading import Upload

__all__ = ["Attempts", "Beginning", "Next"]

log = logging.getLogger(__name__)

#: The statuses with which nodes refuse a control; 200: inside the reply.
_REFUSAL_STATUSES = frozenset({200, 400, 422, 500})


@record
class Beginning:
    """How a node's reply began. ``is_granted``: it has begun to answer what it was asked in its
    own protocol; ``is_refused``: nothing of it has been sent, an error is to be; ``is_lost``: for
    the node was lost. ``controls``: those of thinking that it was asked for; ``refusal``: the
    status and the beginning of the body of a translated reply that failed."""

    node: NodeSpec
    controls: Mapping[Control, str]
    is_granted: bool
    is_refused: bool
    is_lost: bool
    refusal: tuple[int, bytes]


class Next(Enum):
    """What happens to a request whose reply has begun."""

    #: The reply is its client's.
    DELIVER = "deliver"
    #: It is asked for again, without what was refused.
    LEAVE_OUT = "leave out"
    #: It goes to another node.
    MOVE_ON = "move on"


class Attempts:
    """``count``: nodes that were asked; ``tried``: those that failed, each with why; ``repeats``:
    attempts that only left out a control; ``node``: the last that was asked; ``without``: the
    controls of thinking that the request is to do without; ``upload``: what is not held of the
    request's body; ``contents``: of the files in it; ``caps``: the limits on parallel requests that
    it counts for; ``ticket`` is the last with which it waited for a slot; ``recheck`` raises where
    it is over a limit after it has waited. Times in seconds
    of the loop's clock.
    """

    __slots__ = (
        "_memory",
        "_refused",
        "caps",
        "contents",
        "count",
        "give_up_at",
        "key",
        "left",
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
        self.caps: tuple[UseRules, ...] = ()
        self.recheck: Callable[[], None] | None = None
        self.ticket: Ticket | None = None
        self.plan: Plan
        #: Of the search that runs: who is left, how many had perhaps begun the request when they
        #: were lost, and the last that failed, with why.
        self.untried: tuple[NodeSpec, ...] = ()
        self.replays = 0
        self.give_up_at = float("inf")
        self.left: tuple[str, str] | None = None

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
        self.left = self.tried[-1]

    @property
    def lost(self) -> frozenset[str]:
        """The nodes that had begun the request, perhaps, when they were lost."""
        return frozenset(name for name, why in self.tried if why == Failure.LOST)

    @property
    def is_spent(self) -> bool:
        """Whether a part of the request has gone to a node and is held no more."""
        return self.upload is not None and self.upload.is_begun

    def demand(self) -> Demand:
        """For the nodes that are left."""
        demand = self.plan.demand
        if len(self.untried) == len(demand.nodes):
            return demand
        return replace(demand, nodes=tuple(node.name for node in self.untried))

    def ask(self, name: str) -> NodeSpec:
        """The node is asked now."""
        self.node, self.phase = name, Phase.WAITING
        self.count += 1
        for node in self.untried:
            if node.name == name:
                return node
        raise KeyError(name)

    def leave(self, name: str, why: str, now: float) -> None:
        """The node has failed."""
        self.untried = tuple(node for node in self.untried if node.name != name)
        self.left = name, why
        self.tried += ((name, why),)
        self.give_up_at = min(self.give_up_at, now + self.plan.deployment.config.failover_timeout)

    # A reply that has begun.

    def decide(self, beginning: Beginning, *, may_move_on: bool) -> Next:
        """What is to be done. ``may_move_on``: another node may have the request if its node was
        lost."""
        if self._is_refused(beginning):
            self.repeats += 1
            return Next.LEAVE_OUT
        if beginning.is_lost and may_move_on:
            self.tried += ((self.node, Failure.LOST),)
            return Next.MOVE_ON
        return Next.DELIVER

    def learn_late(self, beginning: Beginning) -> None:
        """From a refusal that came too late to ask again: the client has had keep-alives."""
        self._refused = {self._place: self._find_refused(beginning, proven=False)}
        self._learn(frozenset())

    @property
    def _place(self) -> tuple[str, str]:
        return self.node, self.plan.model

    def _is_refused(self, beginning: Beginning) -> bool:
        """Whether the reply is a refusal of a control, so that the request is to be made again."""
        controls = frozenset(beginning.controls)
        if beginning.is_granted:
            self._learn(controls)
            return False
        if not beginning.is_refused:
            return False
        blamed = self._find_refused(beginning)
        if self.without:
            # Leaving out a part of them did not help.
            blamed = blamed and controls
        if not blamed:
            return False
        self.without |= blamed
        self._refused[self._place] = self._refused.get(self._place, frozenset()) | blamed
        return True

    def _find_refused(self, beginning: Beginning, *, proven: bool = True) -> frozenset[Control]:
        """The controls that a failed reply is a refusal of. ``proven``: it will show whether the
        request does without them."""
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
            self._memory.record_taken(*self._place, controls)
        for (node, model), refused in self._refused.items():
            if news := self._memory.record_refused(node, model, refused):
                log.info(
                    "node %s: model %s rejects thinking controls (%s): they are left out from"
                    " now on; set nodes.%s.thinking to change that",
                    node, model, ", ".join(sorted(news)), node,
                )  # fmt: skip
