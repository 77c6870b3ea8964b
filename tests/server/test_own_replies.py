"""Replies of the proxy: an error if nothing was sent, a cut otherwise."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from casedesk_proxy.errors import BadRequest, NotFound, Unauthenticated
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.replying.heads import Addressee
from casedesk_proxy.replying.record import CallFacts, ExchangeRecord, ReplyFacts, Terminal
from casedesk_proxy.server.exchanges import Exchange
from casedesk_proxy.server.own_replies import OwnReplies, own_message
from casedesk_proxy.surfaces.envelopes import OwnReply
from casedesk_proxy.terms import Dialect
from tests.server.clients import FakeClient, request_of
from tests.server.test_exchanges import Told, exchanges, serving

CONFIG = """
server: {refusals_per_minute: 1}
nodes: {n: {url: "http://127.0.0.1:9", engine: openai, models: [m]}}
deployments: {d: {nodes: [n], auth: none}}
"""
REPLY = OwnReply(200, ((b"content-type", b"application/json"),), b'{"data":[]}')
COMPLETED = ReplyFacts(terminal=Terminal.COMPLETED)
WIRE = b"%b /v1/messages HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n{}"


class Case:
    """One request that the proxy itself answers."""

    def __init__(self, method: bytes = b"POST", length: int = 2) -> None:
        loop = asyncio.get_running_loop()
        self.own = OwnReplies(loop, serving(CONFIG))
        self.client = FakeClient()
        self.request: ClientRequest = request_of(self.client, WIRE % (method, length))
        self.exchange = Exchange("id-1", loop.time(), method.decode(), "/v1/messages", "192.0.2.7")
        self.exchange.call = CallFacts("anthropic", "messages", "someone", "d")

    @property
    def parts(self) -> Any:
        head, _, body = self.client.transport.written.partition(b"\r\n\r\n")
        return head.lower(), body


async def test_a_whole_reply_is_sent_and_told_of() -> None:
    case = Case()
    delivered = case.own.send(case.request, case.exchange, REPLY, COMPLETED)
    head, body = case.parts
    assert head.startswith(b"http/1.1 200 ")
    assert b"x-request-id: id-1" in head
    assert b"content-length: 11" in head
    assert body == REPLY.body
    assert case.request.reply_begun
    facts = delivered.facts
    assert (facts.status, facts.sent, facts.terminal) == (200, 11, Terminal.COMPLETED)
    assert delivered.keep_alive


async def test_to_head_goes_no_body() -> None:
    case = Case(b"HEAD")
    case.own.send(case.request, case.exchange, REPLY, COMPLETED)
    head, body = case.parts
    assert b"content-length: 11" in head
    assert body == b""


async def test_the_rest_of_a_body_is_not_taken_for_a_request() -> None:
    case = Case(length=900)
    assert not case.own.send(case.request, case.exchange, REPLY, COMPLETED).keep_alive
    assert b"connection: close" in case.parts[0]


async def test_to_one_that_has_left_nothing_is_sent() -> None:
    case = Case()
    case.client.gone_at = 1.0
    delivered = case.own.send(case.request, case.exchange, REPLY, COMPLETED)
    assert delivered.facts == COMPLETED
    assert case.client.transport.written == b""
    assert not case.request.reply_begun


@pytest.mark.parametrize(("surface", "named"), [(Dialect.ANTHROPIC, True), (Dialect.OPENAI, False)])
def test_anthropics_clients_look_for_an_id_of_another_name(surface: Dialect, named: bool) -> None:
    head = own_message(REPLY, Addressee(surface, "id-1", True, False, b"")).lower()
    assert (b"\r\nrequest-id: id-1" in head) is named


async def test_an_error_is_in_its_surfaces_envelope() -> None:
    case = Case()
    facts = case.own.send_error(case.request, case.exchange, BadRequest("no 'secret' here")).facts
    said = json.loads(case.parts[1])
    assert said["type"] == "error"
    assert (facts.status, facts.code) == (400, "invalid_request")
    assert "secret" not in facts.reason


async def test_a_model_that_is_not_there_is_named_in_the_record() -> None:
    case = Case()
    error = NotFound("no such model")
    error.model = "mm"
    case.own.refuse(case.request, case.exchange, error)
    assert case.exchange.planned.asked == "mm"
    assert not case.exchange.summed_up


async def test_who_has_no_key_has_few_refusals() -> None:
    case = Case()
    case.exchange.call = CallFacts("")
    statuses, error = [], Unauthenticated("who?")
    for _ in range(3):
        delivered = case.own.refuse(case.request, case.exchange, error)
        statuses.append(delivered.facts.status)
    case.own.refusals.stop()
    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert case.exchange.summed_up
    assert not delivered.keep_alive
    assert case.exchange.call.surface == "anthropic", "as its path says"


async def test_a_client_that_left_has_no_reply() -> None:
    case = Case()
    case.client.gone_at = 0.0
    facts, cancel = case.own.end_cancelled(case.request, case.exchange)
    assert (facts.status, facts.terminal) == (499, Terminal.CLIENT_GONE)
    assert cancel is not None
    assert cancel > 0


async def test_where_the_service_stops_the_client_hears_of_it() -> None:
    case = Case()
    facts, cancel = case.own.end_cancelled(case.request, case.exchange)
    assert (facts.status, facts.terminal, cancel) == (529, Terminal.SHUT_DOWN, None)
    assert b"shutting down" in case.parts[1]


async def test_a_stream_that_was_cut_has_no_second_head() -> None:
    case = Case()
    case.exchange.cut_short = ReplyFacts(200, sent=100)
    facts, _ = case.own.end_cancelled(case.request, case.exchange)
    assert (facts.status, facts.sent, facts.terminal) == (200, 100, Terminal.SHUT_DOWN)
    assert case.client.transport.written == b""


async def test_a_bug_before_the_reply_is_an_error() -> None:
    case = Case()
    facts = case.own.end_failed(case.request, case.exchange).facts
    assert (facts.status, facts.terminal, facts.code) == (500, Terminal.FAILED, "internal")
    assert not case.client.was_reset


async def test_a_bug_within_the_reply_is_a_reset() -> None:
    case = Case()
    case.exchange.status = 200
    delivered = case.own.end_failed(case.request, case.exchange)
    assert case.client.was_reset
    assert case.client.transport.written == b""
    assert (delivered.facts.status, delivered.keep_alive) == (200, False)


@pytest.mark.parametrize("gone", [False, True])
async def test_what_is_no_request_is_answered_and_told_of(gone: bool) -> None:
    case, told = Case(), Told()
    if gone:
        case.client.gone_at = 1.0
    data = b"POST /v1/messages?key=secret HTTP/1.1\r\nHost: h h"
    case.own.reject(exchanges(told), case.client, data, BadRequest("not well-formed"))
    case.own.refusals.stop()
    (record,) = told
    assert isinstance(record, ExchangeRecord)
    assert record.terminal is Terminal.REFUSED
    assert "secret" not in record.target
    if gone:
        assert (record.status, case.client.transport.written) == (0, b"")
    else:
        assert record.status == 400
        assert b"connection: close" in case.parts[0]
        assert json.loads(case.parts[1])["type"] == "error"
