from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casedesk_proxy.config.units import MAX_DURATION_S, parse_duration, parse_size
from tests.fixtures.table import table


@table(
    ("written", "size"),
    [
        (1, 1),
        (33554432, 33554432),
        ("32MiB", 32 * 1024**2),
        ("10MB", 10_000_000),
        ("1.5KiB", 1536),
        ("2 gib", 2 * 1024**3),
        ("8kB", 8000),
        ("77", 77),
        (" 7b ", 7),
        ("1024GiB", 2**40),
    ],
)
def test_sizes(written: object, size: int) -> None:
    assert parse_size(written) == size


@table(
    "written",
    [0, -1, 1.5, True, None, [], "", "MiB", "-1", "1e3", "0", "0.5B", "32 M iB", "2000GiB", "٣MB"],
)
def test_what_is_no_size(written: object) -> None:
    with pytest.raises(ValueError, match=r"size|between"):
        parse_size(written)


def test_a_unit_with_two_meanings_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown unit 'm': use B, kB, MB, GB, KiB, MiB or GiB"):
        parse_size("32m")


@table(
    ("written", "seconds"),
    [
        (0, 0.0),
        (5, 5.0),
        (2.5, 2.5),
        ("10m", 600.0),
        ("1h30m", 5400.0),
        ("500ms", 0.5),
        ("1d", 86400.0),
        ("1m500ms", 60.5),
        ("0.1s", 0.1),
        ("7", 7.0),
        (" 7.5 ", 7.5),
        ("365d", MAX_DURATION_S),
    ],
)
def test_durations(written: object, seconds: float) -> None:
    assert parse_duration(written) == seconds


@table(
    "written",
    [
        -1,
        True,
        None,
        {},
        "",
        " ",
        "soon",
        "10 m",
        "10m5",
        "m",
        "1:30",
        "-5s",
        "366d",
        float("nan"),
        float("inf"),
        "1e3s",
        "1h 30m",
    ],
)
def test_what_is_no_duration(written: object) -> None:
    with pytest.raises(ValueError, match=r"duration|between"):
        parse_duration(written)


@settings(deadline=None)
@given(st.text(max_size=40) | st.integers() | st.floats() | st.none() | st.booleans())
def test_nothing_else_is_raised(written: object) -> None:
    for parse in (parse_size, parse_duration):
        try:
            value = parse(written)
        except ValueError:
            continue
        else:
            assert 0 <= value <= 2**40


@settings(deadline=None)
@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_parts_add_up(hours: int, minutes: int, seconds: int, rest: int) -> None:
    written = f"{hours}h{minutes}m{seconds}s{rest}ms"
    total = (hours * 3600 + minutes * 60 + seconds) * 1000 + rest
    assert parse_duration(written) == total / 1000
