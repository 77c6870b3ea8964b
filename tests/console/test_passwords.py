"""Hashes of passwords."""

from __future__ import annotations

import asyncio

from casedesk_proxy.config.console import is_password_hash
from casedesk_proxy.console.passwords import Checker, hash_password, is_right
from tests.fixtures.table import table


def test_the_right_one_is_right_and_each_hash_its_own() -> None:
    first, second = hash_password("pässword"), hash_password("pässword", log2_n=4)
    assert first != second
    assert is_password_hash(first)
    assert first.startswith("scrypt:15:8:3:")
    assert is_right("pässword", second)
    assert not is_right("password", second)


@table(
    "stored",
    ["", "x", "scrypt:99:8:3:aaaa:bbbb", "scrypt:15:99999:3:aaaa:bbbb", "scrypt:a:8:3:aaaa:bbbb",
     "scrypt:0:8:1:aaaa:bbbb"],
)  # fmt: skip
def test_what_is_no_hash_is_nobody_s(stored: str) -> None:
    assert not is_right("p", stored)


async def test_one_at_a_time_and_nobody_s_takes_as_long() -> None:
    checker, stored = Checker(log2_n=4), hash_password("p", log2_n=4)
    checks = [checker.check("p", stored), checker.check("q", stored), checker.check("p", None)]
    assert await asyncio.gather(*checks) == [True, False, False]


async def test_it_is_busy_while_many_wait() -> None:
    checker = Checker(log2_n=11)  # Milliseconds each, so that none is done after one round.
    checks = [asyncio.ensure_future(checker.check("p", None)) for _ in range(16)]
    await asyncio.sleep(0)
    assert checker.is_busy
    await asyncio.gather(*checks)
    assert not checker.is_busy
