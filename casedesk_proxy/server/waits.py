"""How long the gateway waits in cases that no configuration covers, in seconds."""

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

    #: For a client's TLS handshake, which may delay a drain.
    handshake_s: float = 10.0
    #: For the first round over the nodes, which may delay start-up.
    first_round_s: float = 2.0
    #: For streams that were asked to end.
    stop_grace_s: float = 1.0
    #: For the first round over the nodes, while nothing is known, which may delay a client.
    first_look_s: float = 3.0
    #: For the nodes' newest lists, if a request names an unknown model: healthy nodes answer within
    #: this time, and a client should not wait for one that hangs.
    model_refresh_s: float = 1.0
    #: The time of refusals that one log line sums up.
    refusal_summary_s: float = 10.0
    #: For the rest of a node's error.
    error_remainder_s: float = REMAINDER_WAIT_S
    #: Between two rounds over the nodes that are requested, and between two requests to a used
    #: node.
    metadata_pause_s: float = MIN_PAUSE_S
    in_use_pause_s: float = IN_USE_PAUSE_S
    #: Between two checks which node is to be probed.
    probe_tick_s: float = TICK_S
    #: For waiting requests and closing connections in one round of the loop.
    turn_budget_s: float = ROUND_BUDGET_S


WAITS = Waits()
