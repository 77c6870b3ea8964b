"""A client's connection over real sockets: whole, in pieces, pipelined, hostile, leaving."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_client import open_client
from tests.server.serving import LIMIT, chunked, post, read_reply, serving


@pytest.mark.parametrize("wire", [post(b"hello"), chunked(b"he", b"llo")])
@pytest.mark.parametrize("size", [1, 3, 10_000])
async def test_a_request_in_pieces(wire: bytes, size: int) -> None:
    async with serving() as (served, connect):
        client = await connect()
        for start in range(0, len(wire), size):
            await client.send(wire[start : start + size])
        assert await read_reply(client) == (200, b"hello")
        assert served.seen == [("/x", b"hello")]


async def test_answers_held_for_the_round_keep_their_order() -> None:
    async with serving("soon") as (_, connect):
        client = await connect()
        asked = [post(b"a"), post(b"b", "/now"), post(b"c"), post(b"d"), b"G@T / HTTP/1.1\r\n\r\n"]
        client.write(b"".join(asked))
        assert [(await read_reply(client)) for _ in asked] == [
            *((200, body) for body in (b"a", b"b", b"c", b"d")), (400, b""),
        ]  # fmt: skip


@pytest.mark.parametrize("extra", ["", "Connection: close\r\n"])
async def test_an_answer_is_not_lost_where_the_connection_ends_with_it(extra: str) -> None:
    async with serving("soon") as (served, connect):
        served.last = not extra
        client = await connect()
        client.write(post(b"bye", extra=extra))
        assert await read_reply(client) == (200, b"bye")
        assert await client.rest() == b""


async def test_an_answer_is_not_lost_on_a_client_that_has_said_all() -> None:
    """The client's FIN arrives in the round in which its request is answered."""
    async with serving("soon") as (_, connect):
        client = await connect()
        client.write(post(b"bye"))
        client.half_close()
        assert await read_reply(client) == (200, b"bye")


async def test_requests_sent_ahead_are_answered_in_order() -> None:
    async with serving() as (served, connect):
        client = await connect()
        wanted = [b"a", b"", b"ccc", b"d" * 900, b"e"]
        client.write(b"".join(post(body, f"/{n}") for n, body in enumerate(wanted)))
        assert [(await read_reply(client))[1] for _ in wanted] == wanted
        assert [target for target, _ in served.seen] == ["/0", "/1", "/2", "/3", "/4"]


async def test_a_flood_of_requests_ahead_is_held_back_by_the_transport() -> None:
    async with serving() as (served, connect):
        client = await connect()
        count = 3000
        client.write(post(b"x" * 100) * count)
        for _ in range(count):
            assert await read_reply(client) == (200, b"x" * 100)
        assert len(served.seen) == count


@pytest.mark.parametrize(
    ("wire", "closes"),
    [
        (post(b"x"), False),
        (post(b"x", extra="Connection: close\r\n"), True),
        (b"POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx", True),
        (b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", False),
        (b"\r\n\r\n" + post(b"x"), False),
    ],
)
async def test_the_connection_lives_on_or_not(wire: bytes, closes: bool) -> None:
    async with serving() as (_, connect):
        client = await connect()
        client.write(wire)
        assert await read_reply(client) == (200, b"x")
        if closes:
            assert await client.rest() == b""
        else:
            client.write(post(b"again"))
            assert await read_reply(client) == (200, b"again")


async def test_of_many_connections_some_end_with_their_next_reply() -> None:
    """The clients of these connections are meant for another instance; see `server.arrivals`."""
    async with serving() as (served, connect):
        clients = [await connect() for _ in range(3)]
        served.server.surplus = 1
        clients[0].write(post(b"x", extra="Connection: close\r\n"))
        assert await read_reply(clients[0]) == (200, b"x")
        assert served.server.surplus == 1, "it would have gone anyway"
        for client in clients[1:]:
            client.write(post(b"x"))
            assert await read_reply(client) == (200, b"x")
        assert await clients[1].rest() == b""
        assert served.server.surplus == 0
        clients[2].write(post(b"again"))
        assert await read_reply(clients[2]) == (200, b"again")


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /a\x00b HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\n folded: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: h\n\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
         b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 40_000, 431),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", 431),
    ],
)  # fmt: skip
async def test_what_is_no_request_is_refused_and_closed(wire: bytes, status: int) -> None:
    async with serving() as (served, connect):
        client = await connect()
        client.write(wire)
        assert (await read_reply(client))[0] == status
        assert await client.rest() == b""
        assert [error.status for error in served.rejected] == [status]
        assert served.seen == []
        client = await connect()
        client.write(post(b"x"))
        assert await read_reply(client) == (200, b"x")


async def test_an_upgrade_nobody_offers_is_ignored() -> None:
    """Java's HttpClient requests HTTP/2 from every http server with its first POST."""
    async with serving() as (_, connect):
        client = await connect()
        asks = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
        client.write(post(b"body", extra=asks))
        assert await read_reply(client) == (200, b"body")


async def test_a_slow_head_is_given_up() -> None:
    async with serving(head_timeout_s=0.05) as (served, connect):
        client = await connect()
        client.write(b"POST / HT")
        assert (await read_reply(client))[0] == 408
        assert await client.rest() == b""
        assert [error.status for error in served.rejected] == [408]


async def test_a_client_that_speaks_tls_is_not_left_waiting() -> None:
    async with serving(head_timeout_s=60) as (served, _):
        url = f"https://127.0.0.1:{served.port}"
        with pytest.raises(ssl.SSLError):
            await asyncio.wait_for(open_client(url, ssl.create_default_context()), PATIENCE_S)
        assert [error.code for error in served.rejected] == ["not_https"]


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    async with serving(idle_timeout_s=0.05) as (served, connect):
        client = await connect()
        client.write(post(b"x"))
        assert await read_reply(client) == (200, b"x")
        assert await client.rest() == b""
        assert served.rejected == []


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (post(b"x" * (LIMIT + 1)), 413),
        (chunked(b"x" * 600, b"y" * 600), 413),
        (post(b"x" * 200_000), 413),
        (chunked(*[b"x" * 5000] * 40), 413),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab", 408),
    ],
)
async def test_a_body_that_cannot_be_had(wire: bytes, status: int) -> None:
    async with serving(pause_s=0.2 if status == 408 else 20.0) as (served, connect):
        client = await connect()
        client.write(wire)
        assert (await read_reply(client))[1] == b"fault"
        assert [error.status for error in served.faults] == [status]


async def test_a_refused_client_may_finish_sending_and_sees_why() -> None:
    async with serving("refuse") as (_, connect):
        client = await connect()
        body = b"x" * 1_000_000
        await client.send(post(body)[:-1000], body[-1000:])
        assert (await read_reply(client))[1] == b"refused"
        assert await client.rest() == b""


async def test_a_client_that_expects_is_invited() -> None:
    async with serving() as (_, connect):
        client = await connect()
        wire = post(b"hello", extra="Expect: 100-continue\r\n")
        client.write(wire[:-5])
        assert await client.take_through(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.write(wire[-5:])
        assert await read_reply(client) == (200, b"hello")


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_client_that_leaves_cancels_its_handler(how: str) -> None:
    async with serving("hang") as (served, connect):
        client = await connect()
        client.write(post(b"x"))
        await served.began.wait()
        if how == "reset":
            client.abort()
        else:
            client.close()
        await served.cancelled.wait()
        assert not served.rejected


async def test_a_client_that_leaves_while_it_sends_cancels_its_handler() -> None:
    async with serving() as (served, connect):
        client = await connect()
        await client.send(post(b"hello")[:-2])
        client.close()
        await served.cancelled.wait()
        assert served.seen == []
