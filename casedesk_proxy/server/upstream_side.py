"""The nodes' side of a gateway: the dispatcher, what is known of nodes, and their probes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator

from casedesk_proxy.instances.siblings import Siblings
from casedesk_proxy.instances.table import HostTable
from casedesk_proxy.server.runtime import Serving
from casedesk_proxy.server.waits import Waits
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.turns import Turns
from casedesk_proxy.upstream.dispatch import Dispatcher
from casedesk_proxy.upstream.metadata import Metadata
from casedesk_proxy.upstream.probes import Prober

__all__ = ["UpstreamSide"]


class UpstreamSide:
    """``table``: what the instances of this host share; None: there is no other, and ``siblings``
    is None."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        serving: Serving,
        waits: Waits,
        turns: Turns,
        table: HostTable | None,
    ) -> None:
        self._serving = serving
        self.turns = turns
        self.dispatcher = Dispatcher(loop, error_wait_s=waits.error_remainder_s, turns=turns)
        slots = self.dispatcher.slots
        self.siblings = None if table is None else Siblings(table)
        if table is not None:
            slots.share(table)
        self.metadata = Metadata(
            loop, serving, slots.set_slot_count,
            min_pause_s=waits.metadata_pause_s, in_use_pause_s=waits.in_use_pause_s,
        )  # fmt: skip
        slots.on_service_lost = self.metadata.failed
        self._prober = Prober(loop, serving, slots, self.metadata, tick_s=waits.probe_tick_s)

    def apply(self, before: Snapshot | None) -> None:
        """Apply another configuration than ``before``, which is active now, to slots, connections,
        metadata and probes."""
        self.dispatcher.apply(self._serving.snapshot)
        self.metadata.apply(before)
        self._prober.apply()

    def list_chores(self) -> Iterator[tuple[Coroutine[None, None, None], str]]:
        """The background tasks, each of which runs until it is cancelled, with their names."""
        yield self.metadata.keep_fresh(), "metadata"
        yield self._prober.run(), "probes"
