"""Why a node cannot be used, in words that say what to do."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from casedesk_proxy.config.load import load_config
from casedesk_proxy.snapshot import NodeSpec, compile_snapshot
from casedesk_proxy.upstream.checkup import check_node
from casedesk_proxy.upstream.tls import NodeContexts, make_contexts
from tests.fixtures.raw_node import NodeConnection, Step, raw_node

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


def compile_node(url: str, key: str | None = None) -> NodeSpec:
    text = f'nodes: {{n: {{url: "{url}", engine: openai}}}}\ndeployments: {{d: {{nodes: [n]}}}}'
    config = load_config(text, "test").config
    contexts = make_contexts(config, NodeContexts())
    return compile_snapshot(config, {"n": key} if key else {}, contexts.by_node).nodes["n"]


async def node(url: str, key: str | None = None) -> NodeSpec:
    """A node in a thread, since a configuration is checked beside a loop."""
    return await asyncio.to_thread(compile_node, url, key)


async def test_all_is_well_and_the_key_is_shown() -> None:
    async with raw_node(OK) as there:
        assert await check_node(await node(there.url, "secret")) == ""
        (request,) = there.requests
    assert request.value("authorization") == b"Bearer secret"
    assert request.target == "/v1/models"


@pytest.mark.parametrize(
    ("status", "key", "said"),
    [
        (401, None, "requires a key (401); set nodes.n.api_key"),
        (403, "k", "rejects its key (403); set another nodes.n.api_key"),
        (302, None, "answers with a redirect (302), which is never followed; correct nodes.n.url"),
        (503, None, "answers 503: it is starting, or overloaded; try again in a minute"),
        (500, None, "answers 500: look into the node's log"),
        # It has no list, which is no fault.
        (404, None, ""),
    ],
)
async def test_statuses(status: int, key: str | None, said: str) -> None:
    reply = b"HTTP/1.1 %d X\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n" % status
    async with raw_node(reply) as there:
        assert await check_node(await node(there.url, key)) == said


async def test_nobody_listens() -> None:
    async with raw_node() as there:
        url = there.url
    assert (
        await check_node(await node(url)) == "refuses connections: start it, or correct nodes.n.url"
    )


async def test_a_name_that_nobody_has() -> None:
    said = await check_node(await node("http://nobody.invalid"))
    assert said == "its host name nobody.invalid cannot be resolved; correct nodes.n.url"


async def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    said = await check_node(await node(f"http+unix://{tmp_path}/none.sock"))
    assert said == f"its socket {tmp_path}/none.sock does not exist"


async def test_no_answer() -> None:
    async with raw_node(Step.WAIT_FOR_CLOSE) as there:
        said = await check_node(await node(there.url), timeout_s=0.05)
    assert said == "did not answer within 0.05 s; is it running, and is nodes.n.url right?"


async def test_an_answer_that_breaks_off() -> None:
    async with raw_node(Step.CLOSE) as there:
        said = await check_node(await node(there.url))
    assert said.startswith("cannot be reached (")
    assert said.endswith("); correct nodes.n.url")


async def test_https_where_http_is_spoken() -> None:
    async def complain(connection: NodeConnection) -> None:
        await connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_node(play=complain) as there:
        secure = await node(there.url.replace("http:", "https:"))
        said = await check_node(secure)
    assert said == (
        "does not speak TLS at that port, or no version that the proxy supports; is nodes.n.url"
        " http://?"
    )


async def test_a_certificate_that_is_not_trusted() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    async with raw_node(OK, tls=tls) as there:
        said = await check_node(await node(there.url))
    assert said.startswith("presents a certificate that is not accepted: ")
    assert said.endswith("; set nodes.n.tls.ca")
