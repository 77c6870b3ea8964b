"""auth: the credential of recorded requests of four SDKs is found; a key is matched among 100."""

from __future__ import annotations

from hashlib import sha256

from bench.micro.cases.http1 import SDKS
from bench.micro.recorded import read_requests
from bench.micro.work import Case, Work
from casedesk_proxy.auth.credentials import find_credential
from casedesk_proxy.auth.keys import KeyTable
from casedesk_proxy.terms import Principal

_KEYS = 100


def _prepare_find() -> Work:
    asked = [(one.headers, one.target.partition("?")[2]) for one in read_requests(*SDKS)]

    def run(_: None) -> list[str | None]:
        return [find_credential(*one) for one in asked]

    def check(found: list[str | None]) -> None:
        assert found == ["not-needed", "not-needed", "test-key", "not-needed"]

    return Work(run, check, len(asked))


def _prepare_match() -> Work:
    keys = [f"cdp-{number:032}" for number in range(_KEYS)]
    table = KeyTable(
        (sha256(key.encode()).hexdigest(), Principal(f"t{number}", frozenset({"desk"})))
        for number, key in enumerate(keys)
    )
    guesses = [*keys[::25], "not-a-key"]

    def run(_: None) -> list[Principal | None]:
        return [table.match(guess) for guess in guesses]

    def check(found: list[Principal | None]) -> None:
        assert [one and one.name for one in found] == ["t0", "t25", "t50", "t75", None]

    return Work(run, check, len(guesses))


CASES = (
    Case("auth/credentials", "credential found", _prepare_find),
    Case("auth/keys", "key matched", _prepare_match),
)
