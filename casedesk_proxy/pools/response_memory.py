"""Which node keeps which response: by it, a later request about that response finds its node.

A response belongs to whoever had it made: the same id, asked for by another key or at another
deployment, is unknown. What is remembered is lost with the process, as a node's own memory is with
the node's.
"""

from __future__ import annotations

from casedesk_proxy.terms import record

__all__ = ["Keeper", "Owner", "ResponseMemory"]

#: A deployment, and the name of the key.
Owner = tuple[str, str]

#: Responses of one owner, and of all: those that were made first are forgotten.
_MAX_KEPT_RESPONSES = 1000
_MAX_RESPONSES = 20_000
#: Nodes keep them in memory; OpenAI for thirty days.
_KEEP_S = 24 * 3600.0


@record
class Keeper:
    """``node`` has the response, made by ``model``, the node's name of it; ``asked`` is the
    client's. ``until``: seconds of the clock that ``now`` is of."""

    node: str
    model: str
    asked: str
    until: float


class ResponseMemory:
    """Bounded in time and number, for each owner and in all."""

    def __init__(
        self,
        *,
        most_of_one: int = _MAX_KEPT_RESPONSES,
        most: int = _MAX_RESPONSES,
        keep: float = _KEEP_S,
    ) -> None:
        self._most_of_one = most_of_one
        self._most = most
        self._keep = keep
        self._count = 0
        #: The oldest first.
        self._kept: dict[Owner, dict[str, Keeper]] = {}

    def __len__(self) -> int:
        return self._count

    def record(
        self, owner: Owner, ident: str, node: str, model: str, asked: str, now: float
    ) -> None:
        """The node has begun to make it."""
        self._drop(owner, ident)
        kept = self._kept.setdefault(owner, {})
        kept[ident] = Keeper(node, model, asked, now + self._keep)
        self._count += 1
        self._forget_old(owner, now)

    def find(self, owner: Owner, ident: str, now: float) -> Keeper | None:
        keeper = self._kept.get(owner, {}).get(ident)
        return keeper if keeper is not None and now < keeper.until else None

    def _forget_old(self, owner: Owner, now: float) -> None:
        kept = self._kept[owner]
        while len(kept) > self._most_of_one or next(iter(kept.values())).until <= now:
            self._drop(owner, next(iter(kept)))
        while self._count > self._most:
            # Whoever has most gives up one: nobody's are crowded out by another's.
            largest = max(self._kept, key=lambda one: len(self._kept[one]))
            self._drop(largest, next(iter(self._kept[largest])))

    def _drop(self, owner: Owner, ident: str) -> None:
        kept = self._kept.get(owner, {})
        if kept.pop(ident, None) is not None:
            self._count -= 1
            if not kept:
                del self._kept[owner]
