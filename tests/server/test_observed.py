"""What can be observed in a gateway that has served nothing yet."""

from __future__ import annotations

from tests.fixtures.raw_node import NodeConnection
from tests.server.gateways import staged


async def idle(node: NodeConnection) -> None:
    await node.request()


async def test_a_gateway_at_rest() -> None:
    async with staged(idle) as stage:
        gateway = stage.gateway
        assert list(gateway.nodes) == ["n"]
        assert gateway.waiting == {"d": 0}
        assert not any((await gateway.count_phases()).values())
        assert (gateway.connections, gateway.failovers, gateway.places()) == (
            0,
            gateway.failovers,
            {},
        )
        assert gateway.cut_prompts == gateway.refused_controls == {}
        assert gateway.admin_hosts is gateway.serving.current.admin_hosts
