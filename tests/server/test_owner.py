"""The server as the owner of its clients' connections."""

from __future__ import annotations

from casedesk_proxy.server.connection import ClientConnection
from casedesk_proxy.server.owner import Owner
from casedesk_proxy.server.public import PublicServer
from tests.server.clients import FakeClient


async def test_a_server_is_the_owner_of_its_connections() -> None:
    async def answer(_: object) -> bool:
        return False

    owner: Owner[ClientConnection] = PublicServer(
        answer, lambda client, data, error: None, head_timeout_s=1.0, idle_timeout_s=1.0
    )
    for name in Owner.__annotations__:
        assert hasattr(owner, name), name
    connection = ClientConnection(owner)
    connection.connection_made(FakeClient().transport)
    assert isinstance(owner, PublicServer)
    assert owner.connections == {connection}
    connection.connection_lost(None)
    assert owner.connections == set()
    await owner.close(0.0)
