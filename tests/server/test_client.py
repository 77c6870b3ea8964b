"""The client's side of a connection: the order of writes, and its release."""

from __future__ import annotations

import asyncio

import pytest

from casedesk_proxy.fastpath.cork import CorkedWrites
from casedesk_proxy.fastpath.switches import Trick, is_on
from casedesk_proxy.server.client import ConnectedClient
from casedesk_proxy.server.limits import ServerLimits
from casedesk_proxy.server.stalls import Stalls
from tests.server.transports import RecordingTransport


class Server:
    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.cork = CorkedWrites(loop)
        self.stalls = Stalls(loop, ServerLimits)


class Reader:
    fiber = None

    def __init__(self) -> None:
        self.heard = 0

    def go_on(self) -> None:
        self.heard += 1


class Socket(RecordingTransport):
    """A socket without a kernel's buffer: all that was written is unsent."""

    def get_write_buffer_size(self) -> int:
        return len(self.written)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.asked.append("eof")


@pytest.fixture
async def made() -> tuple[ConnectedClient, Socket, Reader, Server]:
    transport, reader, server = Socket(), Reader(), Server()
    return ConnectedClient(transport, reader, server), transport, reader, server


Made = tuple[ConnectedClient, Socket, Reader, Server]


@pytest.mark.parametrize("how", ["write", "flushed_transport", "finish", "close"])
async def test_what_was_held_comes_first(made: Made, how: str) -> None:
    client, transport, _, _ = made
    client.write_whole(b"one,")
    client.write_whole(b"two,")
    assert transport.written == (b"" if is_on(Trick.CORK) else b"one,two,")
    if how == "write":
        client.write(b"three")
    else:
        getattr(client, how)()
    assert transport.written.startswith(b"one,two,")
    assert transport.asked == {"close": ["close"], "finish": ["eof"]}.get(how, [])


async def test_whole_answers_go_out_at_the_end_of_the_round(made: Made) -> None:
    client, transport, _, _ = made
    client.write_whole(b"one")
    await asyncio.sleep(0)
    assert transport.written == b"one"


async def test_one_that_has_left_takes_nothing(made: Made) -> None:
    client, transport, reader, server = made
    client.clog()
    client.end()
    client.write(b"x")
    client.write_whole(b"x")
    client.read_more()
    for let_go in (client.flush, client.finish, client.close, client.reset, client.abort):
        let_go()
    client.pause_reading()
    client.resume_reading()
    await asyncio.sleep(0)
    assert (transport.written, transport.asked, reader.heard) == (b"", [], 0)
    assert client.has_left
    assert not client.is_open
    assert client.unsent is None
    assert client.flushed_transport() is None
    assert not server.stalls._watched


async def test_it_left_when_it_left_first(made: Made) -> None:
    client, transport, _, _ = made
    client.leave(17.0)
    assert transport.asked == ["abort"]
    client.end()
    assert client.gone_at == 17.0


async def test_a_closing_one_is_not_open_yet_there(made: Made) -> None:
    client, _, _, server = made
    client.write(b"rest")
    client.close()
    assert not client.is_open
    assert not client.has_left
    assert client.unsent == 4
    assert client in server.stalls._watched


async def test_reading_is_paused_once_and_resumed_once(made: Made) -> None:
    client, transport, _, _ = made
    for is_paused in (False, True, True, False, False):
        (client.pause_reading if is_paused else client.resume_reading)()
        assert client.is_paused is is_paused
    assert transport.asked == ["pause", "resume"]


async def test_a_clogged_one_is_watched_until_it_takes_more(made: Made) -> None:
    client, _, _, server = made
    client.clog()
    assert client.is_clogged
    assert client in server.stalls._watched
    client.unclog()
    assert not client.is_clogged
    assert client not in server.stalls._watched


async def test_one_that_closes_is_watched_on_though_it_takes_some(made: Made) -> None:
    client, _, _, server = made
    client.clog()
    client.close()
    client.unclog()
    assert client in server.stalls._watched


async def test_who_wants_more_of_a_request_reaches_the_connection(made: Made) -> None:
    client, _, reader, _ = made
    client.read_more()
    assert reader.heard == 1
