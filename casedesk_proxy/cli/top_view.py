"""What ``top`` shows, and what each key does: without a terminal and without a clock.

`View` is what the user has chosen: order, filter, the selected stream, an open question. A key
makes another view from it. Lines are made for a given width and height, and no more than fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.cells import set_cell_size
from rich.text import Text

from casedesk_proxy.cli.report import make_harmless

__all__ = ["COLUMNS", "Column", "View", "make_lines", "press", "search_for", "select_rows"]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """``field`` of a stream's row; ``width`` in cells; a wide terminal adds ``share`` parts of the
    remaining width. ``falls``: the greatest first."""

    title: str
    field: str
    width: int
    share: int = 0
    falls: bool = False


COLUMNS = (
    Column("KEY", "key", 12, 1),
    Column("MODEL", "model", 17, 3),
    Column("NODE", "node", 10, 1),
    Column("SURFACE", "surface", 9),
    Column("STATE", "state", 9),
    Column("AGE", "age_s", 6, falls=True),
    Column("TOK", "tokens", 5, falls=True),
    Column("TOK/S", "tokens_per_second", 5, falls=True),
)
_LEAST_WIDTH_CHARS = sum(column.width for column in COLUMNS) + len(COLUMNS) - 1
_PARTS = sum(column.share for column in COLUMNS)
#: A wider place is a file, whose lines must not be filled with blanks.
_MAX_WIDTH_CHARS = 1000
#: How many nodes are shown above the streams; the others are only counted.
_MAX_NODE_LINES = 6
#: Lines for streams on the smallest terminal.
_MIN_STREAM_LINES = 3
_HELP = "q quit  ↑↓ select  s sort  r reverse  / filter  c cancel  p pause"


@dataclass(frozen=True, slots=True)
class View:
    """``sorted_by``: a column's index. ``typing``: the filter is being typed. ``asking``: the id of
    the stream to cancel after confirmation; ``cancel``: it was confirmed."""

    sorted_by: int = 5
    reverse: bool = False
    filter: str = ""
    typing: bool = False
    selected: str = ""
    asking: str = ""
    cancel: str = ""
    paused: bool = False
    quit: bool = False
    note: str = ""


def press(view: View, key: str, rows: Sequence[Row]) -> View:
    """``rows``: the shown rows, in their order. Unknown keys do nothing."""
    if view.asking:
        agreed = view.asking if key in ("y", "Y") else ""
        return replace(view, asking="", cancel=agreed, note="" if agreed else "not cancelled")
    if view.typing:
        return _type(view, key)
    view = replace(view, note="")
    if key in ("up", "down", "pageup", "pagedown", "j", "k"):
        return _move(view, key, rows)
    match key:
        case "q" | "Q":
            return replace(view, quit=True)
        case "s" | "S":
            step = 1 if key == "s" else -1
            return replace(view, sorted_by=(view.sorted_by + step) % len(COLUMNS), reverse=False)
        case "r":
            return replace(view, reverse=not view.reverse)
        case "p":
            return replace(view, paused=not view.paused)
        case "/":
            return replace(view, typing=True)
        case "escape":
            return replace(view, filter="")
        case "c" | "x":
            return _ask_about(view, rows)
    return view


def _type(view: View, key: str) -> View:
    if key == "enter":
        return replace(view, typing=False)
    if key == "escape":
        return replace(view, typing=False, filter="")
    if key == "backspace":
        return replace(view, filter=view.filter[:-1])
    return replace(view, filter=view.filter + key) if len(key) == 1 else view


def _move(view: View, key: str, rows: Sequence[Row]) -> View:
    if not rows:
        return view
    ids = [row["id"] for row in rows]
    at = ids.index(view.selected) if view.selected in ids else -1
    steps = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -10, "pagedown": 10}
    at = 0 if at < 0 else min(max(at + steps[key], 0), len(ids) - 1)
    return replace(view, selected=ids[at])


def _ask_about(view: View, rows: Sequence[Row]) -> View:
    if any(row["id"] == view.selected for row in rows):
        return replace(view, asking=view.selected)
    return replace(view, note="select a stream first, with ↑ and ↓")


def select_rows(view: View, status: dict[str, Any]) -> list[Row]:
    """The streams that match the filter, in order. The filter is searched for in every column's
    text, ignoring case."""
    wanted = view.filter.casefold()
    rows = [row for row in status["streams"]["rows"] if wanted in _searched(row)]
    column = COLUMNS[view.sorted_by]
    # By id if they are equal: lines that change places without reason cannot be read.
    rows.sort(key=lambda row: str(row["id"]))
    rows.sort(key=lambda row: _rank(row.get(column.field)), reverse=column.falls ^ view.reverse)
    return rows


def search_for(view: View) -> dict[str, str]:
    """The query for the proxy if it has more streams than a status shows."""
    column = COLUMNS[view.sorted_by]
    falls = column.falls ^ view.reverse
    return {
        "find": view.filter,
        "sort": column.field.removesuffix("_s"),
        "order": "descending" if falls else "ascending",
    }


def _searched(row: Row) -> str:
    return " ".join(str(row.get(column.field) or "") for column in COLUMNS).casefold()


def _rank(value: Any) -> tuple[bool, Any]:
    """Unknown values come after known ones, for numbers and for words."""
    if isinstance(value, int | float):
        return True, value
    return (True, value.casefold()) if isinstance(value, str) else (False, 0)


def make_lines(
    view: View, status: dict[str, Any], rows: Sequence[Row], width: int, height: int
) -> list[Text]:
    """At most ``height`` lines of ``width`` cells."""
    widths = _widths(width if width <= _MAX_WIDTH_CHARS else _find_width(rows))
    nodes = _node_lines(status["nodes"], width)
    room = max(height - len(nodes) - 4, _MIN_STREAM_LINES)
    shown = _window(view, rows, room)
    lines = [
        _head(view, status, len(rows), width),
        *nodes,
        Text(),
        _titles(view, widths),
        *(_stream_line(row, widths, chosen=row["id"] == view.selected) for row in shown),
    ]
    lines = lines[: height - 1]
    return [*lines, *([Text()] * (height - 1 - len(lines))), _foot(view, rows, width)]


def _window(view: View, rows: Sequence[Row], room: int) -> Sequence[Row]:
    """The rows to show, chosen so that the selected one is among them."""
    ids = [row["id"] for row in rows]
    at = ids.index(view.selected) if view.selected in ids else 0
    first = max(min(at - room // 2, len(rows) - room), 0)
    return rows[first : first + room]


def _head(view: View, status: dict[str, Any], shown: int, width: int) -> Text:
    ready = any(node["healthy"] for node in status["nodes"])
    state, colour = ("ready", "green") if ready else ("not ready", "red")
    if status["draining"]:
        state, colour = "draining", "yellow"
    streams = status["streams"]
    parts = [f"CaseDesk Proxy {status['version']}", f"{streams['total']} requests"]
    if shown != streams["total"]:
        parts.append(f"{shown} shown")
    if (rate := status.get("tokens_per_second")) is not None:
        parts.append(f"{rate:.0f} tok/s")
    parts.append(f"{status['queue']['total']} waiting")
    if view.filter or view.typing:
        parts.append(f"filter: {view.filter}{'_' if view.typing else ''}")
    if view.paused:
        parts.append("PAUSED")
    if status["config"].get("refusal"):
        parts.append("CONFIGURATION REFUSED")
    line = Text.assemble((state, f"bold {colour}"), "  ", "  ".join(map(make_harmless, parts)))
    line.truncate(width)
    return line


def _node_lines(nodes: list[dict[str, Any]], width: int) -> list[Text]:
    lines = []
    for node in nodes[:_MAX_NODE_LINES]:
        limit = "" if node["limit"] is None else f" of {node['limit']}"
        text = f"{_fit(node['name'], 14)} {_fit(node['state'], 9)} {node['in_flight']}{limit}"
        trouble = f"  {make_harmless(node['last_error'])}" if node["last_error"] else ""
        line = Text.assemble(text, (trouble, "dim"))
        line.stylize("" if node["state"] == "up" else "yellow", 15, 24)
        line.truncate(width)
        lines.append(line)
    if more := nodes[_MAX_NODE_LINES:]:
        bad = sum(node["state"] != "up" for node in more)
        lines.append(Text(f"and {len(more)} more nodes, {bad} of them not ok"))
    return lines


def _widths(width: int) -> list[int]:
    """The widths of the columns; a blank separates two of them."""
    spare = max(width - _LEAST_WIDTH_CHARS, 0)
    return [column.width + spare * column.share // _PARTS for column in COLUMNS]


def _find_width(rows: Sequence[Row]) -> int:
    """The least width at which no name of a stream is cut."""
    parts = 0
    for column in (one for one in COLUMNS if one.share):
        names = [_word(row.get(column.field), column.field) for row in rows]
        longest = max((Text(name).cell_len for name in names), default=0)
        parts = max(parts, -(-(longest - column.width) // column.share))
    return _LEAST_WIDTH_CHARS + parts * _PARTS


def _titles(view: View, widths: list[int]) -> Text:
    line = Text(style="bold")
    for at, (column, width) in enumerate(zip(COLUMNS, widths, strict=True)):
        style = "reverse" if at == view.sorted_by else ""
        line.append(" " if at else "")
        line.append(_fit(column.title, width, right=column.falls), style)
    return line


def _stream_line(row: Row, widths: list[int], *, chosen: bool) -> Text:
    cells = [
        _fit(_word(row.get(column.field), column.field), width, right=column.falls)
        for column, width in zip(COLUMNS, widths, strict=True)
    ]
    return Text(" ".join(cells), style="reverse" if chosen else "")


def _word(value: Any, field: str) -> str:
    if value is None:
        return "–"
    if field == "age_s":
        return _duration(value)
    if field == "tokens_per_second":
        return f"{value:.1f}" if value < 100 else f"{value:.0f}"
    return str(value)


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    return (
        f"{whole // 60}m{whole % 60:02d}"
        if whole < 3600
        else f"{whole // 3600}h{whole // 60 % 60:02d}"
    )


def _foot(view: View, rows: Sequence[Row], width: int) -> Text:
    text, style = view.note or _HELP, "yellow" if view.note else "dim"
    if view.asking:
        row = next((row for row in rows if row["id"] == view.asking), None)
        what = "" if row is None else f" of {row['key']} ({row['model']} on {row['node']})"
        text, style = f"Cancel the stream{what}? y/n", "bold yellow"
    return Text(_fit(text, width).rstrip(), style=style)


def _fit(text: Any, width: int, *, right: bool = False) -> str:
    """Exactly so many cells; a text that is cut ends in an ellipsis."""
    clean = make_harmless(str(text))
    if Text(clean).cell_len > width:
        clean = set_cell_size(clean, width - 1).rstrip() + "…"
    blanks = " " * (width - Text(clean).cell_len)
    return blanks + clean if right else clean + blanks
