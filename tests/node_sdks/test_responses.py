"""Clients of OpenAI's Responses, Node's and Python's: on a real llama-server and a chat node, for
which they are translated, and on nodes that answer as vLLM and Ollama do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from casedesk_proxy.config.load import load_config
from casedesk_proxy.server.app import Gateway
from tests.fixtures.raw_node import NodeConnection, raw_node
from tests.fixtures.responders import OLLAMA, TEXT, VLLM, Responder, asked_of, frames, play_chat
from tests.fixtures.sdks import openai
from tests.node_sdks.scripts import Script, script
from tests.nodes.llama_server import LlamaNode

HELLO = "Hello, this is a tiny test model. It says café 😀 and stops here."
SCRIPTED = ("chat", "vllm", "ollama")
CONFIG = """
server: {{listen: "127.0.0.1:0", admin: null, access_log: false}}
default_deployment: d
nodes:
  llama: {{url: "{llama}", engine: llama-server, models: [tiny], probe_interval: 0}}
  chat: {{url: "{chat}", engine: openai, models: [chat], probe_interval: 0}}
  vllm: {{url: "{vllm}", engine: vllm, models: [vllm], probe_interval: 0}}
  ollama: {{url: "{ollama}", engine: ollama, speaks: [openai, responses], models: [ollama],
    probe_interval: 0}}
deployments:
  d: {{nodes: [llama, chat, vllm, ollama], auth: none}}
"""


@dataclass
class Desk:
    """``base`` is the client's base URL; the engines are its nodes."""

    base: str
    vllm: Responder
    ollama: Responder


@asynccontextmanager
async def desk(llama: LlamaNode) -> AsyncIterator[Desk]:
    vllm, ollama = Responder(VLLM, []), Responder(OLLAMA, [])
    async with AsyncExitStack() as stack:
        plays = {"chat": play_chat, "vllm": vllm.play, "ollama": ollama.play}
        nodes = {
            name: await stack.enter_async_context(raw_node(play=play))
            for name, play in plays.items()
        }
        urls = {name: node.url for name, node in nodes.items()}
        text = CONFIG.format(llama=llama.url, **urls)
        gateway = Gateway(load_config(text, "desk.yaml").config, {})
        await gateway.start()
        try:
            yield Desk(f"{gateway.urls[0]}/v1", vllm, ollama)
        finally:
            await gateway.stop()


@pytest.fixture(scope="module")
def clients() -> Iterator[Script]:
    """A script that sends a client's requests: it gets a client, a base URL and models."""
    with script("respond.mjs") as running:
        yield running


def relayed(desk: Desk) -> None:
    """Both engines got requests in the client's own protocol."""
    assert all("input" in asked for asked in (*desk.vllm.asked, *desk.ollama.asked))
    assert desk.vllm.asked
    assert desk.ollama.asked


@pytest.mark.parametrize("client", ["openai", "agents", "vercel"])
async def test_node_clients(client: str, llama_node: LlamaNode, clients: Script) -> None:
    async with desk(llama_node) as here:
        told = await clients.ask(client, here.base, "tiny", *SCRIPTED)
        assert told["tiny"] == {"whole": HELLO, "streamed": HELLO}
        more: dict[str, Any] = {"called": ["Rome", "Rome"]}
        if client == "openai":
            more = {"parsed": {"city": "Rome"}}
        for model in SCRIPTED:
            assert told[model] == {"whole": TEXT, "streamed": TEXT, **more}, model
        relayed(here)


@pytest.mark.parametrize("client", ["openai", "agents", "vercel"])
async def test_node_clients_notice_a_break(client: str, clients: Script) -> None:
    """The node dies during each answer, relayed or translated."""

    async def play(connection: NodeConnection) -> None:
        asked = json.loads((await asked_of(connection)).body)
        if "messages" in asked:
            begun = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"half"}}]}\n\n'
        else:
            begun = b"".join(frames(VLLM, asked)[:-3])
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        await connection.send(head + b"Transfer-Encoding: chunked\r\n\r\n")
        await connection.send(b"%x\r\n%b\r\n" % (len(begun), begun))
        connection.abort()

    async with raw_node(play=play) as node:
        text = CONFIG.format(**dict.fromkeys(("llama", "chat", "vllm", "ollama"), node.url))
        gateway = Gateway(load_config(text, "desk.yaml").config, {})
        await gateway.start()
        try:
            told = await clients.ask(client, f"{gateway.urls[0]}/v1", "chat", "vllm")
        finally:
            await gateway.stop()
    assert all("error" in told[model] for model in ("chat", "vllm")), told


class Answer(BaseModel):
    city: str


@pytest.mark.parametrize("model", SCRIPTED)
async def test_the_python_sdk(model: str, llama_node: LlamaNode) -> None:
    async with (
        desk(llama_node) as here,
        openai.AsyncOpenAI(base_url=here.base, api_key="x", max_retries=0) as client,
    ):
        whole = await client.responses.create(model=model, input="Which?")
        assert whole.output_text == TEXT
        async with client.responses.stream(model=model, input="Which?") as stream:
            kinds = [event.type async for event in stream]
            assert (await stream.get_final_response()).output_text == TEXT
        assert kinds[-1] == "response.completed"
        parsed = await client.responses.parse(model=model, input="Which?", text_format=Answer)
        assert parsed.output_parsed == Answer(city="Rome")
        events = await client.responses.create(model=model, input="Which?", stream=True)
        numbers = [event.sequence_number async for event in events]
        assert numbers == list(range(len(numbers)))
        counted = await client.responses.input_tokens.count(model=model, input="Which?")
        assert counted.input_tokens > 0


@pytest.mark.parametrize("model", ["tiny", *SCRIPTED])
async def test_the_agents_sdk_of_python(model: str, llama_node: LlamaNode) -> None:
    import agents  # Here, because it takes seconds.

    agents.set_tracing_disabled(True)
    seen: list[str] = []

    @agents.function_tool  # type: ignore[untyped-decorator]
    def look(city: str) -> str:
        """Look."""
        seen.append(city)
        return "seen"

    async with (
        desk(llama_node) as here,
        openai.AsyncOpenAI(base_url=here.base, api_key="x", max_retries=0) as client,
    ):
        agent = agents.Agent(
            name="a",
            instructions="Be brief.",
            model=agents.OpenAIResponsesModel(model, client),
            tools=[] if model == "tiny" else [look],
        )
        wanted = HELLO if model == "tiny" else TEXT
        assert (await agents.Runner.run(agent, "Which city?")).final_output == wanted
        run = agents.Runner.run_streamed(agent, "Which city?")
        kinds = {event.type async for event in run.stream_events()}
        assert run.final_output == wanted
        assert "raw_response_event" in kinds
    assert seen == ([] if model == "tiny" else ["Rome", "Rome"])
