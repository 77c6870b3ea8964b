"""The sum of what running requests have produced."""

from __future__ import annotations

from datetime import UTC
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.limits.gauge import Gauge
from casedesk_proxy.limits.use import Use
from casedesk_proxy.limits.windows import Calendar, Moment, Second
from casedesk_proxy.relay.delivery import Delivery
from casedesk_proxy.replying.record import CallFacts
from casedesk_proxy.server.metering import Meter, Scope
from casedesk_proxy.terms import Limit, UseRules
from tests.fixtures.effort import examples
from tests.fixtures.table import table

CAPPED = UseRules("key", "alice", (), 2)
BOUNDED = UseRules("deployment", "desk", ((Limit.TOKENS_PER_DAY, 5, None),))


class Reply(Delivery):
    """A reply of the given number of pieces."""

    def __init__(self, pieces: int) -> None:
        self.relay = cast(Any, self)
        self.events = pieces
        self.generates = True


class Producing:
    """A request that runs; ``pieces``: None before its reply."""

    call = CallFacts("openai")
    started = 0.0

    def __init__(self, pieces: int | None) -> None:
        self.held: Any = None if pieces is None else Reply(pieces)


def read(meter: Meter, surface: str, second: Second) -> bytes | None:
    """The limits' lines in the head of a request, which is counted only until its reply."""
    one = Producing(None)
    one.started = second.begun.steady
    lines = meter.begin(one, surface, second)
    for use, running in meter.counts:
        assert (one in running) is (lines is not None)
        use.asked -= lines is not None
        running.discard(one)
    return lines


def test_before_a_reply_nothing_is_produced_nor_after_its_end() -> None:
    scope, ended = Scope("key", "alice"), Producing(5)
    ended.held = None
    scope.running = {Producing(None), ended, Producing(2)}
    assert scope.produced(1.0) == 2


def test_a_meter_knows_the_limits_on_parallel_requests() -> None:
    asked: list[Meter] = []
    scopes = [(one, Scope(one.kind, one.name), Use()) for one in (CAPPED, BOUNDED)]
    meter = Meter((CAPPED, BOUNDED), scopes, asked.append)
    (cap,) = meter.caps
    assert (cap.rules, cap.seats.most, cap.seats) == (CAPPED, 2, scopes[0][1].seats)
    meter.recheck()
    assert asked == [meter]


def test_what_runs_is_summed_up() -> None:
    scope = Scope("key", "alice")
    assert scope.produced(1.0) == 0
    scope.running = {Producing(3), Producing(4)}
    assert scope.produced(1.0) == 7


def test_the_sum_of_many_is_good_for_a_moment() -> None:
    scope = Scope("key", "alice")
    ones = [Producing(1) for _ in range(5)]
    scope.running = set(ones)
    assert scope.produced(1.0) == 5
    ones[0].held = Reply(100)
    assert scope.produced(1.01) == 5
    assert scope.produced(1.1) == 104


def test_what_has_ended_does_not_count_twice() -> None:
    """Its use counts as spent, although it is in a sum that is still valid."""
    key, desk = Scope("key", "alice"), Scope("deployment", "desk")
    meter = Meter((), [(BOUNDED, key, Use()), (BOUNDED, desk, Use())], lambda _: None)
    for scope in (key, desk):
        scope.running = {Producing(1000) for _ in range(6)}
        assert scope.produced(1.0) == 6000
    meter.take_back(1000)
    assert [scope.produced(1.01) for scope in (key, desk)] == [5000, 5000]
    meter.take_back(9000)
    assert key.produced(1.01) == 0


#: The first moment of 2027.
NEW_YEAR = 1798761600.0


def counted(surface: str, *scopes: UseRules, asked: int = 0, spent: int = 0) -> bytes | None:
    """The limits' lines in a head, after this use."""
    uses = [Use() for _ in scopes]
    meter = Meter(
        scopes,
        [(one, Scope(one.kind, one.name), use) for one, use in zip(scopes, uses, strict=True)],
        lambda _: None,
    )
    now = Moment(100.5, NEW_YEAR + 0.5, Calendar(UTC).today(NEW_YEAR + 0.5))
    second = Second.at(now)
    read(meter, surface, second)
    for use in uses:
        use.asked += asked
        use.spent += spent
    return read(meter, surface, second)


KEY = UseRules(
    "key", "alice", ((Limit.REQUESTS_PER_MINUTE, 10, None), (Limit.TOKENS_PER_DAY, 100, None))
)
DESK = UseRules("deployment", "desk", ((Limit.TOKENS_PER_MINUTE, 90, 80),))


def test_heads_say_what_is_left_of_the_tightest_limits() -> None:
    assert counted("openai", KEY, DESK, asked=3, spent=40) == (
        b"x-ratelimit-limit-requests: 10\r\nx-ratelimit-remaining-requests: 6\r\n"
        b"x-ratelimit-reset-requests: 1m0s\r\n"
        b"x-ratelimit-limit-tokens: 90\r\nx-ratelimit-remaining-tokens: 50\r\n"
        b"x-ratelimit-reset-tokens: 1m0s\r\n"
    )
    assert counted("anthropic", UseRules("key", "bob", KEY.bounds[1:]), spent=1) == (
        b"anthropic-ratelimit-tokens-limit: 100\r\nanthropic-ratelimit-tokens-remaining: 99\r\n"
        b"anthropic-ratelimit-tokens-reset: 2027-01-02T00:00:00Z\r\n"
    )
    assert counted("openai", UseRules("key", "bob", KEY.bounds[:1]), asked=9) == (
        b"x-ratelimit-limit-requests: 10\r\nx-ratelimit-remaining-requests: 0\r\n"
        b"x-ratelimit-reset-requests: 1m0s\r\n"
    )
    assert counted("openai", CAPPED) == b""


@table(
    ("limits", "wanted"),
    [
        (KEY.bounds, (b"remaining-requests: 5", b"remaining-tokens: 50")),
        (KEY.bounds[:1], (b"remaining-requests: 5",)),
        (KEY.bounds[1:], (b"remaining-tokens: 50",)),
        ((), ()),
    ],
)
def test_the_third_head_of_a_second_says_what_all_do(
    limits: tuple[tuple[Limit, int | None, int | None], ...], wanted: tuple[bytes, ...]
) -> None:
    """It uses the result of the second head if only the key has limits."""
    use, rules = Use(), UseRules("key", "alice", limits, 9)
    alone = Meter((rules,), [(rules, Scope("key", "alice"), use)], lambda _: None)
    other = UseRules("deployment", "desk", (), 9)
    both = Meter(
        (rules, other),
        [(rules, Scope("key", "alice"), use), (other, Scope("deployment", "desk"), Use())],
        lambda _: None,
    )
    now = Moment(100.5, NEW_YEAR + 0.5, Calendar(UTC).today(NEW_YEAR + 0.5))
    second = Second.at(now)
    for left in (3, 2, 1):
        lines = read(alone, "openai", second)
        assert lines == read(both, "openai", second)
        use.asked += 2
        use.spent += 25
        if left == 1:
            assert lines is not None
            assert [line for line in lines.split(b"\r\n") if b"remaining" in line] == [
                b"x-ratelimit-" + one for one in wanted
            ]


def test_keys_of_a_deployment_do_not_make_each_other_read_its_limit_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds: list[Second] = []
    really_read = Gauge.read
    monkeypatch.setattr(Gauge, "read", lambda one, at: (seconds.append(at), really_read(one, at)))
    use, scope = Use(), Scope("deployment", "desk")
    meters = [Meter((DESK,), [(DESK, scope, use)], lambda _: None) for _ in range(3)]
    now = Moment(100.5, NEW_YEAR + 0.5, Calendar(UTC).today(NEW_YEAR + 0.5))
    second = Second.at(now)
    for turn in range(4):
        for meter in meters:
            lines = read(meter, "openai", second)
            assert b"remaining-tokens: %d\r\n" % (90 - use.spent) in (lines or b"")
            use.asked += 1
            use.spent += 1
        assert len(seconds) == 3, turn


def test_before_anything_is_used_nothing_has_to_reset() -> None:
    assert b"reset-requests: 0ms\r\n" in (counted("openai", KEY) or b"")


def test_where_a_limit_is_reached_or_warns_it_says_nothing() -> None:
    assert counted("openai", KEY, asked=10) is None
    assert counted("openai", KEY, DESK, spent=80) is None


def test_what_runs_counts_too() -> None:
    meter = Meter((DESK,), [(DESK, scope := Scope("deployment", "desk"), Use())], lambda _: None)
    scope.running = {Producing(30)}
    now = Moment(100.5, NEW_YEAR, Calendar(UTC).today(NEW_YEAR))
    lines = read(meter, "openai", Second.at(now))
    assert b"remaining-tokens: 60\r\n" in (lines or b"")


def calmly(meter: Meter, one: Producing, second: Second) -> bytes | None:
    """As the limiter begins a request."""
    calm = meter.calm.get("openai")
    lines = None if calm is None else calm.begin(one)
    return meter.begin(one, "openai", second) if lines is None else lines


class Counted(NamedTuple):
    scope: Scope
    use: Use


def at(steady: float) -> Producing:
    one = Producing(None)
    one.started = steady
    return one


def begin_two(desk: UseRules) -> tuple[Meter, Second, Counted]:
    """After two requests of a key at a deployment with these limits, which have used a token each:
    what counts them, in which second, and what is counted at the deployment."""
    uses, scopes = (Use(), Use()), (Scope("key", "alice"), Scope("deployment", "desk"))
    parts = list(zip((KEY, desk), scopes, uses, strict=True))
    meter = Meter((KEY, desk), parts, lambda _: None)
    now = Moment(100.5, NEW_YEAR + 0.5, Calendar(UTC).today(NEW_YEAR + 0.5))
    second = Second.at(now)
    for _ in range(2):
        assert meter.begin(at(100.75), "openai", second) is not None
        for use in uses:
            use.spent += 1
    return meter, second, Counted(scopes[1], uses[1])


def test_a_calm_second_ends_with_its_time_and_with_anything_else_that_counts() -> None:
    use, scope = Use(), Scope("key", "alice")
    meter = Meter((KEY,), [(KEY, scope, use)], lambda _: None)
    now = Moment(100.5, NEW_YEAR + 0.5, Calendar(UTC).today(NEW_YEAR + 0.5))
    second, first = Second.at(now), Producing(2)
    first.started = 100.5
    assert meter.begin(first, "openai", second) is not None
    assert meter.calm == {}, "it does not say when requests reset, as none was counted before"
    use.spent += 1
    one, late = Producing(1), Producing(None)
    one.started, late.started = 100.75, 101.0
    assert meter.begin(one, "openai", second) is not None
    calm = meter.calm["openai"]
    assert calm.begin(late) is None
    assert (use.asked, scope.running) == (2, {first, one})
    late.started = 100.9
    lines = calm.begin(late)
    assert b"remaining-requests: 7\r\n" in (lines or b"")
    assert b"remaining-tokens: 96\r\n" in (lines or b"")
    assert (use.asked, scope.running) == (3, {first, one, late})
    use.spent += 97
    assert calm.begin(late) is None, "what runs has produced the rest"
    use.spent -= 97
    use.add_recent(100.9, 0)
    assert calm.begin(late) is None
    use.enter(second)
    assert calm.begin(late) is None


SOFT_DESK = UseRules(
    "deployment",
    "desk",
    ((Limit.REQUESTS_PER_MINUTE, 50, 20), (Limit.TOKENS_PER_MINUTE, 500, 200)),
)


@table(
    ("asked", "spent", "produced", "is_calm"),
    [
        (0, 0, 0, True),
        (17, 197, 0, True),
        (18, 0, 0, False),
        (0, 198, 0, False),
        (0, 150, 60, False),
    ],
)
def test_other_keys_bring_a_deployment_near_its_soft_limits(
    asked: int, spent: int, produced: int, is_calm: bool
) -> None:
    """Two requests with two tokens are counted before."""
    meter, _, desk = begin_two(SOFT_DESK)
    desk.use.asked += asked
    desk.use.spent += spent
    desk.scope.running.add(Producing(produced))
    before = desk.use.asked
    lines = meter.calm["openai"].begin(third := at(100.9))
    assert (lines is not None) is is_calm
    assert desk.use.asked == before + is_calm
    assert (third in desk.scope.running) is is_calm
    if is_calm:
        assert b"remaining-requests: 7\r\n" in (lines or b"")


@table(("asked", "spent"), [(43, 0), (0, 420)])
def test_heads_name_the_deployment_once_less_is_left_of_its_limits(asked: int, spent: int) -> None:
    hard = UseRules(
        "deployment", "desk", tuple((one, most, None) for one, most, _ in SOFT_DESK.bounds)
    )
    meter, second, desk = begin_two(hard)
    assert meter.calm["openai"].begin(at(100.9)) is not None
    desk.use.asked += asked
    desk.use.spent += spent
    assert meter.calm["openai"].begin(at(100.9)) is None
    lines = meter.begin(at(100.9), "openai", second) or b""
    if asked:
        assert b"remaining-requests: 3\r\n" in lines
    else:
        assert b"remaining-tokens: 78\r\n" in lines


def test_no_second_is_calm_whose_heads_name_limits_of_two_scopes() -> None:
    """Whose limit is the tightest one can then change with requests at other deployments."""
    meter, _, _ = begin_two(UseRules("deployment", "desk", ((Limit.TOKENS_PER_MINUTE, 50, None),)))
    assert meter.calm == {}


def test_no_second_is_calm_with_three_scopes() -> None:
    parts = [(one, Scope(one.kind, one.name), Use()) for one in (CAPPED, CAPPED, CAPPED)]
    meter = Meter((CAPPED,) * 3, parts, lambda _: None)
    now = Moment(100.5, NEW_YEAR + 0.5, Calendar(UTC).today(NEW_YEAR + 0.5))
    assert meter.begin(at(100.75), "openai", Second.at(now)) == b""
    assert meter.calm == {}


def test_what_counts_at_a_deployment_in_another_way_ends_its_calm() -> None:
    meter, _, desk = begin_two(SOFT_DESK)
    desk.use.add_recent(100.9, 0)
    assert meter.calm["openai"].begin(at(100.9)) is None


_BOUNDS = [KEY.bounds, KEY.bounds[:1], KEY.bounds[1:], DESK.bounds, ()]


@given(
    bounds=st.lists(st.sampled_from(_BOUNDS), min_size=1, max_size=2),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["ask", "ask", "spend", "other", "wait", "another key"]),
            st.integers(1, 20),
        ),
        max_size=40,
    ),
)
@examples(400)
def test_requests_begin_calmly_as_all_do(
    bounds: list[tuple[tuple[Limit, int | None, int | None], ...]], steps: list[tuple[str, int]]
) -> None:
    """With limits of one scope or two. Another key's requests count only in the last one."""
    rules = [
        UseRules(kind, kind, one, 9)
        for kind, one in zip(("key", "deployment"), bounds, strict=False)
    ]
    steady, uses = 100.25, [[Use() for _ in rules] for _ in range(2)]
    meters = [
        Meter(
            rules,
            [(one, Scope(one.kind, "a"), use) for one, use in zip(rules, of, strict=True)],
            lambda _: None,
        )
        for of in uses
    ]

    def moment() -> Moment:
        wall = NEW_YEAR + steady
        return Moment(steady, wall, Calendar(UTC).today(wall))

    second = Second.at(moment())
    for what, amount in steps:
        if what == "wait":
            steady += amount * 0.25
        if steady >= second.until:
            second = Second.at(moment())
        for use in (*uses[0], *uses[1]):
            if what == "spend":
                if use.second is not second:
                    use.enter(second)
                use.spent += amount
            elif what == "other":
                use.add_recent(steady, amount)
                use.add_past(moment().today, amount)
        if what == "another key":
            for of in uses:
                if of[-1].second is not second:
                    of[-1].enter(second)
                of[-1].asked += 1
                of[-1].spent += amount
        if what == "ask":
            one = Producing(None)
            one.started = steady
            lines = calmly(meters[0], one, second), meters[1].begin(one, "openai", second)
            assert lines[0] == lines[1]
        assert [use.asked for use in uses[0]] == [use.asked for use in uses[1]]
        running = [[set(ran) for _, ran in meter.counts] for meter in meters]
        assert running[0] == running[1]
