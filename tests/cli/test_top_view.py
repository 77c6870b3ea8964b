"""What ``top`` shows, and the effect of its keys."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.cli.top_view import (
    COLUMNS,
    View,
    make_lines,
    press,
    search_for,
    select_rows,
)
from tests.cli.fake_admin import stream, told

ROWS = [stream(1, key="bob"), stream(3, key="Alice"), stream(2, key="carol", model="qwen3")]
STATUS = told(*ROWS)


def typed(*keys: str, view: View = View(), status: dict[str, Any] = STATUS) -> View:  # noqa: B008
    for key in keys:
        view = press(view, key, select_rows(view, status))
    return view


def shown(view: View = View(), status: dict[str, Any] = STATUS, size: Any = (80, 24)) -> list[str]:  # noqa: B008
    lines = make_lines(view, status, select_rows(view, status), *size)
    assert len(lines) == size[1]
    assert max(line.cell_len for line in lines) <= size[0]
    return [line.plain.rstrip() for line in lines]


def order(view: View) -> list[str]:
    return [row["id"] for row in select_rows(view, STATUS)]


def test_a_screen_of_80_by_24() -> None:
    lines = shown()
    assert lines[0] == "ready  CaseDesk Proxy 1.2.3  3 requests  2 waiting"
    assert lines[1] == "gpu0           up        3 of 16"
    assert lines[2] == "gpu1           down      3  refused"
    assert lines[4].split() == [column.title for column in COLUMNS]
    assert lines[5].split() == [
        "Alice",
        "gemma2:9b",
        "gpu0",
        "openai",
        "streaming",
        "3s",
        "30",
        "12.3",
    ]
    assert lines[-1].startswith("q quit")


def test_the_speed_of_all_where_it_is_known() -> None:
    line = shown(status=STATUS | {"tokens_per_second": 4021.6})[0]
    assert line == "ready  CaseDesk Proxy 1.2.3  3 requests  4022 tok/s  2 waiting"


def test_the_longest_run_first_until_somebody_sorts() -> None:
    assert order(View()) == ["r3", "r2", "r1"]
    assert order(typed("r")) == ["r1", "r2", "r3"]
    by_key = typed("s", "s", "s")
    assert COLUMNS[by_key.sorted_by].title == "KEY"
    assert order(by_key) == ["r3", "r1", "r2"]
    assert order(typed("r", view=by_key)) == ["r2", "r1", "r3"]


def test_what_is_not_known_comes_last() -> None:
    status = told(stream(1, tokens_per_second=None), stream(2))
    by_rate = typed("S", view=View(sorted_by=0))
    assert COLUMNS[by_rate.sorted_by].title == "TOK/S"
    assert [row["id"] for row in select_rows(by_rate, status)] == ["r2", "r1"]
    assert shown(by_rate, status)[6].split()[-1] == "–"


def test_a_filter_is_typed() -> None:
    view = typed("/", "Q", "w", "x", "backspace", "enter")
    assert (view.filter, view.typing) == ("Qw", False)
    assert order(view) == ["r2"]
    assert "1 shown  2 waiting  filter: Qw" in shown(view)[0]
    assert "filter: Qw_" in shown(typed("/", view=view))[0]
    assert typed("escape", view=view).filter == ""
    assert typed("/", "a", "escape").filter == ""
    assert typed("/", "q", "up").quit is False


def test_a_stream_is_selected_and_stays_so() -> None:
    view = typed("down")
    assert view.selected == "r3"
    assert typed("down", view=view).selected == "r2"
    assert typed("j", "j", "j", "j", view=view).selected == "r1"
    assert typed("pagedown", "k", view=view).selected == "r2"
    assert typed("up", view=view).selected == "r3"
    assert typed("r", view=view).selected == "r3"
    assert typed("down", status=told()).selected == ""


def test_a_stream_is_cancelled_only_by_a_yes() -> None:
    asked = typed("down", "c")
    assert (asked.asking, asked.cancel) == ("r3", "")
    assert shown(asked)[-1] == "Cancel the stream of Alice (gemma2:9b on gpu0)? y/n"
    assert typed("y", view=asked).cancel == "r3"
    for key in ("n", "q", "enter", "escape"):
        refused = typed(key, view=asked)
        assert (refused.cancel, refused.asking, refused.quit) == ("", "", False)
        assert shown(refused)[-1] == "not cancelled"
    assert "select a stream first" in shown(typed("c"))[-1]


def test_other_keys() -> None:
    assert typed("q").quit
    assert "PAUSED" in shown(typed("p"))[0]
    assert not typed("p", "p").paused
    assert typed("z") == View()


def test_many_streams_and_nodes_leave_room_for_each_other() -> None:
    rows = [stream(number) for number in range(200)]
    nodes = [{**STATUS["nodes"][0], "name": f"gpu{number}"} for number in range(40)]
    status = told(*rows, nodes=nodes)
    lines = shown(status=status)
    assert lines[7] == "and 34 more nodes, 0 of them not ok"
    assert sum("openai" in line for line in lines) == 13
    view = typed(*["pagedown"] * 30, status=status)
    assert view.selected == "r0"
    assert any(line.startswith("key0 ") for line in shown(view, status))
    assert len(shown(status=status, size=(60, 8))) == 8


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"nodes": [{**STATUS["nodes"][0], "healthy": False}]}, "not ready"),
        ({"draining": True}, "draining"),
        ({"config": {"refusal": "line 3"}}, "CONFIGURATION REFUSED"),
    ],
)
def test_what_is_wrong_is_said_first(change: dict[str, Any], word: str) -> None:
    assert word in shown(status=told(**change))[0]


def test_no_name_steers_the_terminal_or_breaks_a_line() -> None:
    status = told(stream(1, model="a\x1b[2J\r\nb" * 9, key="日本語日本語日本語"))
    line = next(line for line in shown(status=status) if "openai" in line)
    assert line.isprintable()
    assert line.startswith("日本語日本")
    assert "…" in line


def test_ages_are_short() -> None:
    status = told(stream(1, age_s=59.9), stream(2, age_s=125), stream(3, age_s=7384))
    ages = [line.split()[5] for line in shown(status=status)[5:8]]
    assert ages == ["2h03", "2m05", "59s"]


def test_a_wide_terminal_shows_long_names_whole() -> None:
    name = "hf.co/organisation/a-model-with-a-long-name:Q4_K_M"
    status = told(stream(1, model=name, tokens_per_second=123.4))
    assert any(f" {name} " in line for line in shown(status=status, size=(160, 24)))
    assert not any(name in line for line in shown(status=status))
    assert shown(status=status)[5].endswith(" 123")


def test_the_proxy_is_asked_for_the_same_order() -> None:
    assert search_for(View()) == {"find": "", "sort": "age", "order": "descending"}
    assert search_for(View(sorted_by=7, reverse=True, filter="a b")) == {
        "find": "a b", "sort": "tokens_per_second", "order": "ascending",
    }  # fmt: skip
    assert search_for(View(sorted_by=0)) == {"find": "", "sort": "key", "order": "ascending"}
