"""A node with Google's API and unknown software."""

from __future__ import annotations

from casedesk_proxy.engines.gemini import SPEC
from casedesk_proxy.engines.registry import find_engine, usual_ports
from casedesk_proxy.terms import Dialect


def test_it_speaks_its_own_protocol_alone() -> None:
    assert find_engine("gemini") is SPEC
    assert SPEC.speaks == (Dialect.GEMINI,)


def test_it_is_asked_nothing() -> None:
    """Each request to the vendor may cost something."""
    assert SPEC.probe is None
    assert SPEC.fingerprint is None
    assert all(SPEC not in engines for engines in usual_ports().values())
