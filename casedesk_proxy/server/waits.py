"""How long the gateway waits for others where no configuration says so, in seconds."""

from __future__ import annotations

from casedesk_proxy.terms import record
from casedesk_proxy.turns import ROUND_BUDGET_S
from casedesk_proxy.upstream.error_bodies import REMAINDER_WAIT_S
from casedesk_proxy.upstream.metadata import IN_USE_PAUSE_S, MIN_PAUSE_S
from casedesk_proxy.upstream.probes import TICK_S

__all__ = ["WAITS", "Waits"]


@record
class Waits:
    """One value for a whole gateway, so that tests need not wait."""

    #: A client's TLS handshake may take it, and so hold up a drain.
    handshake_s: float = 10.0
    #: The first look at the nodes may keep start-up waiting.
    first_round_s: float = 2.0
    #: Streams that were told to end may do so.
    stop_grace_s: float = 1.0
    #: The first look at the nodes may keep a client, while nothing at all is known.
    first_look_s: float = 3.0
    #: A request for an unknown model waits for the nodes' newest lists: those that live tell them
    #: within that, and one that hangs is no reason to keep a client.
    model_refresh_s: float = 1.0
    #: One log line sums up the refusals of that time.
    refusal_summary_s: float = 10.0
    #: What is still to come of a node's error.
    error_remainder_s: float = REMAINDER_WAIT_S
    #: Between two rounds over the nodes that somebody asks for, and two looks at a used node.
    metadata_pause_s: float = MIN_PAUSE_S
    in_use_pause_s: float = IN_USE_PAUSE_S
    #: Between two looks at which node is to be probed.
    probe_tick_s: float = TICK_S
    #: What a round of the loop bears of the requests that wait, and of partings.
    turn_budget_s: float = ROUND_BUDGET_S


WAITS = Waits()
