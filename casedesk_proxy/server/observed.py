"""What admin pages, gauges and the console read of a gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from casedesk_proxy.auth.browsers import Hosts
from casedesk_proxy.pools.node import NodeState
from casedesk_proxy.server.handler import Handler
from casedesk_proxy.server.public import PublicServer
from casedesk_proxy.server.runtime import ListenerTls, Serving
from casedesk_proxy.terms import Control
from casedesk_proxy.upstream.dispatch import Dispatcher, Failover

__all__ = ["Observed"]


class Observed:
    """The read-only part of a `server.app.Gateway`."""

    serving: Serving
    dispatcher: Dispatcher
    _handler: Handler
    _public: PublicServer
    _tls: ListenerTls | None

    @property
    def admin_hosts(self) -> Hosts:
        """The host names of the admin listener."""
        return self.serving.current.admin_hosts

    @property
    def certificate_until(self) -> float | None:
        """When the certificate that clients are shown expires, in seconds since 1970; None: they
        are shown none."""
        return None if self._tls is None else self._tls.certificate.until

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._public.connections)

    @property
    def nodes(self) -> Mapping[str, NodeState]:
        """The states of the nodes, including those that left the configuration and still have
        requests."""
        return self.dispatcher.slots.states

    async def count_phases(self) -> Mapping[str, int]:
        """How many exchanges are in each phase, including zeros."""
        return await self._handler.exchanges.count_phases()

    @property
    def failovers(self) -> Sequence[Failover]:
        """The last requests that went to another node, the oldest first."""
        return self.dispatcher.failovers

    @property
    def cut_prompts(self) -> Mapping[tuple[str, str], int]:
        """To how many tokens prompts were cut, by node and model."""
        return self._handler.cuts.seen

    @property
    def refused_controls(self) -> Mapping[tuple[str, str], frozenset[Control]]:
        """The controls of thinking that models, by node and name, have refused."""
        return self.dispatcher.control_memory.refused

    def places(self) -> Mapping[int, int]:
        """How far waiting tickets, by identity, are from the front of their queues."""
        return self.dispatcher.slots.admission.places()

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many requests of each deployment wait for a slot."""
        admission = self.dispatcher.slots.admission
        return {name: admission.waiting(name) for name in self.serving.snapshot.deployments}
