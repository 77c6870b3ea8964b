"""What was decided about the last requests, for clients that repeat one.

Everything that is remembered of repeated requests hangs on an admission: itself, and in its
``placements`` where models are and how heads to their nodes begin. All of it goes with it.
"""

from __future__ import annotations

from casedesk_proxy.auth.browsers import Hosts
from casedesk_proxy.auth.sessions import Sessions
from casedesk_proxy.fastpath.memory import Memory
from casedesk_proxy.fastpath.switches import Trick, is_on
from casedesk_proxy.planning.admission import Admitted, BaseUrl, UploadUrl, admit
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.terms import RawHeaders
from casedesk_proxy.wire.http1 import RequestHead

__all__ = ["MAX_ADMISSIONS", "AdmissionCache"]

#: As many as heads are remembered.
MAX_ADMISSIONS = 512


class AdmissionCache:
    """A head that is repeated, on whatever connection, is admitted as before for as long as the
    configuration is the same: its path is not read and its credential not looked up a second time.
    Whatever is refused is judged each time.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        bound = MAX_ADMISSIONS if is_on(Trick.ADMISSION) else 0
        self._known: Memory[tuple[RawHeaders, str, str], Admitted] = Memory(bound)

    def find(self, head: RequestHead, snapshot: Snapshot, hosts: Hosts) -> Admitted | None:
        """What was decided before, if it was."""
        return self._known.under(snapshot, hosts).get((head.headers, head.target, head.method))

    def admit(
        self,
        head: RequestHead,
        snapshot: Snapshot,
        hosts: Hosts,
        sessions: Sessions | None = None,
    ) -> Admitted | BaseUrl | UploadUrl:
        """`planning.admission.admit`, remembered, unless for a session, which may end at any time.
        Raises a ClientFault, which is not."""
        admitted = admit(snapshot, head, hosts, sessions)
        if isinstance(admitted, Admitted) and not admitted.by_session:
            known = self._known.under(snapshot, hosts)
            known.remember((head.headers, head.target, head.method), admitted)
        return admitted
