"""The walks of docs/architecture.md: the calls of an exchange are those in the document, in its
order."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import FrameType

import pytest

from casedesk_proxy.config.load import load_config
from casedesk_proxy.engines.spec import EngineSpec
from tests.e2e.relaying import STREAMS, asking, relay
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.proxy import proxy_here
from tests.fixtures.raw_client import connect, request
from tests.fixtures.raw_node import raw_node

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "casedesk_proxy"
TEXT = (ROOT / "docs" / "architecture.md").read_text()

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b'{"choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}'
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(delta: dict[str, object], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    data = json.dumps({"id": "1", "choices": [choice]}, separators=(",", ":"))
    return chunk(b"data: %b\n\n" % data.encode())


def section(title: str) -> str:
    """The text below a heading, or after a sentence, up to the next heading."""
    begin = TEXT.index(title) + len(title)
    return re.split(r"^#+ ", TEXT[begin:], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the first table in a text, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[2:]]


def names(cell: str) -> list[str]:
    return re.findall(r"`([\w.]+)`", cell)


@contextmanager
def heard() -> Iterator[list[str]]:
    """The package's functions that are called meanwhile, with their modules, in order."""
    called: list[str] = []
    base = len(str(PACKAGE)) + 1

    def look(frame: FrameType, what: str, _: object) -> None:
        place = frame.f_code.co_filename
        if what == "call" and place.startswith(str(PACKAGE)):
            module = place[base:-3].replace("/", ".")
            called.append(f"{module}.{frame.f_code.co_qualname}")

    sys.setprofile(look)
    try:
        yield called
    finally:
        sys.setprofile(None)


def find(called: list[str], wanted: str, start: int = 0) -> int | None:
    for at in range(start, len(called)):
        if called[at] == wanted or called[at].endswith(f".{wanted}"):
            return at
    return None


def lost(called: list[str], walk: Iterable[str]) -> list[str]:
    """The functions of a walk that were not called, or not after those before them."""
    at, missing = 0, []
    for name in walk:
        found = find(called, name, at)
        if found is None:
            missing.append(name)
        else:
            at = found + 1
    return missing


async def listen(config: dict[str, object], wire: bytes, *steps: bytes) -> list[str]:
    """The functions that are called while one request is answered."""
    async with raw_node(*steps) as node:
        nodes = {"n": {"url": node.url, "engine": "openai", "models": ["m"]}}
        async with proxy_here({"nodes": nodes, **config}) as gateway:
            with heard() as called:
                async with connect(gateway.url) as client:
                    assert (await client.ask(wire)).status == 200
    return called


KEY = "0" * 32
CLOSED = {
    "deployments": {"d": {"nodes": ["n"], "aliases": {"mine": "m"}}},
    "default_deployment": "d",
    "keys": [{"name": "alice", "sha256": sha256(KEY.encode()).hexdigest(), "deployments": ["d"]}],
}


async def test_a_credential() -> None:
    (found, *others), walk = rows(section("### A credential")), list[str]()
    assert names(found[2]) == ["fastpath.admission_cache.AdmissionCache.find"]
    for _, _, now in others:
        walk += names(now)
    wire = request("/v1/chat/completions", {"model": "m"}, f"Authorization: Bearer {KEY}")
    called = await listen(CLOSED, wire, WHOLE % (len(BODY), BODY))
    assert lost(called, [*names(found[2]), *walk]) == []


async def test_a_repeated_credential_ends_at_what_is_remembered() -> None:
    wire = request("/v1/chat/completions", {"model": "m"}, f"Authorization: Bearer {KEY}")
    wire = wire.replace(b"/v1/", b"/proxy/d/openai/v1/")
    reply = WHOLE % (len(BODY), BODY)
    async with relay(reply, reply) as (gateway, _), connect(gateway.url) as client:
        await client.ask(wire)
        with heard() as called:
            await client.ask(wire)
    assert find(called, "AdmissionCache.find") is not None
    assert find(called, "planning.admission.admit") is None


async def test_a_model_name() -> None:
    wire = request("/v1/chat/completions", {"model": "mine"}, f"Authorization: Bearer {KEY}")
    called = await listen(CLOSED, wire, WHOLE % (len(BODY), BODY))
    table = rows(section("### A model name"))
    read, planned, placed, resolved, renamed, routed, noted = (row[2] for row in table)
    assert (read, resolved) == ("the same", "the same")
    walk = ["surfaces.paths.read_call", names(planned)[0], "surfaces.bodies.read_body"]
    walk += [names(placed)[0], "catalog.names.resolve", names(renamed)[0], names(routed)[0]]
    assert lost(called, walk) == []
    # Values that the walk names, and that are no calls.
    assert noted.startswith("`PlanFacts(asked, model)`")


async def test_a_configuration_value_on_reload() -> None:
    table = {row[0]: row[2] for row in rows(section("### A configuration value on reload"))}
    thread = [name for name in names(table["in the thread"]) if "." in name]
    config = {
        "nodes": {"n": {"url": "http://127.0.0.1:9", "models": ["m"], "probe_interval": 0}},
        "deployments": {"d": {"nodes": ["n"], "auth": "none"}},
    }
    async with proxy_here(config) as running:
        gateway = running.gateway
        with heard() as called:
            loaded = load_config(json.dumps(config), "t.yaml")
            runtime = gateway.compile(loaded.config, {})
        assert lost(called, thread) == []
        with heard() as called:
            gateway.apply(runtime)
    loop, done = table["on the loop"], table["to be done"]
    assert lost(called, [names(loop)[0], *names(done)]) == []
    assert find(called, "load_config") is None


async def test_a_streaming_request() -> None:
    words = [event({"content": "w"})] * 9
    called = await stream("openai", [*words, event({}, "stop"), chunk(b"data: [DONE]\n\n")])
    walk = [name for row in rows(section("### A streaming request")) for name in names(row[1])]
    assert len(walk) > 20
    assert lost(called, walk) == []


async def test_a_chunk_of_a_relayed_stream() -> None:
    assert "passes `Relay.data_received` and `client.write`" in TEXT
    events = [event({"content": "w"})] * 9
    called = await stream("openai", [*events, event({}, "stop"), chunk(b"data: [DONE]\n\n")])
    assert ["relay.relay.Relay.data_received"] * 3 in [
        called[n : n + 3] for n in range(len(called))
    ]


async def stream(surface: str, events: list[bytes]) -> list[str]:
    """The functions that are called for a stream, each piece of which arrives separately."""
    speaks = ["openai"] if surface != "openai" else ["openai", "anthropic", "gemini"]
    path, body = STREAMS[surface]
    if surface == "gemini":
        body = {"contents": [{"role": "user", "parts": [{"text": "x"}]}]}
    elif surface == "anthropic":
        body = {**body, "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    steps = (EVENTS, *events, b"0\r\n\r\n")
    async with relay(*steps, speaks=speaks) as (gateway, _), connect(gateway.url) as client:
        with heard() as called:
            assert (await client.ask(asking((path, body)))).complete
            async with asyncio.timeout(PATIENCE_S):
                while find(called, "ClientConnection._answered") is None:
                    await asyncio.sleep(0)
    return called


TOOL = {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]}


@pytest.mark.parametrize(("row", "surface"), list(enumerate(["gemini", "anthropic"] * 2)))
async def test_a_chunk_of_a_translated_stream(row: int, surface: str) -> None:
    _, _, now = rows(section("The functions that a piece of a translated stream passes:"))[row]
    words = [event({"content": f"word {n}"}) for n in range(4)]
    called = await stream(surface, [*words, event({}, "stop"), chunk(b"data: [DONE]\n\n")])
    walk = names(now)
    assert len(walk) > 2
    pieces = [at for at, name in enumerate(called) if name == "relay.relay.Relay.data_received"]
    between = [called[a:b] for a, b in itertools.pairwise(pieces)]
    assert any(lost(one, walk) == [] for one in between), [lost(one, walk) for one in between]


def test_what_is_known_of_an_engine() -> None:
    spec: Callable[[str], object] = EngineSpec.__dataclass_fields__.get
    for row in rows(section("## What is known of an engine")):
        for name in names(row[2]):
            assert name.startswith("SPEC.")
            assert spec(name.split(".")[1]) is not None, name
