"""Which node keeps which response, so that a later request about the response finds its node.

A response belongs to the key that made it, at one deployment: for another key, or at another
deployment, its id is unknown. This memory ends with the process, as a node's own memory of
responses ends with the node's process.
"""

from __future__ import annotations

from typing import Protocol

from casedesk_proxy.terms import record

__all__ = ["Keeper", "Names", "Owner", "ResponseMemory"]

#: A deployment, and the name of the key.
Owner = tuple[str, str]

#: Responses of one owner, and of all: the oldest are dropped.
_MAX_KEPT_RESPONSES = 1000
_MAX_RESPONSES = 20_000
#: Seconds. Nodes keep responses in memory; OpenAI for thirty days.
_KEEP_S = 24 * 3600.0
#: Bytes of the original function names, of one response and of all; without them a response keeps
#: the node's names.
_MAX_NAMES_BYTES = 2**18
_MAX_ALL_NAMES_BYTES = 2**25


class Names(Protocol):
    """Maps the function names that a node was given to the client's own."""

    @property
    def size(self) -> int:
        """The approximate size in bytes."""


@record
class Keeper:
    """``node`` has the response, made by ``model``, the node's name of it; ``asked`` is the
    client's. ``until``: seconds of the clock of ``now``. ``names``: None if the node got the
    client's own names, or there are too many."""

    node: str
    model: str
    asked: str
    until: float
    names: Names | None = None


class ResponseMemory:
    """Bounded in time and number, for each owner and in total."""

    def __init__(
        self,
        *,
        most_of_one: int = _MAX_KEPT_RESPONSES,
        most: int = _MAX_RESPONSES,
        keep_s: float = _KEEP_S,
        most_names: int = _MAX_ALL_NAMES_BYTES,
    ) -> None:
        self._most_of_one = most_of_one
        self._most_names = most_names
        self._names_size = 0
        self._most = most
        self._keep_s = keep_s
        self._count = 0
        #: The oldest first.
        self._kept: dict[Owner, dict[str, Keeper]] = {}

    def __len__(self) -> int:
        return self._count

    def record(
        self,
        owner: Owner,
        ident: str,
        node: str,
        model: str,
        asked: str,
        now: float,
        names: Names | None = None,
    ) -> None:
        """Record that the node has begun to make the response."""
        self._drop(owner, ident)
        size = names.size if names is not None else 0
        if size > _MAX_NAMES_BYTES or self._names_size + size > self._most_names:
            names, size = None, 0
        self._names_size += size
        kept = self._kept.setdefault(owner, {})
        kept[ident] = Keeper(node, model, asked, now + self._keep_s, names)
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
            # The owner with the most loses one, so that no owner displaces another's.
            largest = max(self._kept, key=lambda one: len(self._kept[one]))
            self._drop(largest, next(iter(self._kept[largest])))

    def _drop(self, owner: Owner, ident: str) -> None:
        kept = self._kept.get(owner, {})
        if (keeper := kept.pop(ident, None)) is not None:
            self._count -= 1
            self._names_size -= keeper.names.size if keeper.names is not None else 0
            if not kept:
                del self._kept[owner]
