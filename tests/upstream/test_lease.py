"""A lease is ended once: the connection is kept or closed, the slot is returned in any case."""

from __future__ import annotations

from typing import Any, cast

import pytest

from casedesk_proxy.pools.circuit_breaker import NodeFault
from casedesk_proxy.upstream.lease import Lease


class Recorder:
    """Stands in for the connection, its pool, the slot and the slots; ``calls`` in their order."""

    acks = None

    def __init__(self, *, failing: str = "") -> None:
        self.calls: list[str] = []
        self.failing = failing
        self.taken = True
        self.state = self

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call == self.failing:
            raise OSError(call)

    def abort(self) -> None:
        self._note("abort")

    def give_back(self, connection: object, keep_alive: bool) -> None:
        self._note(f"give back {keep_alive}")

    def begin_stream(self, stream: object) -> None:
        self._note("begin stream")

    def end_stream(self, stream: object) -> None:
        self._note("end stream")

    def record_failure(self, state: object, fault: NodeFault, error: str) -> None:
        self._note(f"failure {fault}")

    def record_whole_reply(self, state: object) -> None:
        self._note("whole reply")

    def release(self, slot: object) -> None:
        self.taken = False
        self._note("release")


def lease(recorder: Recorder) -> Lease:
    one = cast(Any, recorder)
    return Lease(one, one, True, one, one, one)


@pytest.mark.parametrize(
    ("ending", "calls"),
    [
        ({"clean": True, "whole": True}, ["give back True", "whole reply", "release"]),
        ({"clean": True}, ["give back True", "release"]),
        ({"clean": False}, ["abort", "release"]),
        (
            {"clean": False, "whole": True, "fault": NodeFault.BROKE},
            ["abort", f"failure {NodeFault.BROKE}", "release"],
        ),
    ],
)
def test_endings(ending: dict[str, Any], calls: list[str]) -> None:
    recorder = Recorder()
    one = lease(recorder)
    one.end(**ending)
    one.end(**ending)
    one.abandon()
    assert recorder.calls == calls


def test_a_stream_ends_with_its_lease() -> None:
    recorder = Recorder()
    one = lease(recorder)
    one.begin(cast(Any, recorder))
    one.end(clean=True)
    assert recorder.calls == ["begin stream", "end stream", "give back True", "release"]


@pytest.mark.parametrize(
    ("failing", "calls"),
    [
        ("give back True", ["give back True", "abort", "release"]),
        ("whole reply", ["give back True", "whole reply", "release"]),
    ],
)
def test_the_slot_is_returned_whatever_fails(failing: str, calls: list[str]) -> None:
    recorder = Recorder(failing=failing)
    with pytest.raises(OSError, match=failing):
        lease(recorder).end(clean=True, whole=True)
    assert recorder.calls == calls
