"""A request that is to be planned and sent to a node: what the stages on its way there share."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planning.admission import Admitted
from casedesk_proxy.planning.inference import find_editor
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.relay.upload import ClientUpload
from casedesk_proxy.replying.record import PlanFacts
from casedesk_proxy.server.exchanges import Exchange
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.surfaces.forms import FormBeginning

__all__ = ["PendingRequest", "Timing"]


class Timing:
    """Seconds of our own work on a request, without the wait for its body: by time.perf_counter."""

    __slots__ = ("_began", "_spent")

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._spent = 0.0

    def pause(self) -> None:
        self._spent += time.perf_counter() - self._began

    def resume(self) -> None:
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        return self._spent + time.perf_counter() - self._began


@dataclass(slots=True, eq=False)
class PendingRequest:
    """``raw`` is the request's body, or the beginning of a ``form``; then ``upload`` has the rest.
    Nothing keeps this once the reply has begun, as it holds all of the body."""

    request: ClientRequest
    exchange: Exchange
    admitted: Admitted
    snapshot: Snapshot
    timing: Timing
    raw: bytes | HeldBody = field(default=b"", repr=False)
    form: FormBeginning | None = None
    upload: ClientUpload | None = None

    def note(self, plan: Plan) -> None:
        """Pass the plan's facts to the exchange and to an upload."""
        exchange = self.exchange
        if self.upload is not None:
            self.upload.editor = find_editor(plan.routes)
        exchange.dropped = plan.dropped
        if not exchange.attempts.count:
            exchange.planned = PlanFacts(plan.asked, plan.model, self.timing.seconds)
