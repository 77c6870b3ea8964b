"""What one model at one node does not support although its engine does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from casedesk_proxy.engines.profile import NO_EFFORT, Profile, Thinking
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.terms import Ability, Control

__all__ = ["UNRESTRICTED", "Restrictions", "fit_profile"]


@dataclass(frozen=True, slots=True)
class Restrictions:
    """What one model at one node does not support although its engine does.

    ``lacks``: abilities that are surely missing. ``unusable``: the controls of thinking that must
    not be sent. ``by_effort``: the other controls are sent as ``reasoning_effort`` only, with
    ``none`` for thinking off.
    """

    lacks: frozenset[Ability] = frozenset()
    unusable: frozenset[Control] = frozenset()
    by_effort: bool = False


UNRESTRICTED = Restrictions()


@lru_cache(maxsize=1024)
def fit_profile(engine: EngineSpec, restrictions: Restrictions) -> Profile:
    """What an engine supports with a model of these restrictions."""
    profile = engine.profile
    if restrictions == UNRESTRICTED:
        return profile
    unusable, route = restrictions.unusable, profile.messages
    thinks = Ability.THINKING not in restrictions.lacks
    route = replace(
        route,
        thinks=thinks,
        disables_thinking=thinks and route.disables_thinking and Control.OFF not in unusable,
        budgets=thinks and not restrictions.by_effort and Control.BUDGET not in unusable,
        effort=thinks and route.effort and Control.EFFORT not in unusable,
        levels=Control.LEVELS not in unusable,
    )
    thinking = _fit_thinking(profile.thinking, restrictions)
    return replace(profile, thinking=thinking, messages=route)


def _fit_thinking(thinking: Thinking, restrictions: Restrictions) -> Thinking:
    unusable = restrictions.unusable
    if Ability.THINKING in restrictions.lacks:
        # The model does not think, so there is nothing to switch off or to set.
        return replace(thinking, off={}, budget="", effort=False)
    if restrictions.by_effort:
        thinking = replace(thinking, off=NO_EFFORT, budget="", effort=True)
    return replace(
        thinking,
        off=None if Control.OFF in unusable else thinking.off,
        budget="" if Control.BUDGET in unusable else thinking.budget,
        effort=thinking.effort and Control.EFFORT not in unusable,
        levels=thinking.levels and Control.LEVELS not in unusable,
    )
