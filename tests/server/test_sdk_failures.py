"""Every way in which a node fails, seen through the vendors' SDKs: they raise an error, or another
node has answered. An incomplete answer never looks complete, and every slot is released."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import httpx2
import pytest

from casedesk_proxy.replying.record import Terminal
from tests.fixtures.raw_node import NodeConnection, Play
from tests.fixtures.sdks import anthropic, genai, generativeai, google_errors, openai
from tests.server.gateways import SSE, chunk
from tests.server.pooled import Member, PoolStage, pooled
from tests.server.tongues import END, TONGUES, Tongue

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")

LIMITS = ", policy: ordered, first_byte_timeout: 200ms, idle_timeout: 200ms"

Make = Callable[[Tongue], Play]


def saying(*pieces: Callable[[Tongue], bytes], reset: bool = False, stay: bool = False) -> Make:
    def make(tongue: Tongue) -> Play:
        async def play(connection: NodeConnection) -> None:
            await connection.request()
            for piece in pieces:
                await connection.send(piece(tongue))
            await asyncio.sleep(0.02)  # so that a reset does not overtake what was said
            if reset:
                connection.abort()
            elif stay:
                await connection.until_gone()

        return play

    return make


def head(_: Tongue) -> bytes:
    return SSE


def begin(tongue: Tongue) -> bytes:
    return chunk(tongue.begin)


def half(tongue: Tongue) -> bytes:
    return chunk(tongue.begin[: len(tongue.begin) // 2])


def end(_: Tongue) -> bytes:
    return END


def garbage(_: Tongue) -> bytes:
    return chunk(b"\xff\xfe<html>segmentation fault\x00\n")


def unavailable(_: Tongue) -> bytes:
    return b"HTTP/1.1 503 X\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


#: Before the first byte: another node may have it.
EARLY: dict[str, Make | None] = {
    "refuses": None,
    "closes before its head": saying(),
    "resets before its head": saying(reset=True),
    "answers 503": saying(unavailable),
}
#: No other node will help, or may be asked.
LATE: dict[str, tuple[Make, Terminal]] = {
    "hangs before its head": (saying(stay=True), Terminal.TIMED_OUT),
    "dies between events": (saying(head, begin), Terminal.NODE_BROKE),
    "dies within an event": (saying(head, begin, half), Terminal.NODE_BROKE),
    "is reset within an event": (saying(head, begin, half, reset=True), Terminal.NODE_BROKE),
    "stalls": (saying(head, begin, stay=True), Terminal.TIMED_OUT),
    "sends garbage": (saying(head, begin, garbage, end), Terminal.NODE_BROKE),
    "ends without a finish": (saying(head, begin, end, stay=True), Terminal.NODE_BROKE),
}


def good(tongue: Tongue) -> Play:
    async def play(connection: NodeConnection) -> None:
        while True:
            await connection.request()
            await connection.send(SSE, chunk(tongue.begin), chunk(tongue.end), END)

    return play


# What each SDK gives for a stream.


async def by_google_genai(url: str) -> str:
    options = genai.types.HttpOptions(base_url=url)
    ai = genai.Client(api_key="x", vertexai=False, http_options=options).aio
    try:
        stream = await ai.models.generate_content_stream(model="m", contents="x")
        return "".join([piece.text or "" async for piece in stream])
    finally:
        await ai.aclose()


async def by_google_generativeai(url: str) -> str:
    def ask() -> str:
        generativeai.configure(api_key="x", transport="rest", client_options={"api_endpoint": url})
        options: Any = {"retry": None, "timeout": 10}
        model = generativeai.GenerativeModel("m")
        reply = model.generate_content("x", stream=True, request_options=options)
        return "".join(piece.text for piece in reply)

    return await asyncio.to_thread(ask)


async def by_anthropic(url: str) -> str:
    async with (
        anthropic.AsyncAnthropic(base_url=url, api_key="x", max_retries=0) as ai,
        ai.messages.stream(
            model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]
        ) as stream,
    ):
        return "".join([text async for text in stream.text_stream])


async def by_openai(url: str) -> str:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as ai:
        stream = await ai.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "x"}], stream=True
        )
        pieces = [piece async for piece in stream]
        return "".join(one.choices[0].delta.content or "" for one in pieces if one.choices)


#: What the SDKs raise: their own errors; their HTTP library's where a stream was cut within an
#: event; UnicodeDecodeError for garbage; ValueError where google-generativeai meets an error
#: element, which it can neither show nor pass over (measured).
def sdk_errors() -> tuple[type[Exception], ...]:
    return (
        genai.errors.APIError,
        google_errors.GoogleAPIError,
        anthropic.APIError,
        openai.APIError,
        aiohttp.ClientPayloadError,
        httpx2.RemoteProtocolError,
        UnicodeDecodeError,
        ValueError,
    )


Ask = Callable[[str], Awaitable[str]]
#: SDK, and the dialect of the nodes: its own is relayed, another one translated. The array form
#: of google-generativeai is asked only of nodes that do not speak Gemini.
ROUTES: dict[str, tuple[Ask, str]] = {
    "google-genai, relayed": (by_google_genai, "gemini"),
    "google-genai, translated": (by_google_genai, "openai"),
    "google-generativeai, translated": (by_google_generativeai, "openai"),
    "anthropic, relayed": (by_anthropic, "anthropic"),
    "anthropic, translated": (by_anthropic, "openai"),
    "openai, relayed": (by_openai, "openai"),
}


def url_of(stage: PoolStage) -> str:
    return stage.gateway.urls[0]


def member(name: str, make: Make | None, speaks: str) -> Member:
    play = make(TONGUES[speaks]) if make is not None else None
    return Member(name, play, speaks=speaks)


@pytest.mark.parametrize("route", list(ROUTES))
@pytest.mark.parametrize("failure", list(EARLY))
async def test_before_the_first_byte_another_node_answers(route: str, failure: str) -> None:
    ask, speaks = ROUTES[route]
    bad, fine = member("a", EARLY[failure], speaks), member("b", good, speaks)
    async with pooled(bad, fine, deployment=LIMITS) as stage:
        assert await ask(url_of(stage)) == "half whole"
        outcome = await stage.outcome()
        assert outcome.terminal is Terminal.COMPLETED
        assert (outcome.node, outcome.attempts) == ("b", 2)
        await stage.quiet()


@pytest.mark.parametrize("route", list(ROUTES))
@pytest.mark.parametrize("failure", list(EARLY))
async def test_where_there_is_no_other_node_the_sdk_raises(route: str, failure: str) -> None:
    ask, speaks = ROUTES[route]
    async with pooled(member("a", EARLY[failure], speaks), deployment=LIMITS) as stage:
        with pytest.raises(sdk_errors()):
            await ask(url_of(stage))
        outcome = await stage.outcome()
        assert outcome.terminal in (Terminal.NODE_UNAVAILABLE, Terminal.COMPLETED)
        assert outcome.status >= 500
        await stage.quiet()


@pytest.mark.parametrize("route", list(ROUTES))
@pytest.mark.parametrize("failure", list(LATE))
async def test_later_the_sdk_raises_and_no_other_node_is_asked(route: str, failure: str) -> None:
    ask, speaks = ROUTES[route]
    make, terminal = LATE[failure]
    bad, fine = member("a", make, speaks), member("b", good, speaks)
    async with pooled(bad, fine, deployment=LIMITS) as stage:
        with pytest.raises(sdk_errors()):
            await ask(url_of(stage))
        outcome = await stage.outcome()
        assert outcome.terminal is terminal
        code = "node_timeout" if terminal is Terminal.TIMED_OUT else "node_broke"
        assert outcome.facts()["code"] == code
        assert fine.connections == []
        await stage.quiet()


@pytest.mark.parametrize("route", [one for one in ROUTES if "generativeai" not in one])
async def test_a_node_that_ignores_that_its_client_left_holds_no_slot(route: str) -> None:
    """google-generativeai is left out, since its thread cannot be made to leave."""
    ask, speaks = ROUTES[route]
    deaf = asyncio.Event()

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        connection.stop_reading()
        await connection.send(SSE, chunk(TONGUES[speaks].begin))
        deaf.set()
        await asyncio.sleep(5)

    async with pooled(Member("a", play, speaks=speaks), deployment=", policy: ordered") as stage:
        asking = asyncio.ensure_future(ask(url_of(stage)))
        await deaf.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        outcome = await stage.outcome()
        assert outcome.terminal is Terminal.CLIENT_GONE
        assert stage.in_flight() == 0
