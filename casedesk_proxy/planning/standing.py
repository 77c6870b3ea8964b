"""What a request's head alone decides: what is wanted, and who may have it."""

from __future__ import annotations

from dataclasses import dataclass, field

from casedesk_proxy.planning.route import ModelPlacement
from casedesk_proxy.snapshot import DeploymentSpec, Snapshot
from casedesk_proxy.terms import Call
from casedesk_proxy.wire.http1 import RequestHead

__all__ = ["Standing"]


@dataclass(slots=True)
class Standing:
    """Of a request that is admitted. Whoever repeats its head, on whatever connection, has
    the same standing again, for as long as the configuration is the same: its path is not read
    and its credential not looked up a second time.

    ``request_id`` is the client's own, if the head has one that we accept; ``shown`` is the target
    as it may stand in a log; ``placements`` is for planning.
    """

    head: RequestHead
    snapshot: Snapshot
    request_id: str | None
    shown: str
    call: Call
    deployment: DeploymentSpec
    token: str
    placements: dict[str, ModelPlacement] = field(default_factory=dict)

    def is_of(self, head: RequestHead, snapshot: Snapshot) -> bool:
        """``fastpath.head_cache`` shares the headers of heads that differ in nothing but their
        length; a head without headers shares them with everybody."""
        known = self.head
        return (
            snapshot is self.snapshot
            and head.headers is known.headers
            and head.target is known.target
            and head.method is known.method
        )
