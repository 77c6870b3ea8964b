"""What was decided about the last requests, for whoever repeats one.

Everything that is remembered of repeated requests hangs on an admission: itself, and in its
``placements`` where models are and how heads to their nodes begin. All of it goes with it.
"""

from __future__ import annotations

from casedesk_proxy.auth.browsers import Hosts
from casedesk_proxy.fastpath.head_cache import MAX_HEADS
from casedesk_proxy.planning.admission import Admitted, BaseUrl, admit
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.wire.http1 import RequestHead

__all__ = ["Admissions"]


class Admissions:
    """Whoever repeats a head, on whatever connection, is admitted as before, for as long as the
    configuration is the same: the path is not read and the credential not looked up a second
    time.

    `fastpath.head_cache` shares the headers of heads that differ in nothing but their length; a
    head without headers shares them with everybody.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        #: By the identity of their heads' headers, which they keep alive.
        self._known: dict[int, tuple[RequestHead, Snapshot, Admitted]] = {}

    def find(self, head: RequestHead, snapshot: Snapshot) -> Admitted | None:
        """What was decided before, if it was."""
        entry = self._known.get(id(head.headers))
        if entry is None:
            return None
        known, decided_with, admitted = entry
        same = (
            snapshot is decided_with
            and head.headers is known.headers
            and head.target is known.target
            and head.method is known.method
        )
        return admitted if same else None

    def admit(self, head: RequestHead, snapshot: Snapshot, hosts: Hosts) -> Admitted | BaseUrl:
        """`planning.admission.admit`, remembered. Raises a ClientFault, which is not."""
        admitted = admit(snapshot, head, hosts)
        if isinstance(admitted, Admitted):
            if len(self._known) >= MAX_HEADS:
                self._known.clear()
            self._known[id(head.headers)] = head, snapshot, admitted
        return admitted

    def forget(self) -> None:
        """Another configuration is in force."""
        self._known.clear()
