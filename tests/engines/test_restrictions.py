from __future__ import annotations

import pytest

from casedesk_proxy.engines.registry import ENGINES
from casedesk_proxy.engines.restrictions import UNRESTRICTED, Restrictions, fit_profile
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.terms import Ability, Control

ALL = pytest.mark.parametrize("engine", ENGINES.values(), ids=str)


@ALL
def test_without_limits_an_engine_is_what_it_is(engine: EngineSpec) -> None:
    assert fit_profile(engine, UNRESTRICTED) is engine.profile


@ALL
def test_by_effort_alone(engine: EngineSpec) -> None:
    profile = fit_profile(engine, Restrictions(by_effort=True))
    thinking = profile.thinking
    assert (thinking.off, thinking.budget, thinking.effort) == (
        {"reasoning_effort": "none"}, "", True,
    )  # fmt: skip
    assert not profile.messages.budgets


@ALL
def test_a_model_that_cannot_think_is_asked_for_nothing(engine: EngineSpec) -> None:
    profile = fit_profile(engine, Restrictions(lacks=frozenset({Ability.THINKING})))
    assert (profile.thinking.off, profile.thinking.budget, profile.thinking.effort) == (
        {}, "", False,
    )  # fmt: skip
    route = profile.messages
    assert not any((route.thinks, route.disables_thinking, route.budgets, route.effort))


@ALL
def test_no_control_is_sent_that_the_model_is_deaf_to(engine: EngineSpec) -> None:
    profile = fit_profile(engine, Restrictions(unusable=frozenset(Control)))
    thinking, route = profile.thinking, profile.messages
    assert (thinking.off, thinking.budget, thinking.effort, thinking.levels) == (
        None, "", False, False,
    )  # fmt: skip
    assert not any((route.disables_thinking, route.budgets, route.effort, route.levels))
    assert route.thinks
