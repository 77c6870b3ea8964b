"""The report: paired ratios, medians, and reasons to doubt it."""

from __future__ import annotations

import json

import pytest

from bench.comparison import Outcome, Round, Sample, Settings
from bench.engine.histogram import Histogram
from bench.markdown import tell_winners
from bench.tables import as_json, as_markdown, ratios, warnings

SETTINGS = Settings(
    targets=("proxy", "nginx", "floor"), streams=10, rate=50.0, size=300, rounds=3, seconds=1.0,
    tick=1000, load_core=0, target_core=1, nice=0, proxy_command="",
)  # fmt: skip


def sample(us_per_event: float, *, lost: int = 0, errors: int = 0) -> Sample:
    return Sample(
        cpu_ns=int(us_per_event * 1000 * 1000),
        load_cpu_ns=1000 * 1000,
        events=1000,
        added=Histogram(((2_000_000, 99), (9_000_000, 1))),
        faults={"lost": lost} if lost else {},
        errors=errors,
    )


def outcome(costs: list[tuple[float, float]], *, busy: float = 0.1, **more: int) -> Outcome:
    return Outcome(
        settings=SETTINGS,
        versions={"proxy": "abc", "floor": "C"},
        skipped={"nginx": "it is not installed"},
        event_bytes=300,
        idle_kb={"proxy": 1000, "floor": 10},
        open_kb={"proxy": 1120, "floor": 10},
        rounds=[
            Round(
                seconds=1.0,
                busy={0: busy, 1: busy},
                node_cpu_ns=2000 * 1000,
                samples={"proxy": sample(proxy, **more), "floor": sample(floor)},
            )
            for proxy, floor in costs
        ],
    )


def test_ratios_are_paired_within_their_round() -> None:
    # The machine slowed down threefold in between; the ratio did not.
    steady = outcome([(12, 10), (36, 30), (24, 20)])
    assert ratios(steady, "proxy", "floor") == pytest.approx([1.2, 1.2, 1.2])
    assert "24.00 (12.00–36.00) | 1.000 (1.000–1.000) | 1.200 (1.200–1.200) | 12.0 " in as_markdown(
        steady, {}
    )


def test_the_table_names_what_was_lost_and_left_out() -> None:
    text = as_markdown(outcome([(12, 10), (12, 10)], lost=3), {"kernel": "6"})
    assert "| 2000   | 6 / 0 / 0 " in text
    assert "nginx was not measured: it is not installed" in text
    assert "× nginx" not in text
    assert "kernel: 6" in text
    assert "| 2.000        | 2.000 | 9.000 |" in text


def test_it_warns_of_neighbours_full_cores_and_broken_streams() -> None:
    assert len(warnings(outcome([(12, 10)]))) == 1  # nginx is not there
    assert any("other programs" in w for w in warnings(outcome([(12, 10)], busy=0.5)))
    assert any("filled 90% of core 1" in w for w in warnings(outcome([(500, 400)], busy=0.9)))
    assert "proxy: 2 streams broke" in warnings(outcome([(12, 10)], errors=2))


def test_a_peer_that_wins_is_named() -> None:
    assert tell_winners("CPU", {"proxy": [1, 1], "nginx": [1.1, 1.2], "floor": [0.5, 0.5]}) == (
        "CPU: no peer here does better than the proxy"
    )
    won = tell_winners("CPU", {"nginx": [0.9, 0.8, 1.1], "envoy": [2, 2, 2]})
    assert won == "CPU: nginx WINS (0.900 × the proxy, in 2 of 3 rounds)"
    assert "nginx WINS" in tell_winners("requests/s", {"nginx": [9, 8]}, less=False)


def test_json_holds_every_round() -> None:
    told = json.loads(json.dumps(as_json(outcome([(12, 10), (24, 20)]), {})))
    assert [r["relays"]["proxy"]["us_per_event"] for r in told["rounds"]] == [12, 24]
    assert told["relays"]["proxy"]["us_per_event"] == 18
    assert told["relays"]["proxy"]["ratios"]["floor"] == pytest.approx(1.2)
    assert told["skipped"] == {"nginx": "it is not installed"}
