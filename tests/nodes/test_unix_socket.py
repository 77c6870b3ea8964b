"""A real llama-server on a Unix socket: found by `init`, used, killed and started again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from tests.cli.command import invoke
from tests.fixtures.proxy import proxy_here
from tests.fixtures.raw_client import ask, connect, request
from tests.nodes.llama_server import LlamaNode, llama_server
from tests.nodes.tiny_model import REPLY

HI = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}
ENDLESS = {"model": "tiny", "messages": [{"role": "user", "content": "endless"}]}


def config(node: LlamaNode) -> dict[str, object]:
    return {
        "nodes": {"llama": {"url": node.url, "probe_interval": "20ms"}},
        "deployments": {"d": {"nodes": ["llama"], "auth": "none"}},
        "default_deployment": "d",
    }


async def test_it_serves_and_its_loss_is_noticed(
    llama_node: LlamaNode, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "llama.sock"
    ended: list[ExchangeRecord] = []
    with llama_server(llama_node.model, socket=path) as node:
        assert node.url == f"http+unix://{path}"
        async with proxy_here(config(node)) as proxy:
            proxy.sinks.append(ended.append)
            whole = await ask(proxy.url, request("/v1/chat/completions", HI))
            assert json.loads(whole.body)["choices"][0]["message"]["content"] == REPLY
            listed = await ask(proxy.url, request("/v1/models", method="GET"))
            assert "tiny" in [one["id"] for one in json.loads(listed.body)["data"]]
            found = proxy.gateway.metadata.nodes["llama"]
            assert (found.engine.name, found.host_header) == ("llama-server", b"localhost")
            async with connect(proxy.url) as client:
                client.write(request("/v1/chat/completions", {**ENDLESS, "stream": True}))
                await client.until_received(b"data: ")
                node.crash()
                broken = await client.reply()
            assert not broken.complete
            lost = await ask(proxy.url, request("/v1/chat/completions", HI))
            assert lost.status == 502
            assert json.loads(lost.body)["error"]["message"] == (
                "node llama cannot be reached: its socket has no listener (connection refused);"
                " start it"
            )
            assert str(path).encode() not in lost.body
            state = proxy.gateway.dispatcher.slots.states["llama"]
            assert str(path) in state.last_error
            path.unlink()
            with llama_server(llama_node.model, socket=path):
                while not state.breaker.is_closed():
                    await asyncio.sleep(0.01)
                again = await ask(proxy.url, request("/v1/chat/completions", HI))
                assert again.status == 200
    assert [one.terminal for one in ended if one.code] == [
        Terminal.NODE_BROKE,
        Terminal.NODE_UNAVAILABLE,
    ]
    # A long path is cut at its end.
    said = ended[-2].reason.rpartition(": ")[2].rstrip("…")
    assert said
    assert str(path).startswith(said)


async def test_init_finds_it_and_check_shows_it(llama_node: LlamaNode, tmp_path: Path) -> None:
    path, file = tmp_path / "llama.sock", tmp_path / "c.yaml"
    with llama_server(llama_node.model, socket=path):
        done = await asyncio.to_thread(invoke, "init", "--output", file, "--node", path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"http+unix://{path}  llama-server")
        assert f"url: http+unix://{path}" in file.read_text().replace('"', "")
        checked = await asyncio.to_thread(invoke, "check", "--keys", file)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert f"http+unix://{path}" in checked.stdout
