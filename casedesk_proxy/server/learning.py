"""What a node refuses for the sake of a thinking wish is asked for again without it.

Before anything of the reply has gone to the client, and for as long as there is a wish to leave
out. What was refused is remembered once the request does without it.
"""

from __future__ import annotations

import logging

from casedesk_proxy.dialects.core.thinking import blame, blame_unproven, read_refusal
from casedesk_proxy.planning.limits import thinking_mode
from casedesk_proxy.pools.control_memory import ControlMemory
from casedesk_proxy.relay.delivery import Delivery
from casedesk_proxy.replying.record import Delivered, Outcome, Terminal
from casedesk_proxy.terms import Control

__all__ = ["Wishes"]

log = logging.getLogger(__name__)

#: The statuses with which nodes refuse a wish; 200: inside the reply.
_REFUSALS = frozenset({200, 400, 422, 500})


class Wishes:
    """One request's. ``without`` are the controls of thinking that it is to do without."""

    __slots__ = ("_memory", "_refused", "without")

    def __init__(self, memory: ControlMemory) -> None:
        self._memory = memory
        self._refused: dict[tuple[str, str], frozenset[Control]] = {}
        self.without: frozenset[Control] = frozenset()

    def are_refused(self, delivery: Delivery, outcome: Outcome) -> bool:
        """Whether the reply, which has begun or ended, is a refusal of a wish, so that the
        request is to be made again."""
        controls = delivery.controls
        if delivery.is_granted:
            self._learn(frozenset(controls), outcome)
            return False
        if delivery.fault is None:
            return False
        blamed = _blame(delivery, outcome)
        if self.without:
            # Leaving out a part of them did not help.
            blamed = blamed and frozenset(controls)
        if not blamed:
            return False
        self.without |= blamed
        place = outcome.node, outcome.model
        self._refused[place] = self._refused.get(place, frozenset()) | blamed
        return True

    def learn_late(self, delivery: Delivery, delivered: Delivered, outcome: Outcome) -> None:
        """From a refusal that came too late to ask again: the client has had signs of life."""
        if delivered.fault is None and delivered.terminal is not Terminal.COMPLETED:
            blamed = _blame(delivery, outcome, proven=False)
            self._refused = {(outcome.node, outcome.model): blamed}
            self._learn(frozenset(), outcome)

    def _learn(self, controls: frozenset[Control], outcome: Outcome) -> None:
        if controls:
            self._memory.record_taken(outcome.node, outcome.model, controls)
        for (node, model), refused in self._refused.items():
            if news := self._memory.record_refused(node, model, refused):
                log.info(
                    "node %s: model %s refuses thinking controls (%s): they are left out from now "
                    "on; nodes.%s.thinking in the configuration decides otherwise",
                    node, model, ", ".join(sorted(news)), node,
                )  # fmt: skip


def _blame(delivery: Delivery, outcome: Outcome, *, proven: bool = True) -> frozenset[Control]:
    """The controls that a failed reply is a refusal of. ``proven``: it will show whether the
    request does without them."""
    if not delivery.controls:
        return frozenset()
    status, body = delivery.refusal
    if status not in _REFUSALS or thinking_mode(delivery.node, outcome.model) != "auto":
        return frozenset()
    if not proven:
        return blame_unproven(delivery.controls, status, body)
    return blame(delivery.controls, status, read_refusal(status, body))
