"""Forms with files for a node: relayed as they arrive, and never shown as complete if they are
not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from tests.fixtures.messages import read_message
from tests.fixtures.proxy import RunningGateway, proxy_here
from tests.fixtures.raw_client import connect
from tests.fixtures.raw_node import NodeConnection, Play, RawNode, Step, playing, raw_node

PATH = "/v1/audio/transcriptions"
ANSWER = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"text":"Hi"}'
)
BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n"
END = b"\r\n--XX--\r\n"
MIB = 2**20
RULES = {
    "set": {"language": "de"}, "remove": ["hotwords"], "default": {"response_format": "text"},
    "cap": {"temperature": 0.5},
}  # fmt: skip


def field(name: str, value: bytes) -> bytes:
    head = f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    return head.encode() + value + b"\r\n"


FILE = (
    b'--XX\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\n"
)


def head(size: int | None, *lines: str, path: str = PATH) -> bytes:
    framing = "Transfer-Encoding: chunked" if size is None else f"Content-Length: {size}"
    fields = ["Host: h", "Content-Type: multipart/form-data; boundary=XX", framing, *lines]
    return "\r\n".join([f"POST {path} HTTP/1.1", *fields, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@dataclass
class Stage:
    proxy: RunningGateway
    nodes: list[RawNode]
    ended: list[ExchangeRecord]

    def in_flight(self) -> int:
        states = self.proxy.gateway.dispatcher.slots.states.values()
        return sum(state.in_flight for state in states)

    async def outcome(self) -> ExchangeRecord:
        while not self.ended:
            await asyncio.sleep(0)
        return self.ended[-1]


@asynccontextmanager
async def staged(
    count: int = 1,
    *,
    server: dict[str, Any] | None = None,
    node: dict[str, Any] | None = None,
    play: Play | None = None,
) -> AsyncIterator[Stage]:
    """A gateway with as many nodes that have the models m and whisper-large and are asked in order;
    ``loud`` is an alias of the second model."""
    async with contextlib.AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(raw_node(play=play)) for _ in range(count)]
        known = {"engine": "openai", "models": ["m", "whisper-large"], **(node or {})}
        names = [f"n{at}" for at in range(count)]
        config = {
            "server": {"access_log": False, **(server or {})},
            "default_deployment": "d",
            "nodes": {n: {"url": one.url} | known for n, one in zip(names, nodes, strict=True)},
            "deployments": {
                "d": {
                    "nodes": names, "auth": "none", "policy": "ordered",
                    "aliases": {
                        "loud": "whisper-large",
                        "german": {"model": "whisper-large", "transcriptions": RULES},
                    },
                }
            },
        }  # fmt: skip
        ended: list[ExchangeRecord] = []
        proxy = await stack.enter_async_context(proxy_here(config, sinks=[ended.append]))
        yield Stage(proxy, nodes, ended)


async def until_received(connection: NodeConnection, size: int) -> None:
    await connection.until(lambda: True if len(connection.received) >= size else None)


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("size", [10, 3 * MIB])
@pytest.mark.parametrize(("asked", "named"), [(b"m", b"m"), (b"loud", b"whisper-large")])
@pytest.mark.parametrize("file_first", [True, False])
async def test_a_form_reaches_its_node_with_another_name_and_no_other_byte_changed(
    framing: str, size: int, asked: bytes, named: bytes, file_first: bool
) -> None:
    blob = b"\r\n--X" + bytes(range(256)) * (size // 256 + 1)
    parts = [FILE + blob + b"\r\n", field("model", asked), field("language", b"de")]
    form = b"".join(parts if file_first else parts[1:] + parts[:1]) + END[2:]
    async with staged() as stage, connect(stage.proxy.url) as client:
        if framing == "length":
            await client.send(head(len(form)), *_pieces(form, 300_000))
        else:
            await client.send(head(None), *map(chunk, _pieces(form, 70_000)), b"0\r\n\r\n")
        connection = await stage.nodes[0].connection()
        request = await connection.request()
        assert request.target == PATH
        assert request.value("content-type") == b"multipart/form-data; boundary=XX"
        assert request.body == form.replace(b"\r\n" + asked + b"\r\n", b"\r\n" + named + b"\r\n")
        assert (request.value("transfer-encoding") is None) is (framing == "length" or size < MIB)
        await connection.send(ANSWER)
        assert (await client.reply()).body == b'{"text":"Hi"}'
        # Both connections may carry another.
        short = field("model", b"m") + END[2:]
        await client.send(head(len(short)), short)
        assert (await connection.request()).body == short
        await connection.send(ANSWER)
        assert (await client.reply()).status == 200
        outcome = stage.ended[0]
        assert (outcome.terminal, outcome.received) == (Terminal.COMPLETED, len(form))
        assert (outcome.asked, outcome.model) == (asked.decode(), named.decode())
        assert outcome.action == "audio/transcriptions"
        assert stage.in_flight() == 0


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("size", [10, 3 * MIB])
@pytest.mark.parametrize("file_first", [True, False])
async def test_an_alias_s_rules_change_only_the_fields_that_they_name(
    framing: str, size: int, file_first: bool
) -> None:
    blob = FILE + b"\r\n--X" + bytes(range(256)) * (size // 256 + 1) + b"\r\n"
    rest = [field("language", b"en"), field("hotwords", b"x"), field("temperature", b"0.9")]
    model, changed = field("model", b"german"), field("model", b"whisper-large")
    bounded, last = field("temperature", b"0.5"), field("response_format", b"text")
    sent = [blob, *rest, model] if file_first else [model, *rest, blob]
    wanted = [blob, bounded, changed] if file_first else [changed, bounded, blob]
    form = b"".join(sent) + END[2:]
    async with staged() as stage, connect(stage.proxy.url) as client:
        if framing == "length":
            await client.send(head(len(form)), *_pieces(form, 300_000))
        else:
            await client.send(head(None), *map(chunk, _pieces(form, 70_000)), b"0\r\n\r\n")
        request = await (await stage.nodes[0].connection()).request()
        assert request.body == b"".join([field("language", b"de"), *wanted, last]) + END[2:]
        if size < MIB:  # It was held whole, so that its length is known.
            assert request.value("transfer-encoding") is None


async def test_a_value_behind_the_file_that_no_bound_can_be_held_to_fails_the_request() -> None:
    begin = field("model", b"german") + FILE
    rest = b"y" * 2 * MIB + b"\r\n" + field("temperature", b"warm") + END[2:]
    async with staged() as stage, connect(stage.proxy.url) as client:
        await client.send(head(len(begin + rest)), begin, *_pieces(rest, 300_000))
        reply = await client.reply()
        assert reply.status == 400
        assert b"temperature: a number is required" in reply.body
        assert stage.in_flight() == 0


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


async def test_the_node_has_the_beginning_before_the_client_has_sent_the_end() -> None:
    begin = field("model", b"m") + FILE
    async with staged() as stage, connect(stage.proxy.url) as client:
        await client.send(head(len(begin) + 2 * MIB), begin, b"x" * 1000)
        connection = await stage.nodes[0].connection()
        await until_received(connection, len(begin) + 1000)
        assert connection.received.endswith(b"x" * 1000)
        assert stage.in_flight() == 1


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
async def test_a_client_that_leaves_cancels_its_node(how: str) -> None:
    begin = field("model", b"m") + FILE
    async with staged() as stage, connect(stage.proxy.url) as client:
        await client.send(head(len(begin) + 2 * MIB), begin, b"x")
        connection = await stage.nodes[0].connection()
        await until_received(connection, len(begin) + 1)
        getattr(client, how)()
        await connection.until_gone()
        assert read_message(bytes(connection.received)) is None
        assert (await stage.outcome()).terminal is Terminal.CLIENT_GONE
        assert stage.in_flight() == 0


@pytest.mark.parametrize("status", [400, 401, 413, 429, 503])
async def test_an_error_before_the_upload_s_end_is_the_reply(status: int) -> None:
    """No other node can get the bytes that were already sent."""
    begin = field("model", b"m") + FILE
    body = b'{"error":{"message":"no","type":"x","param":null,"code":null}}'
    said = b"HTTP/1.1 %d No\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
        status, len(body),
    )  # fmt: skip
    async with staged(2) as stage, connect(stage.proxy.url) as client:
        await client.send(head(len(begin) + 3 * MIB), begin, b"x")
        connection = await stage.nodes[0].connection()
        await until_received(connection, len(begin) + 1)
        await connection.send(said + body)
        reply = await client.reply()
        assert reply.status == (500 if status == 401 else status)
        assert reply.value("connection") == b"close"
        await connection.until_gone()
        # It may send all that it has before it reads.
        await client.send(b"y" * (3 * MIB - 1))
        await client.until_gone()
        assert not stage.nodes[1].connections
        assert (await stage.outcome()).attempts == 1
        assert stage.in_flight() == 0


async def test_an_answer_before_the_upload_s_end_waits_for_that() -> None:
    begin = field("model", b"m") + FILE
    async with staged() as stage, connect(stage.proxy.url) as client:
        await client.send(head(len(begin) + 2 * MIB), begin, b"x")
        connection = await stage.nodes[0].connection()
        await until_received(connection, len(begin) + 1)
        await connection.send(ANSWER)
        await client.send(b"y" * (2 * MIB - 1))
        assert (await connection.request()).body == begin + b"x" + b"y" * (2 * MIB - 1)
        assert (await client.reply()).body == b'{"text":"Hi"}'
        assert (await stage.outcome()).terminal is Terminal.COMPLETED


async def test_a_node_that_answers_and_leaves_before_the_end_is_lost() -> None:
    begin = field("model", b"m") + FILE
    async with staged() as stage, connect(stage.proxy.url) as client:
        await client.send(head(len(begin) + 2 * MIB), begin, b"x")
        connection = await stage.nodes[0].connection()
        await until_received(connection, len(begin) + 1)
        await connection.play([ANSWER[:-5], Step.CLOSE])
        assert (await client.reply()).complete is False
        assert (await stage.outcome()).terminal is Terminal.NODE_BROKE
        assert stage.in_flight() == 0


@pytest.mark.parametrize("how", [Step.CLOSE, Step.RESET])
async def test_a_node_that_is_lost_in_an_upload_is_told_and_nobody_else_is_asked(how: Step) -> None:
    begin = field("model", b"m") + FILE
    async with staged(2) as stage, connect(stage.proxy.url) as client:
        await client.send(head(len(begin) + 2 * MIB), begin, b"x")
        connection = await stage.nodes[0].connection()
        await until_received(connection, len(begin) + 1)
        await connection.play([how])
        reply = await client.reply()
        assert reply.status == 502
        assert json.loads(reply.body)["error"]["code"] == "node_broke"
        assert not stage.nodes[1].connections


@pytest.mark.parametrize("size", [10, 2 * MIB])
async def test_a_node_that_cannot_be_reached_is_passed_over(size: int) -> None:
    form = field("model", b"m") + FILE + b"x" * size + END
    async with staged(2) as stage, connect(stage.proxy.url) as client:
        await stage.nodes[0].end()
        await client.send(head(len(form)), form)
        connection = await stage.nodes[1].connection()
        assert (await connection.request()).body == form
        await connection.send(ANSWER)
        assert (await client.reply()).status == 200
        assert (await stage.outcome()).tried == (("n0", "connect"),)


async def test_a_short_form_fails_over_like_any_request() -> None:
    form = field("model", b"m") + FILE + b"x" * 1000 + END
    async with staged(2) as stage, connect(stage.proxy.url) as client:
        await client.send(head(len(form)), form)
        first = await stage.nodes[0].connection()
        await first.request()
        await first.send(BUSY)
        second = await stage.nodes[1].connection()
        assert (await second.request()).body == form
        await second.send(ANSWER)
        assert (await client.reply()).status == 200


async def test_a_client_that_sends_too_slowly_is_refused() -> None:
    begin = field("model", b"m") + FILE
    async with staged(server={"body_timeout": 0.2}) as stage, connect(stage.proxy.url) as client:
        await client.send(head(len(begin) + 2 * MIB), begin, b"x")
        connection = await stage.nodes[0].connection()
        reply = await client.reply()
        assert reply.status == 408
        assert b"server.min_rate" in reply.body
        await connection.until_gone()
        assert read_message(bytes(connection.received)) is None
        outcome = await stage.outcome()
        assert (outcome.terminal, outcome.received) == (Terminal.REFUSED, len(begin) + 1)


async def test_a_node_that_takes_nothing_holds_its_client_and_is_given_up() -> None:
    form = field("model", b"m") + FILE + b"x" * (64 * MIB) + END
    async with (
        staged(node={"first_byte_timeout": 0.4}, server={"body_timeout": 0.1}) as stage,
        connect(stage.proxy.url) as client,
    ):
        client.write(head(len(form)) + form[:MIB])
        connection = await stage.nodes[0].connection()
        connection.stop_reading()
        client.write(form[MIB:])
        reply = await client.reply()
        assert reply.status == 504
        assert b"stopped reading the request" in reply.body
        outcome = await stage.outcome()
        # What the kernel's buffers and ours hold, and no more.
        assert outcome.received < 24 * MIB
        assert outcome.terminal is Terminal.TIMED_OUT
        assert stage.in_flight() == 0


async def test_a_node_that_answers_nothing_is_given_up_once_it_has_all() -> None:
    form = field("model", b"m") + FILE + b"x" * 2 * MIB + END
    async with (
        staged(node={"first_byte_timeout": 0.2}) as stage,
        connect(stage.proxy.url) as client,
    ):
        await client.send(head(len(form)), form)
        assert (await client.reply()).status == 504


async def test_the_model_has_to_come_before_more_than_a_body_may_have() -> None:
    begin = FILE + b"x" * 2 * MIB
    async with staged(server={"max_body": MIB}) as stage, connect(stage.proxy.url) as client:
        await client.send(head(8 * MIB), begin)
        reply = await client.reply()
        assert reply.status == 413
        error = json.loads(reply.body)["error"]
        assert (error["code"], error["param"]) == ("model_too_late", "model")
        assert "put it before the file" in error["message"]
        assert not stage.nodes[0].connections


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_larger_forms_than_max_upload_are_refused(framing: str) -> None:
    begin = field("model", b"m") + FILE
    async with staged(server={"max_upload": 2 * MIB}) as stage, connect(stage.proxy.url) as client:
        if framing == "length":
            await client.send(head(len(begin) + 2 * MIB), begin)
        else:
            await client.send(head(None), chunk(begin), chunk(b"x" * 2 * MIB))
        reply = await client.reply()
        assert reply.status == 413
        assert b"server.max_upload" in reply.body


async def test_a_second_model_behind_the_first_never_reaches_the_node_whole() -> None:
    """Some parsers use the last one."""
    begin = field("model", b"m") + FILE + b"x" * 2 * MIB + b"\r\n"
    form = begin + field("model", b"secret") + END[2:]
    async with staged() as stage, connect(stage.proxy.url) as client:
        await client.send(head(len(form)), form[: len(begin)])
        connection = await stage.nodes[0].connection()
        await until_received(connection, len(begin) - 2 * MIB)
        await client.send(form[len(begin) :])
        reply = await client.reply()
        assert reply.status == 400
        assert b"has the field model twice" in reply.body
        await connection.until_gone()
        assert b"secret" not in connection.received


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (field("model", b"wisper-large") + END[2:], 404, "model_not_found"),
        (field("x", b"1") + END[2:], 400, "invalid_request"),
        (b"no form", 400, "invalid_form"),
        (field("model", b"m") * 2, 400, "invalid_form"),
        (field("model", b"\xff") + END[2:], 400, "invalid_request"),
    ],
)
async def test_what_is_wrong_with_a_form_is_said_before_a_node_is_asked(
    body: bytes, status: int, code: str
) -> None:
    async with staged() as stage, connect(stage.proxy.url) as client:
        await client.send(head(len(body)), body)
        reply = await client.reply()
        assert (reply.status, json.loads(reply.body)["error"]["code"]) == (status, code)
        assert not stage.nodes[0].connections
        # A long one is refused as soon, and its client may send all that it has.
        await client.send(head(2 * MIB + len(body)), body)
        if code == "invalid_form":
            assert (await client.reply()).status == status
        await client.send(b"y" * (2 * MIB))


async def test_the_only_model_is_put_in_where_none_is_named() -> None:
    form = field("language", b"de") + FILE + b"x" + END
    async with staged(node={"models": ["m"]}) as stage:
        for path, sent in ((PATH, field("model", b"m") + form), (f"/proxy/d/node{PATH}", form)):
            async with connect(stage.proxy.url) as client:
                await client.send(head(len(form), path=path), form)
                connection = await stage.nodes[0].connection()
                assert (await connection.request()).body == sent
                await connection.send(ANSWER.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                assert (await client.reply()).status == 200


async def test_a_short_form_and_a_long_one_with_the_same_head_go_with_the_same_headers() -> None:
    short = field("model", b"m") + FILE + b"x" + END
    long = field("model", b"m") + FILE + b"x" * 2 * MIB + END
    async with staged(play=playing(ANSWER)) as stage, connect(stage.proxy.url) as client:
        for form in (short, long, short, long):
            await client.send(head(len(form)), form)
            assert (await client.reply()).status == 200
        requests = stage.nodes[0].requests
        assert [one.body for one in requests] == [short, long, short, long]
        assert len({tuple(name for name, _ in one.headers) for one in requests}) == 1
        assert requests[1].value("content-type") == b"multipart/form-data; boundary=XX"


async def test_a_client_that_asks_first_is_invited() -> None:
    form = field("model", b"m") + FILE + b"x" * 2 * MIB + END
    async with staged() as stage, connect(stage.proxy.url) as client:
        await client.send(head(len(form), "Expect: 100-continue"))
        assert (await client.head()).status == 100
        await client.send(form)
        connection = await stage.nodes[0].connection()
        assert (await connection.request()).body == form


async def test_while_it_waits_for_a_slot_no_more_is_read() -> None:
    begin = field("model", b"m") + FILE
    async with (
        staged(node={"max_streams": 1}) as stage,
        connect(stage.proxy.url) as first,
        connect(stage.proxy.url) as second,
    ):
        await first.send(head(len(begin) + 64 * MIB), begin)
        running = await stage.nodes[0].connection()
        second.write(head(len(begin) + 64 * MIB) + begin + b"x" * 64 * MIB)
        await until_received(running, len(begin))
        while not (await stage.proxy.gateway.count_phases())["queued"]:
            await asyncio.sleep(0)
        assert second.is_clogged
        assert stage.proxy.gateway._public.body_memory.used < 4 * MIB
        first.close()
        taken = await stage.nodes[0].connection()
        await until_received(taken, len(begin) + 64 * MIB)
        assert taken.received.endswith(b"x" * 64 * MIB)


async def test_json_is_taken_where_a_form_could_be() -> None:
    body = b'{"model":"loud","image":"data:"}'
    async with staged() as stage, connect(stage.proxy.url) as client:
        lines = f"Host: h\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        await client.send(f"POST /v1/images/edits HTTP/1.1\r\n{lines}".encode() + body)
        connection = await stage.nodes[0].connection()
        assert (await connection.request()).body == b'{"model":"whisper-large","image":"data:"}'


async def test_the_service_s_end_breaks_an_upload_off() -> None:
    begin = field("model", b"m") + FILE
    async with staged() as stage, connect(stage.proxy.url) as client:
        await client.send(head(len(begin) + 2 * MIB), begin, b"x")
        connection = await stage.nodes[0].connection()
        await until_received(connection, len(begin) + 1)
        await stage.proxy.gateway.stop()
        assert (await client.reply()).status == 503
        await connection.until_gone()


class Counting(asyncio.Protocol):
    """A node that counts the bytes that it accepts, and keeps none."""

    def __init__(self, total: int) -> None:
        self._left = total

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        body = data.partition(b"\r\n\r\n")[2] if data.startswith(b"POST ") else data
        self._left -= len(body)
        if self._left == 0:
            self._transport.write(ANSWER)


async def test_two_hundred_megabytes_take_no_memory() -> None:
    begin = field("model", b"m") + FILE
    total = len(begin) + 200 * MIB + len(END)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Counting(total), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    piece = b"x" * MIB
    async with staged(node={"url": url}) as stage, connect(stage.proxy.url) as client:
        await client.send(head(total), begin, *[piece] * 4)
        room, before, most = stage.proxy.gateway._public.body_memory, resident(), 0
        for _ in range(196):
            await client.send(piece)
            most = max(most, resident())
            assert room.used <= 2 * MIB
        await client.send(END)
        assert (await client.reply()).status == 200
        assert stage.ended[0].received == total
    server.close()
    assert most - before < 40 * MIB


def resident() -> int:
    """The bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
