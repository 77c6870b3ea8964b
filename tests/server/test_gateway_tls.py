"""TLS on both sides: to clients if it is configured, to nodes with https."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trustme

from casedesk_proxy.config.load import load_config
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.server.waits import WAITS, Waits
from tests.fixtures import raw_client
from tests.fixtures.raw_client import RawClient, open_client
from tests.fixtures.raw_node import NodeConnection, RawNode
from tests.server.gateways import SSE, chat, chunk

EVENT = b"data: {}\n\n"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


async def serve(
    tmp_path: Path,
    authority: trustme.CA,
    ca: str | None,
    verify: bool = True,
    waits: Waits = WAITS,
) -> tuple[Gateway, RawNode]:
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(tmp_path / "cert.pem", append=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, *[chunk(EVENT)] * 3, b"0\r\n\r\n")
        await connection.until_gone()

    node = RawNode(play, tls=context)
    await node.begin()
    tls = f"{{verify: {str(verify).lower()}" + (f", ca: {ca}}}" if ca else "}")
    text = f"""
server:
  listen: 127.0.0.1:0
  admin: null
  access_log: false
  tls: {{cert: {tmp_path}/cert.pem, key: {tmp_path}/key.pem}}
default_deployment: d
nodes: {{n: {{url: "https://localhost:{node.port}", models: [m], probe_interval: 0, tls: {tls}}}}}
deployments: {{d: {{nodes: [n], auth: none}}}}
"""
    gateway = Gateway(load_config(text, "tls.yaml").config, {}, waits=waits)
    await gateway.start()
    return gateway, node


async def ask(gateway: Gateway, authority: trustme.CA) -> tuple[int, bytes]:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    reply = await raw_client.ask(gateway.urls[0], chat(), context)
    assert reply.complete
    return reply.status, reply.body


async def test_a_stream_through_tls_on_both_sides(tmp_path: Path, authority: trustme.CA) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    gateway, node = await serve(tmp_path, authority, f"{tmp_path}/ca.pem")
    try:
        assert gateway.urls[0].startswith("https://")
        assert await ask(gateway, authority) == (200, EVENT * 3)
    finally:
        await gateway.stop()
        await node.end()


async def test_a_handshake_under_way_is_waited_for(tmp_path: Path, authority: trustme.CA) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    gateway, node = await serve(tmp_path, authority, f"{tmp_path}/ca.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    side = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    client = await open_client(plain(gateway))

    async def some() -> bytes:
        await client.until(lambda: client.unread or None)
        return await client.take(len(client.unread))

    async def step(act: Callable[[], bytes | None]) -> bytes | None:
        while True:
            try:
                done = act()
            except ssl.SSLWantReadError:
                client.write(outgoing.read())
                incoming.write(await some())
            else:
                client.write(outgoing.read())
                return done

    try:
        with pytest.raises(ssl.SSLWantReadError):
            side.do_handshake()
        client.write(outgoing.read())
        # The server has answered: it waits for our part.
        incoming.write(await some())
        draining = asyncio.ensure_future(gateway.drain(10))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not draining.done()
        await step(side.do_handshake)
        side.write(chat())
        said = b""
        while not said.endswith(b"0\r\n\r\n"):
            said += await step(lambda: side.read(65536)) or b""
        assert said.startswith(b"HTTP/1.1 200")
        assert said.count(EVENT) == 3
        client.close()
        await draining
    finally:
        await client.end()
        await gateway.stop()
        await node.end()


def plain(gateway: Gateway) -> str:
    """The gateway's address, without TLS."""
    return gateway.urls[0].replace("https://", "http://")


async def shake_with_trust_in_nobody(url: str) -> RawClient | None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await open_client(url, ssl.create_default_context())
    return None


async def speak_plainly(url: str) -> RawClient:
    client = await open_client(url)
    client.write(b"no TLS at all\r\n\r\n")
    await client.rest()
    return client


async def look_in(url: str) -> RawClient:
    client = await open_client(url)
    client.close()
    return client


async def leave_half_way(url: str) -> RawClient:
    client = await open_client(url)
    await client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    client.abort()
    return client


@pytest.mark.parametrize(
    "fail", [shake_with_trust_in_nobody, speak_plainly, look_in, leave_half_way]
)
async def test_a_handshake_that_failed_does_not_hold_up_the_end(
    tmp_path: Path,
    authority: trustme.CA,
    fail: Callable[[str], Awaitable[RawClient | None]],
) -> None:
    gateway, node = await serve(tmp_path, authority, None)
    client = await fail(plain(gateway))
    try:
        async with asyncio.timeout(WAITS.handshake_s / 2):
            await gateway.drain(60)
    finally:
        if client is not None:
            await client.end()
        await gateway.stop()
        await node.end()


async def test_nor_does_one_that_is_never_finished_for_longer_than_it_may_take(
    tmp_path: Path, authority: trustme.CA
) -> None:
    gateway, node = await serve(tmp_path, authority, None, waits=Waits(handshake_s=0.2))
    client = await open_client(plain(gateway))
    try:
        async with asyncio.timeout(10):
            await gateway.drain(60)
    finally:
        await client.end()
        await gateway.stop()
        await node.end()


async def test_a_node_that_nobody_vouches_for_is_not_talked_to(
    tmp_path: Path, authority: trustme.CA
) -> None:
    gateway, node = await serve(tmp_path, authority, None)
    try:
        status, body = await ask(gateway, authority)
        assert status == 502
        assert "certificate is not trusted; set its tls.ca" in json.loads(body)["error"]["message"]
    finally:
        await gateway.stop()
        await node.end()


async def test_checking_may_be_switched_off(tmp_path: Path, authority: trustme.CA) -> None:
    gateway, node = await serve(tmp_path, authority, None, verify=False)
    try:
        assert (await ask(gateway, authority))[0] == 200
    finally:
        await gateway.stop()
        await node.end()
