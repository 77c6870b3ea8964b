"""How often an address may be refused, and how often that is logged."""

from __future__ import annotations

from casedesk_proxy.auth.refusals import Refusals, RefusalVerdict, Summary
from tests.fixtures.table import table


def note(
    refusals: Refusals, count: int, now: float = 0.0, address: str = "a", limit: int = 60
) -> list[RefusalVerdict]:
    return [refusals.note(address, now, limit) for _ in range(count)]


def test_few_are_told_many_summed_up_and_too_many_limited() -> None:
    refusals = Refusals()
    verdicts = note(refusals, 150, limit=100)
    assert (
        verdicts
        == [RefusalVerdict.LOGGED] * 20
        + [RefusalVerdict.SUMMED_UP] * 80
        + [RefusalVerdict.TOO_MANY] * 50
    )
    assert refusals.summarise() == [Summary("a", 130, 50)]
    assert refusals.summarise() == []


def test_an_address_is_forgiven_with_time() -> None:
    refusals = Refusals()
    note(refusals, 1000)
    assert note(refusals, 1, now=0.5) == [RefusalVerdict.TOO_MANY]
    assert note(refusals, 2, now=1.6) == [RefusalVerdict.LOGGED, RefusalVerdict.TOO_MANY]
    assert note(refusals, 1, now=120.0) == [RefusalVerdict.LOGGED]
    assert Refusals.pause(60) == 1.0


def test_an_address_pays_for_no_other() -> None:
    refusals = Refusals()
    note(refusals, 1000)
    assert note(refusals, 1, address="b") == [RefusalVerdict.LOGGED]


def test_no_limit_still_sums_up() -> None:
    refusals = Refusals()
    assert set(note(refusals, 100_000, limit=0)) == {
        RefusalVerdict.LOGGED,
        RefusalVerdict.SUMMED_UP,
    }
    assert refusals.summarise() == [Summary("a", 100_000 - 20, 0)]


def test_many_addresses_are_no_way_around_it() -> None:
    """Refusals from many addresses fill neither the memory, nor the log, nor a summary."""
    refusals = Refusals()
    verdicts = [refusals.note(f"2001:db8:0:{n:x}::/64", 0.0, 60) for n in range(50_000)]
    assert verdicts.count(RefusalVerdict.LOGGED) <= 200
    summed = refusals.summarise()
    assert len(summed) <= 11
    assert summed[-1].address == ""
    assert sum(one.refused for one in summed) == 50_000 - verdicts.count(RefusalVerdict.LOGGED)
    assert len(refusals._buckets) <= 4096


@table("now", [0.0, 1e9])
def test_those_that_come_on_are_remembered(now: float) -> None:
    refusals = Refusals()
    note(refusals, 100, now)
    for n in range(5000):
        refusals.note(str(n), now, 60)
        if n % 1000 == 0:
            assert refusals.note("a", now, 60) is RefusalVerdict.TOO_MANY
