"""Nodes that break off in the middle of a translated reply: every SDK notices."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.e2e.relaying import asking, relay
from tests.fixtures.messages import Message
from tests.fixtures.raw_client import ask, connect
from tests.fixtures.raw_node import Step
from tests.fixtures.sdks import anthropic, genai, generativeai

#: The SDK's own session class, made when its async client first asks.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
#: Nothing of it may reach a client.
SECRET = "CUDA error at /opt/node/kernels.cu:17 on 10.1.2.3:8000"
BODY = {"contents": [{"parts": [{"text": "hi"}]}]}
MESSAGES = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
GEMINI = "/proxy/d/gemini/v1beta/models/m"


def chunk(text: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(text), text)


def event(document: Any, name: str = "") -> bytes:
    first = f"event: {name}\n" if name else ""
    return chunk(f"{first}data: {json.dumps(document)}\n\n".encode())


def said(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    return event({"id": "x", "model": "m", "choices": [choice]})


def blocks(*texts: str) -> bytes:
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "x", "type": "message", "role": "assistant", "model": "m", "content": []}
    begun = event(
        {"type": "message_start", "message": {**message, "usage": usage}}, "message_start"
    )
    block = {"type": "text", "text": ""}
    begun += event(
        {"type": "content_block_start", "index": 0, "content_block": block}, "content_block_start"
    )
    for text in texts:
        delta = {"type": "text_delta", "text": text}
        begun += event(
            {"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta"
        )
    return begun


ERROR = {"error": {"message": SECRET, "type": "internal_server_error", "code": 500}}
#: What an OpenAI node sends instead of the rest, by name.
CHAT: dict[str, tuple[bytes | Step, ...]] = {
    "cut between events": (Step.CLOSE,),
    "cut inside an event": (chunk(b'data: {"choices":[{"delta":{"content":"wo'), Step.CLOSE),
    "ends inside an event": (chunk(b'data: {"choices":[{"delta":{"content":"wo') + END,),
    "ends without a finish": (END,),
    "done without a finish": (chunk(b"data: [DONE]\n\n") + END,),
    "an error, then done": (event(ERROR) + chunk(b"data: [DONE]\n\n") + END,),
    "an error, then nothing": (event(ERROR) + END,),
    "an error object of SGLang": (event({"object": "error", "message": SECRET}) + END,),
    "an error for a finish": (said("", "error") + chunk(b"data: [DONE]\n\n") + END,),
    "garbage": (chunk(b"data: Traceback (most recent call last)\n\n") + END,),
    "malformed chunks": (b"zz\r\n",),
    "reset": (Step.RESET,),
}
#: The same of an Anthropic node.
EVENTS: dict[str, tuple[bytes | Step, ...]] = {
    "cut inside an event": (chunk(b'event: content_block_delta\ndata: {"type":'), Step.CLOSE),
    "ends without a stop": (END,),
    "an error": (event({"type": "error", "error": {"message": SECRET}}, "error") + END,),
    "an error of llama-server": (event({"code": 500, "message": SECRET}, "error") + END,),
    "reset": (Step.RESET,),
}
NODES = {
    **{f"chat: {name}": ("openai", said("one ") + said("two "), CHAT[name]) for name in CHAT},
    **{f"events: {name}": ("anthropic", blocks("one ", "two "), EVENTS[name]) for name in EVENTS},
}
chat_failures = pytest.mark.parametrize("failure", CHAT)
all_failures = pytest.mark.parametrize("failure", NODES)


def breaking(failure: str) -> Any:
    """A proxy with a node that sends two words and fails when it is released."""
    speaks, beginning, steps = NODES[failure]
    return relay(HEAD + beginning, Step.PAUSE, *steps, speaks=[speaks])


#: What a blocking client does with the proxy's URL; the second is to be called at the first word.
Use = Callable[[str, Callable[[], None]], Any]


async def drive(failure: str, use: Use) -> Any:
    """``use`` releases the node when it has read a word: an earlier reset could overtake the
    words."""
    loop = asyncio.get_running_loop()
    async with breaking(failure) as (gateway, node):

        def release() -> None:
            loop.call_soon_threadsafe(node.connections[0].release)

        return await asyncio.to_thread(use, gateway.url, release)


def hear(pieces: Iterable[object], release: Callable[[], None]) -> None:
    for _ in pieces:
        release()


def expect_nothing_invented(told: str) -> None:
    assert SECRET not in told
    assert "10.1.2.3" not in told
    assert "STOP" not in told
    assert "end_turn" not in told


@all_failures
async def test_google_genai(failure: str) -> None:
    def use(url: str, release: Callable[[], None]) -> None:
        options = genai.types.HttpOptions(base_url=f"{url}/proxy/d/gemini")
        with (
            genai.Client(api_key="x", vertexai=False, http_options=options) as ai,
            pytest.raises(genai.errors.ServerError) as caught,
        ):
            stream = ai.models.generate_content_stream(model="m", contents="hi")
            hear((one.text for one in stream), release)
        assert (caught.value.code, caught.value.status) == (502, "UNAVAILABLE")
        expect_nothing_invented(str(caught.value))

    await drive(failure, use)


@chat_failures
async def test_google_genai_async(failure: str) -> None:
    async with breaking(f"chat: {failure}") as (gateway, node):
        options = genai.types.HttpOptions(base_url=f"{gateway.url}/proxy/d/gemini")
        ai = genai.Client(api_key="x", vertexai=False, http_options=options).aio
        try:
            stream = await ai.models.generate_content_stream(model="m", contents="hi")
            assert [(await anext(stream)).text for _ in range(2)] == ["one ", "two "]
            (await node.connection()).release()
            with pytest.raises(genai.errors.ServerError):
                [one async for one in stream]
        finally:
            await ai.aclose()


@all_failures
async def test_google_generativeai(failure: str) -> None:
    """The SDK ignores the error element, but notices that the array and the message end early."""

    def use(url: str, release: Callable[[], None]) -> None:
        options = {"api_endpoint": f"{url}/proxy/d/gemini"}
        generativeai.configure(api_key="x", transport="rest", client_options=options)
        with pytest.raises(Exception) as caught:  # noqa: PT011
            stream = generativeai.GenerativeModel("m").generate_content("hi", stream=True)
            hear(stream, release)
        assert caught.type.__name__ == "ChunkedEncodingError", caught.value

    await drive(failure, use)


@chat_failures
async def test_anthropic(failure: str) -> None:
    def use(url: str, release: Callable[[], None]) -> None:
        with (
            anthropic.Anthropic(
                base_url=f"{url}/proxy/d/anthropic", api_key="x", max_retries=0
            ) as ai,
            pytest.raises(anthropic.APIStatusError) as caught,
            ai.messages.stream(**MESSAGES) as stream,
        ):
            hear(stream.text_stream, release)
        # No overload: Claude Code would ask again and again.
        assert caught.value.type == "api_error"
        expect_nothing_invented(str(caught.value))

    await drive(f"chat: {failure}", use)


async def told_by(failure: str, kind: tuple[str, dict[str, Any]]) -> Message:
    """The reply; the words of a stream are read before the node fails."""
    streams = "stream" in kind[0]
    async with breaking(failure) as (gateway, node), connect(gateway.url) as client:
        client.write(asking(kind))
        connection = await node.connection()
        if streams:
            await client.until_received(b"two ")
        connection.release()
        return await client.reply()


@all_failures
async def test_an_event_stream_ends_in_an_error_and_early(failure: str) -> None:
    reply = await told_by(failure, (f"{GEMINI}:streamGenerateContent?alt=sse", BODY))
    frames = reply.body.split(b"\r\n\r\n")
    assert reply.status == 200
    assert not reply.complete
    assert frames.pop() == b""
    assert frames[-1].startswith(b'data: {"error":{"code":502,')
    assert all(frame.startswith(b'data: {"candidates"') for frame in frames[:-1])
    expect_nothing_invented(reply.body.decode())


@all_failures
async def test_an_array_gets_an_error_element_and_no_end(failure: str) -> None:
    reply = await told_by(failure, (f"{GEMINI}:streamGenerateContent", BODY))
    assert reply.status == 200
    assert not reply.complete
    assert not reply.body.rstrip().endswith(b"]")
    *chunks, error = json.loads(reply.body + b"]")
    assert "".join(one["candidates"][0]["content"]["parts"][0]["text"] for one in chunks) == (
        "one two "
    )
    assert error["error"]["code"] == 502
    expect_nothing_invented(reply.body.decode())


@all_failures
async def test_one_body_is_a_plain_error(failure: str) -> None:
    """The proxy requests a stream from the node. The client, which requested one body, gets nothing
    of it."""
    reply = await told_by(failure, (f"{GEMINI}:generateContent", BODY))
    assert (reply.status, reply.complete) == (502, True)
    assert json.loads(reply.body)["error"]["status"] == "UNAVAILABLE"
    expect_nothing_invented(reply.body.decode())


@chat_failures
async def test_one_message_is_a_plain_error(failure: str) -> None:
    reply = await told_by(f"chat: {failure}", ("/proxy/d/anthropic/v1/messages", MESSAGES))
    assert (reply.status, reply.complete) == (500, True)
    assert json.loads(reply.body)["error"]["type"] == "api_error"
    assert reply.value("x-should-retry") == b"false"
    expect_nothing_invented(reply.body.decode())


@pytest.mark.parametrize("steps", [(Step.CLOSE,), (END,), (Step.RESET,)])
async def test_what_was_complete_stays_complete(steps: tuple[bytes | Step, ...]) -> None:
    """After the finish, the usage and [DONE] it does not matter how the node leaves."""
    usage = event({"id": "x", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
    whole = HEAD + said("one ") + said("", "stop") + usage + chunk(b"data: [DONE]\n\n")
    async with relay(whole, Step.PAUSE, *steps, speaks=["openai"]) as (gateway, node):
        target = (f"{GEMINI}:streamGenerateContent?alt=sse", BODY)
        client = asyncio.create_task(ask(gateway.url, asking(target)))
        (await node.connection()).release()
        reply = await client
    assert reply.complete
    last = json.loads(reply.body.rstrip().rpartition(b"data: ")[2])
    assert last["candidates"][0]["finishReason"] == "STOP"
    assert last["usageMetadata"]["totalTokenCount"] == 3
