from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from casedesk_proxy.engines.llama_server import SPEC as LLAMA_SERVER
from casedesk_proxy.engines.ollama import SPEC as OLLAMA
from casedesk_proxy.engines.openai import SPEC as OPENAI
from casedesk_proxy.engines.sglang import SPEC as SGLANG
from casedesk_proxy.engines.spec import Detected, EngineSpec
from casedesk_proxy.engines.tgi import SPEC as TGI
from casedesk_proxy.engines.vllm import SPEC as VLLM
from casedesk_proxy.terms import Ability, Control, Dialect, ModelInfo
from casedesk_proxy.upstream.detection import detect_engine
from casedesk_proxy.upstream.inquiries import Inquirer
from tests.engines.known import known
from tests.fixtures import recorded_nodes
from tests.fixtures.raw_node import Step, raw_node
from tests.fixtures.recorded_nodes import RecordedNode, recorded, reply, running

HEARD = known("HEARD")
BOTH = (Dialect.OPENAI, Dialect.ANTHROPIC)
ALL_THREE = (*BOTH, Dialect.RESPONSES)
OLDER = (Dialect.OPENAI, Dialect.OLLAMA)
NEWER = (*OLDER, Dialect.ANTHROPIC, Dialect.RESPONSES)
LOCKED = reply('{"error":"Unauthorized"}', "401 Unauthorized")


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


TEXT_ONLY = frozenset({Ability.VISION, Ability.AUDIO})


def assert_harmless(node: RecordedNode) -> None:
    """Only reports were requested."""
    assert {one for one in node.asked if not one.startswith("GET ")} <= {"POST /api/show"}


async def test_ollama(session: aiohttp.ClientSession) -> None:
    async with running(recorded_nodes.OLLAMA, recorded_nodes.OLLAMA_MISSING) as node:
        found = await detect_engine(Inquirer(session, node.url))
        assert_harmless(node)
    # It does not tell what it runs with, and the trained length is another matter.
    kept = {"trained_length": 32768, "owned_by": "library", "lacks": TEXT_ONLY | {Ability.THINKING}}
    assert found == Detected(
        OLLAMA,
        (
            ModelInfo("tiny-thinks:latest", None, created=1795245532, loaded=False, **kept),
            ModelInfo("tiny:latest", None, created=1795245418, loaded=True, **kept),
        ),
        OLDER,
        version="0.9.3",
    )


@pytest.mark.parametrize(
    ("version", "dialects"),
    [
        ("0.13.5", OLDER),
        ("0.14.0-rc1", NEWER),
        ("0.40.12", NEWER),
        ("1.0", NEWER),
        ("built from source", OLDER),
        (f"{'9' * 5000}.1", OLDER),
    ],
)
async def test_newer_ollamas_speak_anthropic(
    session: aiohttp.ClientSession, version: str, dialects: tuple[Dialect, ...]
) -> None:
    replies = {**recorded_nodes.OLLAMA, "GET /api/version": reply(f'{{"version":"{version}"}}')}
    async with running(replies, recorded_nodes.OLLAMA_MISSING) as node:
        found = await detect_engine(Inquirer(session, node.url))
    assert found is not None
    assert (found.engine, found.dialects) == (OLLAMA, dialects)


async def test_ollama_without_models(session: aiohttp.ClientSession) -> None:
    empty = {
        "GET /api/tags": reply('{"models":[]}'),
        "GET /v1/models": reply('{"object":"list","data":null}'),
    }
    async with running({**recorded_nodes.OLLAMA, **empty}, recorded_nodes.OLLAMA_MISSING) as node:
        found = await detect_engine(Inquirer(session, node.url))
    assert found is not None
    assert (found.engine, found.models) == (OLLAMA, ())


async def test_llama_server(session: aiohttp.ClientSession) -> None:
    async with running(recorded_nodes.LLAMA, recorded_nodes.LLAMA_MISSING) as node:
        found = await detect_engine(Inquirer(session, node.url))
        assert node.asked == ["GET /v1/models", "GET /props"]
    model = ModelInfo(
        "tiny", 4096, created=1795244020, owned_by="llamacpp", trained_length=32768,
        lacks=TEXT_ONLY, ignores=frozenset({Control.EFFORT}),
    )  # fmt: skip
    assert found == Detected(LLAMA_SERVER, (model,), BOTH, slots=2)


async def test_llama_server_that_is_loading(session: aiohttp.ClientSession) -> None:
    async with running({}, recorded("llama-server.loading")) as node:
        found = await detect_engine(Inquirer(session, node.url))
    assert found == Detected(LLAMA_SERVER, (), BOTH, loading=True)


async def test_llama_server_with_a_key(session: aiohttp.ClientSession) -> None:
    replies = {"GET /v1/models": recorded("llama-server.models")}
    async with running(replies, recorded("llama-server.error-key")) as node:
        found = await detect_engine(Inquirer(session, node.url))
    assert found is not None
    assert (found.engine, found.needs_key) == (LLAMA_SERVER, True)
    assert [model.name for model in found.models] == ["tiny"]


async def test_vllm(session: aiohttp.ClientSession) -> None:
    async with running(recorded_nodes.VLLM, recorded_nodes.VLLM_MISSING) as node:
        found = await detect_engine(Inquirer(session, node.url))
        # Its log shows every question that it cannot answer, so the likely one comes first.
        assert node.asked == ["GET /v1/models", "GET /version"]
    model = ModelInfo("tiny", 4096, created=1795244023, owned_by="vllm")
    assert found == Detected(VLLM, (model,), ALL_THREE, version="0.32.0")


async def test_vllm_with_a_key(session: aiohttp.ClientSession) -> None:
    replies = {**recorded_nodes.VLLM, "GET /v1/models": LOCKED}
    async with running(replies, recorded_nodes.VLLM_MISSING) as node:
        found = await detect_engine(Inquirer(session, node.url))
    assert found == Detected(VLLM, (), ALL_THREE, version="0.32.0", needs_key=True)


@pytest.mark.parametrize("path", ["/get_model_info", "/model_info"])
async def test_sglang_is_not_taken_for_ollama(session: aiohttp.ClientSession, path: str) -> None:
    replies = {**recorded_nodes.SGLANG, "GET /api/version": reply('{"version":"0.9.9"}')}
    replies[f"GET {path}"] = replies.pop("GET /get_model_info")
    async with running(replies, recorded_nodes.SGLANG_MISSING) as node:
        found = await detect_engine(Inquirer(session, node.url))
        assert_harmless(node)
    model = ModelInfo(
        "tiny", 4096, created=1795244821, owned_by="sglang", lacks=TEXT_ONLY | {Ability.EMBEDDING}
    )
    assert found == Detected(SGLANG, (model,), BOTH)


async def test_tgi(session: aiohttp.ClientSession) -> None:
    async with running(recorded_nodes.TGI) as node:
        found = await detect_engine(Inquirer(session, node.url))
        assert_harmless(node)
    model = ModelInfo("bigscience/bloom-560m", context_length=1024, output_limit=1024)
    assert found == Detected(TGI, (model,), (Dialect.OPENAI,), version="3.3.7")


@pytest.mark.parametrize("engine", HEARD, ids=str)
async def test_whatever_was_heard_is_recognised(
    session: aiohttp.ClientSession, engine: EngineSpec
) -> None:
    async with running(*HEARD[engine]) as node:
        found = await detect_engine(Inquirer(session, node.url))
        assert_harmless(node)
    assert found is not None
    assert found.engine is engine


@pytest.mark.parametrize(
    ("name", "missing", "models"),
    [
        ("litellm.models", "litellm.gemini-models", ["tiny"]),
        ("llama-cpp-python-0.3.36.models", "litellm.gemini-models", ["tiny"]),
        ("sglang-0.5.23.models", "sglang-0.5.23.gemini-models", ["tiny"]),
    ],
)
async def test_any_server_with_openai_s_list(
    session: aiohttp.ClientSession, name: str, missing: str, models: list[str]
) -> None:
    async with running({"GET /v1/models": recorded(name)}, recorded(missing)) as node:
        found = await detect_engine(Inquirer(session, node.url))
        assert_harmless(node)
    assert found is not None
    assert (found.engine, found.dialects) == (OPENAI, (Dialect.OPENAI,))
    assert [model.name for model in found.models] == models


async def test_a_path_prefix_is_kept(session: aiohttp.ClientSession) -> None:
    replies = {
        key.replace(" /", " /llm/a%20b/"): value for key, value in recorded_nodes.VLLM.items()
    }
    async with running(replies) as node:
        found = await detect_engine(Inquirer(session, f"{node.url}/llm/a%20b/"))
    assert found is not None
    assert found.engine is VLLM


async def test_the_key_goes_along(session: aiohttp.ClientSession) -> None:
    async with running(recorded_nodes.VLLM) as node:
        await detect_engine(Inquirer(session, node.url, "hush"))
        assert all(one.value("authorization") == b"Bearer hush" for one in node.requests)
        node.requests.clear()
        await detect_engine(Inquirer(session, node.url))
        assert not any(one.values("authorization") for one in node.requests)


async def test_another_proxy_is_no_node(session: aiohttp.ClientSession) -> None:
    listing = (
        '{"object":"list","data":[{"id":"m"}],'
        '"models":[{"name":"models/m","supportedGenerationMethods":["generateContent"]}]}'
    )
    async with running({"GET /v1/models": reply(listing)}) as node:
        assert await detect_engine(Inquirer(session, node.url)) is None


async def test_nobody_there(session: aiohttp.ClientSession) -> None:
    async with running({}) as node:
        url = node.url
    assert await detect_engine(Inquirer(session, url)) is None


async def test_something_else_there(session: aiohttp.ClientSession) -> None:
    async with running({}) as node:
        assert await detect_engine(Inquirer(session, node.url)) is None


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx",
        reply("not json"),
        reply("[1, 2]"),
        reply('{"data": {"a": 1}}'),
        reply('{"data": "x"}', "500 Internal Server Error"),
        reply("", "301 Moved", "Location: /v1/other\r\n"),
    ],
)
async def test_garbage_is_nothing(session: aiohttp.ClientSession, data: bytes) -> None:
    async with running({}, data) as node:
        if data.startswith(b"SSH"):
            node.missing = data + b"\r\n\r\n"
        assert await detect_engine(Inquirer(session, node.url)) is None


async def test_redirects_are_not_followed(session: aiohttp.ClientSession) -> None:
    async with running(recorded_nodes.VLLM) as other:
        moved = reply("", "302 Found", f"Location: {other.url}/v1/models\r\n")
        async with running({}, moved) as node:
            assert await detect_engine(Inquirer(session, node.url)) is None
        assert other.asked == []


async def test_a_huge_reply_is_not_read(session: aiohttp.ClientSession) -> None:
    listing = b'{"data": [{"id": "m"}], "x": "' + b"x" * 2**21 + b'"}'
    async with running({"GET /v1/models": reply(listing)}) as node:
        assert await detect_engine(Inquirer(session, node.url)) is None


async def test_a_node_that_hangs_is_given_up(session: aiohttp.ClientSession) -> None:
    async with raw_node(Step.WAIT_FOR_CLOSE) as node:
        assert await detect_engine(Inquirer(session, node.url, answer_timeout_s=0.05)) is None


def test_no_repr_shows_the_key() -> None:
    assert "hush" not in repr(Inquirer(None, "http://a", "hush"))  # type: ignore[arg-type]
