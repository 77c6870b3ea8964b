"""How long it is until the next try."""

from __future__ import annotations

from casedesk_proxy.console.attempts import SignInAttempts


def test_people_mistype_and_guessers_wait() -> None:
    attempts = SignInAttempts()
    waits = []
    for _ in range(12):
        waits.append(attempts.wait_s(["a", "n"], 0.0))
        attempts.fail(["a", "n"], 0.0)
    assert waits == [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_it_counts_by_address_and_by_name() -> None:
    attempts = SignInAttempts()
    for number in range(3):
        attempts.fail([f"address {number}", "name"], 0.0)
    assert attempts.wait_s(["another address", "name"], 0.0) == 1.0
    assert attempts.wait_s(["address 0", "another name"], 0.0) == 0.0


def test_time_passes_and_success_clears() -> None:
    attempts = SignInAttempts()
    for _ in range(4):
        attempts.fail(["a"], 0.0)
    assert attempts.wait_s(["a"], 1.5) == 0.5
    assert attempts.wait_s(["a"], 901.0) == 0.0
    attempts.fail(["a"], 2000.0)
    assert attempts.wait_s(["a"], 2000.0) == 0.0
    for _ in range(4):
        attempts.fail(["a"], 2000.0)
    attempts.succeed(["a"])
    assert attempts.wait_s(["a"], 2000.0) == 0.0


def test_what_is_remembered_is_bounded_and_the_oldest_goes() -> None:
    attempts = SignInAttempts()
    for _ in range(3):
        attempts.fail(["first"], 0.0)
    attempts.fail([f"n{number}" for number in range(10_000)], 0.0)
    assert attempts.wait_s(["first"], 0.0) == 0.0
