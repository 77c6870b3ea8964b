"""What the admin listener needs of the serving side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from casedesk_proxy.auth.browsers import Hosts
from casedesk_proxy.instances.siblings import Siblings
from casedesk_proxy.ledger.key_use import KeyUse
from casedesk_proxy.ledger.postgres import RowForwarder
from casedesk_proxy.pools.node import NodeState
from casedesk_proxy.relay.watch import Watch
from casedesk_proxy.snapshot import Current
from casedesk_proxy.store.writer import StoreWriter
from casedesk_proxy.telemetry.config_status import ConfigStatus
from casedesk_proxy.telemetry.metrics import Metrics
from casedesk_proxy.terms import Control, Standing
from casedesk_proxy.upstream.dispatch import Failover
from casedesk_proxy.upstream.metadata import Metadata

__all__ = ["Limiting", "Served"]


class Limiting(Protocol):
    """Counts by kind (key or deployment), name and limit; ``list_all`` returns how the limits of
    the first so many keys and deployments stand."""

    refused: Counter[tuple[str, str, str]]
    warned: Counter[tuple[str, str, str]]

    def list_all(self, most: int) -> list[Standing]: ...


class Served(Protocol):
    """What the admin pages, the gauges and the status line show."""

    metadata: Metadata
    metrics: Metrics
    config_status: ConfigStatus
    draining: bool
    urls: list[str]
    store: StoreWriter | None
    siblings: Siblings | None

    @property
    def limiter(self) -> Limiting: ...

    forwarder: RowForwarder | None
    key_use: KeyUse

    @property
    def serving(self) -> Current: ...

    async def take_keys(self) -> None:
        """See `admin.key_api.Administered`."""

    @property
    def admin_hosts(self) -> Hosts: ...

    @property
    def certificate_until(self) -> float | None: ...

    @property
    def watch(self) -> Watch: ...

    @property
    def connections(self) -> int: ...

    @property
    def nodes(self) -> Mapping[str, NodeState]: ...

    async def count_phases(self) -> Mapping[str, int]: ...

    @property
    def failovers(self) -> Sequence[Failover]: ...

    @property
    def cut_prompts(self) -> Mapping[tuple[str, str], int]: ...

    @property
    def refused_controls(self) -> Mapping[tuple[str, str], frozenset[Control]]: ...

    @property
    def waiting(self) -> Mapping[str, int]: ...
