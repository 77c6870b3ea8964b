"""TLS on both sides: to nodes, whose certificates are checked, and from clients."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest
import trustme

from casedesk_proxy.fastpath.switches import Trick, turn_off
from tests.e2e.relaying import STREAMS, asking
from tests.fixtures.proxy import proxy_here
from tests.fixtures.raw_client import ask, connect
from tests.fixtures.raw_node import raw_node

EVENT = b'data: {"n": 1}\n\n'
CHUNK = b"%x\r\n%s\r\n" % (len(EVENT), EVENT)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = HEAD + CHUNK + b"0\r\n\r\n"


def settings(url: str, **node: object) -> dict[str, object]:
    speaks = {"engine": "openai", "speaks": ["openai"], "models": ["m"]}
    return {
        "nodes": {"n": {"url": url, **speaks, **node}},
        "deployments": {"d": {"nodes": ["n"], "auth": "none"}},
    }


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def context_for(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_a_node_over_tls(authority: trustme.CA, ca_file: Path) -> None:
    tls = context_for(authority, "127.0.0.1")
    async with raw_node(WHOLE, tls=tls) as node:
        config = settings(node.url, tls={"ca": str(ca_file)})
        async with proxy_here(config) as gateway, connect(gateway.url) as client:
            for _ in range(2):
                reply = await client.ask(asking(STREAMS["openai"]))
                assert (reply.status, reply.body, reply.complete) == (200, EVENT, True)
        assert len(node.connections) == 1


@pytest.mark.parametrize("name", ["127.0.0.1", "other.example"])
async def test_a_node_that_nobody_vouches_for(
    authority: trustme.CA, ca_file: Path, name: str
) -> None:
    """The certificate is from an unknown authority, or from a known one for another host."""
    signer = trustme.CA() if name == "127.0.0.1" else authority
    async with raw_node(WHOLE, tls=context_for(signer, name)) as node:
        async with proxy_here(settings(node.url, tls={"ca": str(ca_file)})) as gateway:
            reply = await ask(gateway.url, asking(STREAMS["openai"]))
        unchecked = settings(node.url, tls={"verify": False})
        async with proxy_here(unchecked) as gateway:
            trusting = await ask(gateway.url, asking(STREAMS["openai"]))
    assert reply.status in (502, 503)
    assert json.loads(reply.body)["error"]["message"]
    assert trusting.body == EVENT
    assert node.requests == node.requests[:1]


@pytest.mark.parametrize("off", [frozenset(), frozenset({Trick.TLS})], ids=["own", "loop's"])
async def test_clients_over_tls(
    authority: trustme.CA, tmp_path: Path, off: frozenset[Trick]
) -> None:
    before = turn_off(off)
    try:
        await relay_over_tls(authority, tmp_path)
    finally:
        turn_off(before)


async def relay_over_tls(authority: trustme.CA, tmp_path: Path) -> None:
    cert = authority.issue_cert("127.0.0.1")
    cert.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    cert.private_key_pem.write_to_path(tmp_path / "key.pem")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with raw_node() as node:
        server = {"tls": {"cert": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}}
        config = {**settings(node.url), "server": server}
        async with proxy_here(config) as gateway:
            assert gateway.url.startswith("https://")
            async with connect(gateway.url, trusting) as client:
                client.write(asking(STREAMS["openai"]))
                connection = await node.connection()
                await connection.request()
                await connection.send(HEAD + CHUNK)
                await client.until_received(EVENT)
                await connection.send(b"0\r\n\r\n")
                assert (await client.reply()).body == EVENT
                client.write(asking(STREAMS["openai"]))
                await connection.request()
                await connection.send(HEAD)
                await client.head()
                client.reset()
                await connection.until_gone()
