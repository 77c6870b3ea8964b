"""What one model at one node does not support although its engine does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from casedesk_proxy.engines.profile import NO_EFFORT, Profile, Thinking
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.terms import Ability, Control

__all__ = ["ANYTHING", "Limits", "fit_profile"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one model at one node does not support although its engine does.

    ``lacks``: abilities that are surely missing. ``deaf``: the controls of thinking that must not
    be sent. ``by_effort``: the other controls are sent as ``reasoning_effort`` only, with ``none``
    for thinking off.
    """

    lacks: frozenset[Ability] = frozenset()
    deaf: frozenset[Control] = frozenset()
    by_effort: bool = False


ANYTHING = Limits()


@lru_cache(maxsize=1024)
def fit_profile(engine: EngineSpec, limits: Limits) -> Profile:
    """The abilities that an engine has with a model of these limits."""
    profile = engine.profile
    if limits == ANYTHING:
        return profile
    thinking, route = _fit_thinking(profile.thinking, limits), profile.messages
    thinks = Ability.THINKING not in limits.lacks
    route = replace(
        route,
        thinks=thinks,
        disables_thinking=thinks and route.disables_thinking and Control.OFF not in limits.deaf,
        budgets=thinks and not limits.by_effort and Control.BUDGET not in limits.deaf,
        effort=thinks and route.effort and Control.EFFORT not in limits.deaf,
        levels=Control.LEVELS not in limits.deaf,
    )
    return replace(profile, thinking=thinking, messages=route)


def _fit_thinking(thinking: Thinking, limits: Limits) -> Thinking:
    if Ability.THINKING in limits.lacks:
        # The model does not think, so there is nothing to switch off or to set.
        return replace(thinking, off={}, budget="", effort=False)
    if limits.by_effort:
        thinking = replace(thinking, off=NO_EFFORT, budget="", effort=True)
    return replace(
        thinking,
        off=None if Control.OFF in limits.deaf else thinking.off,
        budget="" if Control.BUDGET in limits.deaf else thinking.budget,
        effort=thinking.effort and Control.EFFORT not in limits.deaf,
        levels=thinking.levels and Control.LEVELS not in limits.deaf,
    )
