"""OpenAI's Codex through the proxy: ``make check-codex``. It installs Codex first (400 MB, so it is
not part of ``make check``). Nothing here leaves this machine.

Its nodes reply in the forms of vLLM (relayed), Ollama and a chat node (translated, since Codex
sends tools that they do not support). A real llama-server also answers with the tiny model of the
other tests, which has a context for Codex's first prompt and calls the tool of the MCP server.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.clients.desk import ANSWER, desk_here
from tests.first_hour.typed import find_block
from tests.fixtures.proxy import RunningGateway, key_entry, proxy_here
from tests.fixtures.raw_node import NodeConnection, Play, raw_node
from tests.fixtures.responders import OLLAMA, TEXT, VLLM, Responder, asked_of, frames, play_chat
from tests.nodes.llama_server import WIDE_TOKENS, LlamaNode, llama_server
from tests.nodes.tiny_model import REPLY, write_model

HERE = Path(__file__).parent
CODEX = HERE / "node_modules" / ".bin" / "codex"
KEY = "codex-key-1"
SETTINGS = """
model = "{model}"
model_provider = "desk"
approval_policy = "never"
sandbox_mode = "read-only"
{more}
[analytics]
enabled = false
[model_providers.desk]
name = "desk"
base_url = "{base}"
wire_api = "responses"
env_key = "DESK_KEY"
request_max_retries = 0
stream_max_retries = 0
[mcp_servers.sights]
command = "{python}"
args = ["{server}"]
"""


@dataclass
class Told:
    """The events that one run printed."""

    status: int
    events: list[dict[str, Any]] = field(repr=False)

    @property
    def said(self) -> list[str]:
        items = [one["item"] for one in self.events if one["type"] == "item.completed"]
        return [item["text"] for item in items if item["type"] == "agent_message"]

    @property
    def calls(self) -> list[Any]:
        items = [one["item"] for one in self.events if one["type"] == "item.completed"]
        return [item for item in items if item["type"] == "mcp_tool_call"]

    @property
    def error(self) -> str:
        failed = [one["error"]["message"] for one in self.events if one["type"] == "turn.failed"]
        return failed[0] if failed else ""


@dataclass
class Desk:
    base: str
    home: Path
    vllm: Responder
    #: Settings beside those that all have.
    more: str = ""

    async def codex(self, model: str, *arguments: str, key: str = KEY) -> Told:
        (self.home / "work").mkdir(exist_ok=True)
        server, python = HERE / "sights.py", sys.executable
        text = SETTINGS.format(
            model=model, base=self.base, python=python, server=server, more=self.more
        )
        (self.home / "config.toml").write_text(text)
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        environment = {"HOME": str(self.home), "CODEX_HOME": str(self.home), "PATH": path}
        process = await asyncio.create_subprocess_exec(
            CODEX, "exec", "--json", "--skip-git-repo-check", *arguments,
            cwd=self.home / "work", env=environment | {"DESK_KEY": key},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        out, _ = await process.communicate()
        assert process.returncode is not None
        return Told(process.returncode, [json.loads(line) for line in out.splitlines()])


@asynccontextmanager
async def desk(home: Path, vllm: Play | None = None) -> AsyncIterator[Desk]:
    responder, ollama = Responder(VLLM, []), Responder(OLLAMA, [])
    plays = {"chat": play_chat, "vllm": vllm or responder.play, "ollama": ollama.play}
    async with AsyncExitStack() as stack:
        nodes: dict[str, Any] = {}
        for name, play in plays.items():
            node = await stack.enter_async_context(raw_node(play=play))
            engine = "openai" if name == "chat" else name
            nodes[name] = {"url": node.url, "engine": engine}
        nodes["ollama"]["speaks"] = ["openai", "responses"]
        for name, settings in nodes.items():
            settings["models"] = [name]
        config = {
            "default_deployment": "d",
            "nodes": nodes,
            "deployments": {"d": {"nodes": list(nodes)}},
            "keys": [key_entry(KEY, "d")],
        }
        proxy = await stack.enter_async_context(proxy_here(config))
        yield Desk(f"{proxy.url}/v1", home, responder)


@pytest.mark.parametrize("model", ["vllm", "ollama", "chat"])
async def test_a_tool_of_an_mcp_server(model: str, tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        told = await here.codex(model, "Look at Rome")
    (call,) = told.calls
    assert (call["server"], call["tool"], call["arguments"]) == ("sights", "look", {"city": "Rome"})
    assert call["result"]["content"][0]["text"] == "rain in Rome"
    assert (told.status, told.said) == (0, [TEXT])


async def test_a_conversation_is_resumed(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        await here.codex("vllm", "Look at Rome")
        told = await here.codex("vllm", "resume", "--last", "And now?")
        assert (told.status, told.said) == (0, [TEXT])
        history = json.dumps(here.vllm.asked[-1]["input"])
    for word in ("Look at Rome", "rain in Rome", "And now?", "mcp__sights__look"):
        assert word in history
    assert '"namespace"' not in history


async def test_a_node_that_dies_in_mid_stream(tmp_path: Path) -> None:
    async def play(connection: NodeConnection) -> None:
        asked = json.loads((await asked_of(connection)).body)
        begun = b"".join(frames(VLLM, asked | {"tools": []})[:-3])
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        await connection.send(head + b"Transfer-Encoding: chunked\r\n\r\n")
        await connection.send(b"%x\r\n%b\r\n" % (len(begun), begun))
        connection.abort()

    async with desk(tmp_path, play) as here:
        told = await here.codex("vllm", "Hello")
    assert told.status == 1
    assert "closed the connection in the middle of its reply" in told.error


async def test_a_wrong_key(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        told = await here.codex("vllm", "Hello", key="wrong")
    assert told.status == 1
    assert "401" in told.error or "key" in told.error
    assert hashlib.sha256(b"wrong").hexdigest() not in told.error


async def test_an_unknown_model(tmp_path: Path) -> None:
    async with desk(tmp_path) as here:
        told = await here.codex("nowhere", "Hello")
    assert told.status == 1
    assert "nowhere" in told.error
    assert "vllm" in told.error, "those that are served"


@asynccontextmanager
async def desk_with_llama(home: Path) -> AsyncIterator[tuple[Desk, RunningGateway, LlamaNode]]:
    """Codex's own instructions are left out: they are 20 000 of 40 000 tokens of one letter
    each."""
    write_model(home / "tiny.gguf", tool="mcp__sights__look", city="Rome", context=WIDE_TOKENS)
    (home / "short.md").write_text("Be brief.")
    with llama_server(home / "tiny.gguf", wide=True) as node:
        config = {
            "default_deployment": "d",
            "nodes": {"n": {"url": node.url, "engine": "llama-server"}},
            "deployments": {"d": {"nodes": ["n"], "first_byte_timeout": "10m"}},
            "keys": [key_entry(KEY, "d")],
        }
        async with proxy_here(config) as proxy:
            more = f'model_instructions_file = "{home}/short.md"'
            yield Desk(f"{proxy.url}/v1", home, Responder(VLLM, []), more), proxy, node


@pytest.mark.timeout(900)
async def test_a_real_llama_server(tmp_path: Path) -> None:
    """One test for several things, because the first prompt takes long: the tool is called and its
    result answered, the conversation is resumed, and the node is killed during an answer."""
    async with desk_with_llama(tmp_path) as (here, proxy, node):
        told = await here.codex("tiny", "Look at Rome")
        (call,) = told.calls
        assert (call["server"], call["tool"]) == ("sights", "look")
        assert call["arguments"] == {"city": "Rome"}
        assert call["result"]["content"][0]["text"] == "rain in Rome"
        assert (told.status, told.said) == (0, [REPLY])

        told = await here.codex("tiny", "resume", "--last", "And now?")
        assert (told.status, told.said) == (0, [REPLY])

        speaking = asyncio.ensure_future(here.codex("tiny", "resume", "--last", "endless"))
        while sum(relay.events for relay in proxy.gateway.watch.relays) < 5:
            assert not speaking.done()
            await asyncio.sleep(0.01)
        node.crash()
        told = await speaking
        assert told.status == 1
        assert "closed the connection in the middle of its reply" in told.error


@pytest.mark.timeout(300)
async def test_the_pages_lines(tmp_path: Path) -> None:
    """The lines of docs/clients.md are run as they are; the arguments of `codex` replace a person's
    typing."""
    page = "docs/clients.md"
    typed = find_block(page, "export DESK_KEY").rstrip()
    asking = "codex exec --json --skip-git-repo-check Hello"
    assert typed.endswith("\ncodex")
    with desk_here(tmp_path) as here:
        (here.home / ".codex").mkdir()
        (here.home / ".codex/config.toml").write_text(
            here.fill(find_block(page, "wire_api", language="toml"))
        )
        path = f"{CODEX.parent}:{Path(sys.executable).parent}:/usr/bin:/bin"
        done = here.run(
            "bash", "-ec", here.fill(typed).removesuffix("codex") + asking,
            environment={"HOME": str(here.home), "PATH": path},
        )  # fmt: skip
    assert ANSWER in done.stdout, done.stdout + done.stderr
