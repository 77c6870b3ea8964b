"""chaos.py from the command line, and that it finds the faults it searches for."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, cast

from bench.chaos import Client, Left, Proxy, Samples, Tally, faults, request, said
from casedesk_proxy.simulator.script import Script
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.table import table

SCRIPT = Path(__file__).parent.parent.parent / "bench" / "chaos.py"
SCRIPTS = {"m": Script(words=3)}
WHOLE = b'data: {"choices":[{"delta":{"content":"1 2"}}]}\n\ndata: {"delta":{"text":" 3"}}\n\n'


def test_a_little_chaos_leaves_nothing_behind() -> None:
    words = ("-n", "10", "-t", "3", "--nodes", "2", "--seed", "5")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words], capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 5: nothing leaked, nobody lied" in done.stdout
    assert "file descriptors at rest" in done.stdout


def judged(reply: tuple[int, bytes, bool]) -> Tally:
    tally = Tally()
    Client(0, SCRIPTS, Random(1), tally)._judge(reply, "openai", "m")
    return tally


@table(
    ("reply", "seen"),
    [
        ((200, WHOLE, True), "whole"),
        ((200, WHOLE[:40], False), "cut"),
        ((200, b'data: {"error":{}}', True), "told of an error"),
        ((503, b"", True), "refused with 503"),
        ((200, b"<html>", True), "no JSON, as every client notices"),
        ((200, b'{"choices":[{"mess', True), "no JSON, as every client notices"),
    ],
)
def test_what_clients_see_is_counted(reply: tuple[int, bytes, bool], seen: str) -> None:
    assert judged(reply) == Tally(Counter({seen: 1}), [])


@table("body", [b"{}", WHOLE[:48], WHOLE + WHOLE])
def test_a_proper_end_without_the_whole_answer_is_a_lie(body: bytes) -> None:
    assert judged((200, body, True)).lies


def test_texts_are_joined() -> None:
    assert said("openai", WHOLE) == b"1 2 3"


def test_requests_are_what_the_surfaces_want() -> None:
    assert b"POST /v1beta/models/m:generateContent HTTP" in request("gemini", "m", stream=False)
    assert b'"stream": true' in request("anthropic", "m", stream=True)


def left(**more: Any) -> Left:
    status = {"exchanges": {"queued": 0}, "waiting": {"d": 0}, "nodes": {"a": {"in_flight": 0}}}
    return Left(descriptors=10, memory=1000, status={**status, **more})


def test_whatever_is_left_over_is_a_fault() -> None:
    fine, ends = Tally(Counter(whole=1)), Counter(completed=1)
    assert faults(left(), left(), ends, fine) == []
    assert faults(left(), left(), Counter(failed=1), fine)
    assert faults(left(), left(), Counter(no_such_state=1), fine)
    assert faults(left(), left(exchanges={"queued": 1}), ends, fine)
    assert faults(left(), left(waiting={"d": 1}), ends, fine)
    assert faults(left(), left(nodes={"a": {"in_flight": 1}}), ends, fine)
    assert faults(left(), Left(11, 1000, left().status), ends, fine)
    assert faults(left(), Left(10, 100_000, left().status), ends, fine)
    assert faults(left(), left(), ends, Tally())
    assert faults(left(), left(), ends, Tally(Counter(whole=1), ["x"]))


class Grows:
    """A process whose memory grows by a plan."""

    def __init__(self, *memory: int) -> None:
        self._memory = iter(memory)

    def memory(self) -> int:
        return next(self._memory)

    def descriptors(self) -> int:
        return 9


def test_memory_that_grows_while_it_runs_is_a_fault() -> None:
    fine, ends = Tally(Counter(whole=1)), Counter(completed=1)
    flat, growing = [9000] * 4 + [50_000] * 16, [1000 * number for number in range(200)]
    for memory, faulty in ((flat, False), (growing, True)):
        samples = Samples(cast(Proxy, Grows(*memory)), 200.0)
        for second in range(len(memory)):
            samples.look(second)
        assert bool(faults(left(), left(), ends, fine, samples.growth())) is faulty
    assert samples.parts()[0] == (0, 9500, 19_000, 9)
