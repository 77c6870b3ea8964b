from __future__ import annotations

from casedesk_proxy.surfaces.limits import (
    describe_failure,
    limit_headers,
    limit_template,
    warning_headers,
)
from casedesk_proxy.terms import Dialect, Limit, Standing
from tests.fixtures.table import table

#: The first moment of 2027.
NEW_YEAR = 1798761600.0


def standing(
    limit: Limit, hard: int | None, used: int, resets_in: float = 60.0, soft: int | None = None
) -> Standing:
    return Standing(limit, "key", "alice", hard, soft, used, NEW_YEAR + resets_in)


def shown(surface: Dialect, *standings: Standing) -> dict[bytes, bytes]:
    return dict(limit_headers(surface, standings, NEW_YEAR))


def test_openai_reads_its_own_headers() -> None:
    assert shown(
        Dialect.OPENAI,
        standing(Limit.REQUESTS_PER_MINUTE, 10, 3),
        standing(Limit.TOKENS_PER_DAY, 100, 120, 7261),
    ) == {
        b"x-ratelimit-limit-requests": b"10",
        b"x-ratelimit-remaining-requests": b"7",
        b"x-ratelimit-reset-requests": b"1m0s",
        b"x-ratelimit-limit-tokens": b"100",
        b"x-ratelimit-remaining-tokens": b"0",
        b"x-ratelimit-reset-tokens": b"2h1m1s",
    }


def test_anthropic_reads_its_own_headers() -> None:
    assert shown(Dialect.ANTHROPIC, standing(Limit.TOKENS_PER_MINUTE, 100, 20, 30.5)) == {
        b"anthropic-ratelimit-tokens-limit": b"100",
        b"anthropic-ratelimit-tokens-remaining": b"80",
        b"anthropic-ratelimit-tokens-reset": b"2027-01-01T00:00:31Z",
    }


def test_what_has_no_place_is_left_out() -> None:
    headers = shown(
        Dialect.GEMINI,
        standing(Limit.TOKENS_PER_DAY, 100, 10),
        standing(Limit.REQUESTS_PER_MINUTE, None, 10, soft=1),
        standing(Limit.PARALLEL, 1, 1),
    )
    assert headers[b"x-ratelimit-limit-tokens"] == b"100"
    assert b"x-ratelimit-limit-requests" not in headers


@table(
    ("seconds", "text"),
    [(0, b"0ms"), (-1, b"0ms"), (0.125, b"125ms"), (1, b"1s"), (59.5, b"1m0s"), (3600, b"1h0m0s")],
)
def test_a_span_is_written_as_openai_does(seconds: float, text: bytes) -> None:
    one = standing(Limit.TOKENS_PER_DAY, 1, 1, 0.0)
    headers = dict(limit_headers(Dialect.OPENAI, (one,), one.resets - seconds))
    assert headers[b"x-ratelimit-reset-tokens"] == text


@table(
    ("surface", "used"),
    [
        (Dialect.OPENAI, (3, 20)), (Dialect.ANTHROPIC, (3, 20)), (Dialect.GEMINI, (None, 20)),
        (Dialect.ANTHROPIC, (3, None)), (Dialect.OPENAI, (None, None)),
    ],
)  # fmt: skip
def test_a_template_makes_the_same_lines(
    surface: Dialect, used: tuple[int | None, int | None]
) -> None:
    requests, tokens = used
    standings = [
        standing(limit, 1000, count, pause)
        for limit, count, pause in (
            (Limit.REQUESTS_PER_MINUTE, requests, 60.0), (Limit.TOKENS_PER_DAY, tokens, 7261.5)
        )
        if count is not None
    ]  # fmt: skip
    template = limit_template(
        surface,
        None if requests is None else (1000, NEW_YEAR + 60),
        None if tokens is None else (1000, NEW_YEAR + 7261.5),
        NEW_YEAR,
    )
    left = tuple(float(1000 - one.used) for one in standings)
    lines = [b"%b: %b\r\n" % one for one in limit_headers(surface, standings, NEW_YEAR)]
    assert template % left == b"".join(lines)


def test_a_warning_names_the_limit() -> None:
    ((name, value),) = warning_headers([standing(Limit.TOKENS_PER_DAY, None, 12, soft=10)])
    assert (name, value) == (b"x-casedesk-limit-warning", b"tokens_per_day of key alice: 12 of 10")


@table(
    ("limit", "metric", "ident"),
    [
        (Limit.TOKENS_PER_DAY, "casedesk-proxy/tokens", "TokensPerDayPerKey"),
        (Limit.TOKENS_PER_MONTH, "casedesk-proxy/tokens", "TokensPerMonthPerKey"),
        (Limit.REQUESTS_PER_MINUTE, "casedesk-proxy/requests", "RequestsPerMinutePerKey"),
        (Limit.PARALLEL, "casedesk-proxy/requests", "ParallelRequestsPerKey"),
    ],
)
def test_google_names_quotas(limit: Limit, metric: str, ident: str) -> None:
    (violation,) = describe_failure(standing(limit, 5, 7), "why")["violations"]
    assert violation == {
        "subject": "key:alice",
        "description": "why",
        "quotaMetric": metric,
        "quotaId": ident,
        "quotaValue": "5",
    }
