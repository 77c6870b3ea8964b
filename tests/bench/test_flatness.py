"""Flat and growing lines are recognised, and a spike is neither."""

from __future__ import annotations

from random import Random

import pytest

from bench.flatness import BLOCKS, find_trend

TIMES = [float(number) for number in range(200)]


def wander(seed: int, drift: float) -> list[float]:
    """Noise around a line. Neighbouring values are similar, as they are for memory."""
    chance, level, values = Random(seed), 0.0, []
    for time in TIMES:
        level = 0.8 * level + chance.gauss(0, 10)
        values.append(50_000 + level + drift * time)
    return values


def test_a_line_has_its_slope_exactly() -> None:
    trend = find_trend(TIMES, [1000 + 2 * time for time in TIMES])
    assert trend is not None
    assert (trend.slope, trend.low, trend.high) == pytest.approx((2, 2, 2))
    assert trend.growth == pytest.approx(2 * 199)
    assert trend.level == pytest.approx(1199)
    assert trend.exceeds(397)
    assert not trend.exceeds(399)


def test_a_constant_is_flat() -> None:
    trend = find_trend(TIMES, [7.0] * len(TIMES))
    assert trend is not None
    assert (trend.slope, trend.low, trend.high) == (0, 0, 0)
    assert not trend.exceeds(0)


def test_growth_is_seen_through_noise_and_noise_is_not_growth() -> None:
    grown = [find_trend(TIMES, wander(seed, drift=5)) for seed in range(20)]
    assert all(one is not None and one.low > 0 and one.exceeds(500) for one in grown)
    flat = [find_trend(TIMES, wander(seed, drift=0)) for seed in range(100)]
    sure = [one for one in flat if one is not None and (one.low > 0 or one.high < 0)]
    assert len(sure) <= 12, "five in a hundred, and what chance adds"


def test_spikes_do_not_move_it() -> None:
    values = [100.0] * len(TIMES)
    values[150] = values[190] = 1e9
    trend = find_trend(TIMES, values)
    assert trend is not None
    assert (trend.slope, trend.high) == (0, 0)


def test_a_step_is_growth_that_cannot_be_denied() -> None:
    trend = find_trend(TIMES, [100.0 if time < 100 else 200.0 for time in TIMES])
    assert trend is not None
    assert trend.step == 100
    assert trend.exceeds(99)
    assert not trend.exceeds(100)
    shrunk = find_trend(TIMES, [200.0 if time < 100 else 100.0 for time in TIMES])
    assert shrunk is not None
    assert not shrunk.exceeds(0)


def test_too_few_samples_tell_nothing() -> None:
    assert find_trend(TIMES[: BLOCKS - 1], [1.0] * (BLOCKS - 1)) is None
    assert find_trend([], []) is None
