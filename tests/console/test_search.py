"""All running requests, page by page."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from casedesk_proxy.console.search import Hits, Search, Wanted, read_wanted
from casedesk_proxy.errors import BadRequest, ProxyError
from casedesk_proxy.replying.record import Phase
from tests.console.rooms import API, room
from tests.console.test_running import exchange
from tests.console.test_status import stream
from tests.fixtures.table import table


def streams(*events: int) -> list[Any]:
    return [
        exchange(
            str(number), "alice" if number % 2 else "bob", Phase.STREAMING,
            SimpleNamespace(events=one, sent=0),
        )
        for number, one in enumerate(events)
    ]  # fmt: skip


def find(wanted: Wanted, rows: list[Any], may_see: Any = lambda key: True) -> Hits:
    hits = Hits(may_see, wanted, 20.0)
    for at in range(0, len(rows), 2):
        hits.look(rows[at : at + 2])
    return hits


def ids(hits: Hits) -> list[str]:
    return [one.request_id for one in hits.first]


def test_words_are_looked_for_in_all_that_is_shown() -> None:
    rows = streams(1, 2, 3, 4, 5)
    assert ids(find(Wanted(("alice",)), rows)) == ["1", "3"]
    assert ids(find(Wanted(("alice", "streaming", "gemini")), rows)) == ["1", "3"]
    assert ids(find(Wanted(("alice", "bob")), rows)) == []
    found = find(Wanted(("asked",)), rows, lambda key: key == "bob")
    assert (found.total, found.found, ids(found)) == (3, 3, ["0", "2", "4"])


def test_the_first_in_an_order_over_all_slices() -> None:
    rows = streams(5, 1, 4, 2, 3)
    assert ids(find(Wanted(sort="tokens"), rows)) == ["1", "3", "4", "2", "0"]
    assert ids(find(Wanted(sort="tokens_per_second", descends=True), rows))[:2] == ["0", "2"]
    assert ids(find(Wanted(sort="key"), rows)) == ["1", "3", "0", "2", "4"]
    for name in ("model", "node", "surface", "state"):
        assert len(ids(find(Wanted(sort=name), rows))) == 5
    waiting = exchange("w", "a", Phase.WAITING)
    assert ids(find(Wanted(sort="tokens"), [*rows, waiting]))[0] == "w"


def test_no_more_is_kept_than_is_shown_and_skipped() -> None:
    rows = streams(*range(300))
    found = find(Wanted(skip=10), rows)
    assert (found.total, found.found, len(found.first)) == (300, 300, 210)
    assert len(find(Wanted(skip=10, sort="tokens"), rows).first) == 210


def test_what_is_asked_for() -> None:
    asked = {"find": " Gpt  ALICE ", "sort": "tokens", "order": "descending", "skip": "200"}
    assert read_wanted(asked) == Wanted(("gpt", "alice"), "tokens", True, 200)
    assert read_wanted({}) == Wanted()


@table(
    "query",
    [{"sort": "x"}, {"order": "up"}, {"skip": "-1"}, {"skip": "x"}, {"skip": "9" * 20}],
)
def test_what_cannot_be_asked_for(query: dict[str, str]) -> None:
    with pytest.raises(BadRequest, match=next(iter(query))):
        read_wanted(query)


async def test_one_s_own_and_everybody_s(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        replies = [await stream(one), await stream(one, "r00t")]
        root, alice = one.browser(), one.browser()
        await root.sign_in(key="r00t")
        await alice.sign_in(key="t0ken")
        found = (await root.ask("GET", f"{API}/streams"))[1]
        assert (found["total"], found["found"], found["skip"]) == (2, 2, 0)
        assert [row["key"] for row in found["rows"]] == ["root", "alice"]
        oldest = (await root.ask("GET", f"{API}/streams?order=descending&skip=1"))[1]
        assert [row["key"] for row in oldest["rows"]] == ["root"]
        own = (await alice.ask("GET", f"{API}/streams?find=slow"))[1]
        assert (own["total"], [row["key"] for row in own["rows"]]) == (1, ["alice"])
        assert (await alice.ask("GET", f"{API}/streams?find=root"))[1]["rows"] == []
        for no_number in ("x", "-1", "000099999999"):
            assert (await alice.ask("GET", f"{API}/streams?skip={no_number}"))[0] == 400
        for reply in replies:
            reply.close()


async def test_who_searches_takes_turns_and_too_many_are_refused() -> None:
    searching = asyncio.Event()

    class Slow:
        rest_s = 0.0

        async def walk(self, things: Any, look: Any) -> None:
            await searching.wait()

    walker: Any = Slow()
    search = Search(walker)
    desk: Any = SimpleNamespace(
        require_caller=lambda request: SimpleNamespace(may_see=lambda key: True),
        running=SimpleNamespace(live={}),
    )
    request: Any = SimpleNamespace(query={})
    waiting = [asyncio.ensure_future(search.show(desk, request)) for _ in range(20)]
    await asyncio.sleep(0)
    with pytest.raises(ProxyError, match="too many search"):
        await search.show(desk, request)
    searching.set()
    assert {reply.status for reply in await asyncio.gather(*waiting)} == {200}
