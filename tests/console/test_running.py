"""The table of running requests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from casedesk_proxy.console.running import MAX_ROWS, list_queue, list_streams
from casedesk_proxy.replying.record import CallFacts, Phase, PlanFacts


def exchange(ident: str, key: str, phase: Phase, flow: Any = None, ticket: Any = None) -> Any:
    attempts = SimpleNamespace(phase=phase, node="n", queued=0.5, ticket=ticket)
    return SimpleNamespace(
        request_id=ident, started=10.0, call=CallFacts("gemini", "a", key, "d"),
        planned=PlanFacts("asked", "m"), attempts=attempts, flow=flow,
    )  # fmt: skip


def live(*exchanges: Any) -> Any:
    class Each:
        def __init__(self, one: Any) -> None:
            self.__dict__.update(one.__dict__)

    return {Each(one): None for one in exchanges}


FLOW = SimpleNamespace(events=20, sent=900)


def test_a_stream_s_row() -> None:
    rows = live(exchange("r", "alice", Phase.STREAMING, FLOW))
    found = list_streams(rows, lambda key: True, 20.0, 1000.0, sees_all=True)
    assert found == {
        "total": 1,
        "rows": [
            {"id": "r", "key": "alice", "deployment": "d", "surface": "gemini", "model": "m",
             "node": "n", "state": "streaming", "started": 1010.0, "age_s": 10.0, "tokens": 20,
             "tokens_per_second": 2.0, "bytes": 900, "queued_s": 0.5}
        ],
    }  # fmt: skip


def test_the_newest_first_and_no_more_than_people_read() -> None:
    rows = live(*(exchange(str(number), "a", Phase.ARRIVING) for number in range(250)))
    found = list_streams(rows, lambda key: True, 20.0, 0.0, sees_all=True)
    assert (found["total"], len(found["rows"]), found["rows"][0]["id"]) == (250, MAX_ROWS, "249")
    assert found["rows"][0]["tokens"] is None


def test_one_s_own() -> None:
    rows = live(exchange("1", "alice", Phase.WAITING), exchange("2", "bob", Phase.WAITING))
    found = list_streams(rows, lambda key: key == "alice", 20.0, 0.0, sees_all=False)
    assert (found["total"], [row["id"] for row in found["rows"]]) == (1, ["1"])


def test_the_queue_has_true_positions() -> None:
    tickets = [object(), object(), object()]
    rows = live(
        *(exchange(str(at), key, Phase.QUEUED, ticket=ticket)
          for at, (key, ticket) in enumerate(zip("aba", tickets, strict=True))),
        exchange("9", "a", Phase.QUEUED), exchange("8", "a", Phase.STREAMING),
    )  # fmt: skip
    places = {id(tickets[0]): 3, id(tickets[1]): 1, id(tickets[2]): 2}
    found = list_queue(rows, places, lambda key: True, 12.0)
    assert [(row["id"], row["position"]) for row in found["rows"]] == [("1", 1), ("2", 2), ("0", 3)]
    own = list_queue(rows, places, lambda key: key == "a", 12.0)
    assert [(row["position"], row["waiting_s"]) for row in own["rows"]] == [(2, 2.0), (3, 2.0)]
