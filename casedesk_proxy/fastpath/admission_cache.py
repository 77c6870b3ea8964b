"""The decisions about recent requests, for clients that repeat one.

All caches of repeated requests belong to an admission: the admission itself and, in its
``placements``, where models are and how heads to their nodes begin. They are dropped together.
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

#: As many as heads in the head cache.
MAX_ADMISSIONS = 512


class AdmissionCache:
    """A repeated head, on any connection, is admitted as before as long as the configuration is the
    same: its path is not read and its credential not looked up again. A refusal is not
    remembered."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        bound = MAX_ADMISSIONS if is_on(Trick.ADMISSION) else 0
        self._known: Memory[tuple[RawHeaders, str, str], Admitted] = Memory(bound)

    def find(self, head: RequestHead, snapshot: Snapshot, hosts: Hosts) -> Admitted | None:
        """The earlier decision, if there is one."""
        return self._known.under(snapshot, hosts).get((head.headers, head.target, head.method))

    def admit(
        self,
        head: RequestHead,
        snapshot: Snapshot,
        hosts: Hosts,
        sessions: Sessions | None = None,
    ) -> Admitted | BaseUrl | UploadUrl:
        """`planning.admission.admit`, remembered, except for a session, which may end at any time.
        Raises a ClientFault, which is not remembered."""
        admitted = admit(snapshot, head, hosts, sessions)
        if isinstance(admitted, Admitted) and not admitted.by_session:
            known = self._known.under(snapshot, hosts)
            known.remember((head.headers, head.target, head.method), admitted)
        return admitted
