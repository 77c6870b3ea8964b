"""A spec is one engine: compared by identity, and written as its name."""

from __future__ import annotations

from casedesk_proxy.engines.registry import ENGINES
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.terms import Dialect


def test_a_spec_is_written_as_its_name() -> None:
    spec = EngineSpec("mine", "My engine", (Dialect.OPENAI,))
    assert (str(spec), repr(spec), f"{spec}") == ("mine", "<engine mine>", "mine")


def test_two_specs_are_two_engines_whatever_they_say() -> None:
    one, two = (EngineSpec("mine", "My engine", (Dialect.OPENAI,)) for _ in range(2))
    assert one != two
    assert len({one, two}) == 2


def test_an_engine_that_is_never_probed_is_metered() -> None:
    assert {one.name for one in ENGINES.values() if one.is_metered} == {"anthropic", "gemini"}
