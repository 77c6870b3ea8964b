"""usage/tap: a recorded vLLM answer passes piece by piece; then its counts are found."""

from __future__ import annotations

from bench.micro.recorded import read_reply
from bench.micro.work import Case, Work
from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.usage.tap import Tap

_RECORDED = "vllm-0.32.0.chat-stream-usage"


def _fill(tap: Tap) -> Tap:
    for one in read_reply(_RECORDED).payloads:
        tap.take(one)
    return tap


def _prepare_take() -> Work:
    payloads = read_reply(_RECORDED).payloads

    def run(tap: Tap) -> Tap:
        take = tap.take
        for one in payloads:
            take(one)
        return tap

    def check(tap: Tap) -> None:
        assert tap.first == payloads[0]
        assert tap.last.endswith(b"".join(payloads[-3:]))

    return Work(run, check, len(payloads), Tap)


def _prepare_usage() -> Work:
    def check(usage: Usage) -> None:
        assert (usage.prompt, usage.output) == (12, 21)

    return Work(lambda tap: tap.usage(Dialect.OPENAI), check, make=lambda: _fill(Tap()))


CASES = (
    Case("usage/tap", "piece taken", _prepare_take),
    Case("usage/tap usage", "counts found at the end", _prepare_usage),
)
