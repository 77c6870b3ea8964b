"""TLS on both sides: to clients where it is configured, to nodes that are https."""

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
from tests.fixtures.raw_node import NodeConnection, RawNode
from tests.server.gateways import SSE, chat, chunk, read_head, read_raw_chunked

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
    port = int(gateway.urls[0].rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(chat())
    status, headers = await read_head(reader)
    if "transfer-encoding" in headers:
        body = (await read_raw_chunked(reader))[1]
    else:
        body = await reader.readexactly(int(headers["content-length"]))
    writer.close()
    return status, body


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
    port = int(gateway.urls[0].rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def step(act: Callable[[], bytes | None]) -> bytes | None:
        while True:
            try:
                done = act()
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                data = await reader.read(65536)
                assert data, "cut"
                incoming.write(data)
            else:
                writer.write(outgoing.read())
                return done

    try:
        with pytest.raises(ssl.SSLWantReadError):
            side.do_handshake()
        writer.write(outgoing.read())
        # The server has answered: it waits for our part.
        incoming.write(await reader.read(65536))
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
        writer.close()
        await draining
    finally:
        writer.close()
        await gateway.stop()
        await node.end()


async def shake_with_trust_in_nobody(port: int) -> asyncio.StreamWriter | None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context())
    return None


async def speak_plainly(port: int) -> asyncio.StreamWriter:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"no TLS at all\r\n\r\n")
    await reader.read()
    return writer


async def look_in(port: int) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    return writer


async def leave_half_way(port: int) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    await writer.drain()
    writer.transport.abort()
    return writer


@pytest.mark.parametrize(
    "fail", [shake_with_trust_in_nobody, speak_plainly, look_in, leave_half_way]
)
async def test_a_handshake_that_failed_does_not_hold_up_the_end(
    tmp_path: Path,
    authority: trustme.CA,
    fail: Callable[[int], Awaitable[asyncio.StreamWriter | None]],
) -> None:
    gateway, node = await serve(tmp_path, authority, None)
    port = int(gateway.urls[0].rsplit(":", 1)[1])
    writer = await fail(port)
    try:
        async with asyncio.timeout(WAITS.handshake_s / 2):
            await gateway.drain(60)
    finally:
        if writer is not None:
            writer.close()
        await gateway.stop()
        await node.end()


async def test_nor_does_one_that_is_never_finished_for_longer_than_it_may_take(
    tmp_path: Path, authority: trustme.CA
) -> None:
    gateway, node = await serve(tmp_path, authority, None, waits=Waits(handshake_s=0.2))
    port = int(gateway.urls[0].rsplit(":", 1)[1])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(10):
            await gateway.drain(60)
    finally:
        writer.close()
        await gateway.stop()
        await node.end()


async def test_a_node_that_nobody_vouches_for_is_not_talked_to(
    tmp_path: Path, authority: trustme.CA
) -> None:
    gateway, node = await serve(tmp_path, authority, None)
    try:
        status, body = await ask(gateway, authority)
        assert status == 502
        assert "TLS" in json.loads(body)["error"]["message"]
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
