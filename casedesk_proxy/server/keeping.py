"""Kept responses as an exchange sees them: which node has them, for which owner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from casedesk_proxy.planning.admission import Admitted
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.pools.response_memory import Keeper, Owner, ResponseMemory
from casedesk_proxy.replying.namespaces import Namespaced
from casedesk_proxy.surfaces.kept_responses import find_id
from casedesk_proxy.terms import Dialect
from casedesk_proxy.upstream.lease import LeasedReply

__all__ = ["Keeping"]

#: The id of an answer must be within these bytes.
_MAX_BEGINNING_BYTES = 8192


class Keeping:
    """Callers without a key are one owner: an open deployment shares its responses."""

    def __init__(self, loop: asyncio.AbstractEventLoop, memory: ResponseMemory) -> None:
        self._loop = loop
        self._memory = memory

    def keepers(self, admitted: Admitted) -> Callable[[str], Keeper | None]:
        """The node that has the response with an id, if it belongs to the caller."""
        owner, now = _owner(admitted), self._loop.time()
        return lambda ident: self._memory.find(owner, ident, now)

    def learner(
        self, admitted: Admitted, plan: Plan, reply: LeasedReply
    ) -> Callable[[bytes], None] | None:
        """A function that reads an answer's first bytes and remembers which node has the response;
        None if no node will keep it."""
        node = reply.lease.node
        if not plan.makes_kept or reply.route.dialect is not Dialect.RESPONSES:
            return None
        if not node.engine.profile.responses.keeps:
            return None
        owner, translator = _owner(admitted), reply.route.translator
        names = translator.restorer if isinstance(translator, Namespaced) else None

        def learn(beginning: bytes) -> None:
            if ident := find_id(beginning[:_MAX_BEGINNING_BYTES]):
                now = self._loop.time()
                self._memory.record(owner, ident, node.name, plan.model, plan.asked, now, names)

        return learn


def _owner(admitted: Admitted) -> Owner:
    return admitted.deployment.name, admitted.facts.key
