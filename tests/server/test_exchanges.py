"""Running exchanges: counted by phase, reported once, and not delayed by a sink that fails."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from typing import Any, cast

import pytest

from casedesk_proxy.config.load import load_config
from casedesk_proxy.pools.control_memory import ControlMemory
from casedesk_proxy.replying.record import (
    CallFacts,
    ExchangeRecord,
    Phase,
    PlanFacts,
    ReplyFacts,
    Terminal,
)
from casedesk_proxy.server.cuts import Cuts
from casedesk_proxy.server.exchanges import Exchanges
from casedesk_proxy.server.runtime import Serving, first_runtime
from casedesk_proxy.telemetry.log_output import LogFormatter
from casedesk_proxy.upstream.attempts import Attempts
from tests.server.clients import FakeClient, request_of

CONFIG = """
server: {access_log: false, trusted_proxies: [192.0.2.7]}
nodes: {n: {url: "http://127.0.0.1:9", engine: openai, models: [m]}}
deployments: {d: {nodes: [n], auth: none}}
"""
DONE = ReplyFacts(200, Terminal.COMPLETED, sent=7)
WIRE = b"POST /v1/chat/completions?key=secret HTTP/1.1\r\nHost: h\r\n%b\r\n\r\n"


class FakeCuts:
    def __init__(self, size: int | None = None) -> None:
        self.size = size
        self.judged = 0

    def judge(self, outcome: ExchangeRecord) -> int | None:
        self.judged += 1
        if self.size == 0:
            raise ZeroDivisionError
        return self.size


class Told(list[ExchangeRecord]):
    def __call__(self, outcome: ExchangeRecord) -> None:
        self.append(outcome)


def serving(config: str = CONFIG) -> Serving:
    return Serving(first_runtime(load_config(config, "t").config, {}, LogFormatter()))


def exchanges(*sinks: Any, cuts: FakeCuts | None = None) -> Exchanges:
    loop = asyncio.get_running_loop()
    return Exchanges(loop, serving(), cast(Cuts, cuts or FakeCuts()), sinks)


def request(headers: bytes = b"x: y") -> Any:
    return request_of(FakeClient(), WIRE % headers)


async def test_the_facts_of_all_stages_come_together() -> None:
    told = Told()
    made = exchanges(told)
    exchange = made.begin(request(b"X-Request-Id: mine\r\nX-Forwarded-For: 198.51.100.1"), None)
    exchange.call = CallFacts("openai", "chat", "someone", "d")
    exchange.attempts = attempts = Attempts("someone", ControlMemory())
    attempts.count, attempts.node, attempts.tried = 2, "n", (("other", "connect"),)
    exchange.received = 11
    made.end(exchange, replace(DONE, events=3), cancel=0.25)
    (record,) = told
    assert record.request_id == "mine"
    assert record.client == "198.51.100.1"
    assert "secret" not in record.target
    assert (record.surface, record.key, record.deployment) == ("openai", "someone", "d")
    assert (record.attempts, record.node, record.tried) == (2, "n", (("other", "connect"),))
    assert (record.received, record.sent, record.events) == (11, 7, 3)
    assert (record.status, record.terminal, record.cancel) == (200, Terminal.COMPLETED, 0.25)
    assert record.ended >= record.started


class Named:
    """Each of its facts is the fact's own name after this name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, fact: str) -> str:
        return f"{self.name}.{fact}"


#: Where the record's facts come from that are called otherwise there, or that two stages know.
FROM = {
    "attempts": "attempts.count", "cancel": "cancel", "ended": "ended", "key": "call.key",
}  # fmt: skip


async def test_each_fact_stands_under_its_name() -> None:
    """The facts are combined by their order, see `Exchange.record`."""
    exchange = exchanges().begin(request(), None)
    stages = {"call": CallFacts, "planned": PlanFacts, "attempts": Attempts, "reply": ReplyFacts}
    for stage in ("call", "planned", "attempts"):
        setattr(exchange, stage, Named(stage))
    own = {"request_id", "started", "method", "target", "client", "received", "dropped",
           "summed_up", "text_size"}  # fmt: skip
    for fact in own:
        setattr(exchange, fact, f"exchange.{fact}")
    record = exchange.record(*cast(Any, (Named("reply"), "ended", "cancel")))
    for one in fields(ExchangeRecord):
        known = [stage for stage, kind in stages.items() if hasattr(kind, one.name)]
        if one.name == "cut_to":  # Found out afterwards.
            assert record.cut_to is None
        elif one.name in own:
            assert getattr(record, one.name) == f"exchange.{one.name}"
        elif one.name in FROM:
            assert getattr(record, one.name) == FROM[one.name]
        else:
            assert known == [getattr(record, one.name).partition(".")[0]], "one stage knows it"
            assert getattr(record, one.name) == f"{known[0]}.{one.name}"


async def test_each_has_an_id_of_its_own() -> None:
    made = exchanges()
    idents = {made.begin(request(), None).request_id for _ in range(600)}
    assert len(idents) == 600
    assert all(len(ident) == 32 and int(ident, 16) >= 0 for ident in idents)


async def test_phases_are_those_of_what_is_under_way() -> None:
    made = exchanges()
    one, two = made.begin(request(), None), made.begin(request(), None)
    two.attempts = Attempts("", ControlMemory())
    two.attempts.phase = Phase.STREAMING
    counts = {phase.value: 0 for phase in Phase}
    assert await made.count_phases() == counts | {"arriving": 1, "streaming": 1}
    made.end(one, DONE)
    made.end(two, DONE)
    assert await made.count_phases() == counts


async def test_thousands_are_counted_in_slices() -> None:
    """Meanwhile other work runs, and some of them end."""
    made = exchanges()
    begun = [made.begin(request(), None) for _ in range(1000)]
    counting = asyncio.ensure_future(made.count_phases())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not counting.done()
    made.end(begun[-1], DONE)
    assert (await counting)["arriving"] == 999


async def test_what_is_rejected_is_never_under_way() -> None:
    told = Told()
    made = exchanges(told)
    made.end(
        made.begin_rejected("GET", "/x?key=secret", "192.0.2.1"), ReplyFacts(400, Terminal.REFUSED)
    )
    assert not made.live
    assert (told[0].client, told[0].method, told[0].status) == ("192.0.2.1", "GET", 400)
    assert "secret" not in told[0].target


async def test_quiet_is_when_the_last_has_ended() -> None:
    made = exchanges()
    await made.wait_quiet()
    one, two = made.begin(request(), None), made.begin(request(), None)
    waits = [asyncio.ensure_future(made.wait_quiet()) for _ in range(2)]
    await asyncio.sleep(0)
    made.end(one, DONE)
    await asyncio.sleep(0)
    assert not any(wait.done() for wait in waits)
    made.end(two, DONE)
    await asyncio.gather(*waits)


async def test_a_sink_that_fails_keeps_nobody_else_from_hearing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_: ExchangeRecord) -> None:
        raise ZeroDivisionError

    told = Told()
    made = exchanges(fail, told)
    exchange = made.begin(request(), None)
    made.end(exchange, DONE)
    assert len(told) == 1
    assert not made.live
    assert exchange.request_id in caplog.text


@pytest.mark.parametrize("size", [2048, None, 0])
async def test_a_cut_prompt_is_named_and_no_failure_to_see_it_counts(size: int | None) -> None:
    told, cuts = Told(), FakeCuts(size)
    made = exchanges(told, cuts=cuts)
    for text_size in (0, 9000):
        exchange = made.begin(request(), None)
        exchange.text_size = text_size
        made.end(exchange, DONE)
    assert cuts.judged == 1, "a short prompt is not looked at"
    assert [record.cut_to for record in told] == [None, size or None]


async def test_the_access_log_in_force_hears_too() -> None:
    told = Told()
    made = exchanges()
    made._serving.current = replace(made._serving.current, access_log=told)
    made.end(made.begin(request(), None), DONE)
    assert len(told) == 1
