"""surfaces/paths: targets that SDKs sent, on all three surfaces, become calls."""

from __future__ import annotations

from bench.micro.cases.http1 import SDKS
from bench.micro.recorded import read_requests
from bench.micro.work import Case, Work
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.terms import Action, Call, Dialect

_WANTED = [
    (Dialect.OPENAI, Action.CHAT, None),
    (Dialect.ANTHROPIC, Action.MESSAGES, None),
    (Dialect.GEMINI, Action.STREAM_GENERATE, "gemma2:9b"),
    (Dialect.OPENAI, Action.CHAT, None),
]


def _prepare() -> Work:
    asked = [(one.method, one.target, one.headers) for one in read_requests(*SDKS)]

    def run(_: None) -> list[Call]:
        return [read_call(*one) for one in asked]

    def check(calls: list[Call]) -> None:
        assert [(one.surface, one.action, one.model) for one in calls] == _WANTED

    return Work(run, check, len(asked))


CASES = (Case("surfaces/paths", "target of an SDK's request", _prepare),)
