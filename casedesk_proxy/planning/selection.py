"""Which nodes may get a request at all, and which get it unchanged: by what it needs, and what
engines lose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

from casedesk_proxy.dialects.core.native import find_parts
from casedesk_proxy.dialects.core.needs import find_needs, refuse_needs
from casedesk_proxy.dialects.core.thinking import messages_controls
from casedesk_proxy.dialects.responses.names import are_flattenable
from casedesk_proxy.engines.parts import Part
from casedesk_proxy.engines.registry import AUTO
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.planning.responders import choose_responders
from casedesk_proxy.planning.restrictions import find_model, find_restrictions, thinking_mode
from casedesk_proxy.planning.route import ModelPlacement, PlanInputs
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.terms import Ability, Action, Control, Dialect, record

__all__ = ["Native", "choose_natives", "is_plain", "keep_able"]

_ABOUT_THINKING = frozenset({Part.THINKING_OFF, Part.BUDGET, Part.EFFORT})


@record
class Native:
    """``nodes`` get the request unchanged. Those in ``unsure`` lose nothing, but may refuse a part
    of it. ``lost``: what the others, of ``engine``, would lose, with the places."""

    nodes: tuple[NodeSpec, ...]
    unsure: tuple[NodeSpec, ...] = ()
    lost: Mapping[Part, str] = field(default_factory=dict)
    engine: EngineSpec = AUTO


def is_plain(inputs: PlanInputs, natives: tuple[NodeSpec, ...]) -> bool:
    """Whether these nodes get every request unchanged, whatever it contains."""
    if inputs.call.surface is Dialect.RESPONSES:
        return False
    return inputs.call.surface is not Dialect.ANTHROPIC or not any(
        node.engine.profile.messages.loses or node.config.thinking for node in natives
    )


def keep_able(
    inputs: PlanInputs, body: Mapping[str, Any], placement: ModelPlacement
) -> ModelPlacement:
    """The placement without nodes that report that their model does not support what the request
    needs. Raises Unsupported if none is left."""
    if not any(placement.lacks.values()):
        return placement
    surface = inputs.call.surface
    needs = find_needs(surface, inputs.call.action, body)
    lacks, holders = placement.lacks, placement.holders
    able = tuple(node for node in holders if lacks.get(node.name, frozenset()).isdisjoint(needs))
    if len(able) == len(holders):
        return placement
    if not able:
        refuse_needs(surface, needs, lacks[holders[0].name], placement.resolved.asked)
    natives = tuple(node for node in able if node in placement.natives)
    return replace(placement, holders=able, natives=natives)


def choose_natives(
    inputs: PlanInputs, body: Mapping[str, Any], placement: ModelPlacement
) -> Native:
    """Of the nodes that speak the client's protocol, those that lose nothing of it."""
    if inputs.call.surface is Dialect.RESPONSES and not are_flattenable(body):
        # Only a translated request is searched for what else a namespace may contain.
        return Native(())
    if inputs.call.surface is Dialect.RESPONSES:
        return Native(choose_responders(inputs, body, placement))
    if inputs.call.surface is not Dialect.ANTHROPIC:
        return Native(placement.natives)
    parts = find_parts(inputs.call.action, body)
    if not parts:
        return Native(placement.natives)
    kept, unsure, losers = [], [], []
    model = placement.resolved.model
    for node in placement.natives:
        if lost := _lost(inputs, parts, model, node):
            losers.append((lost, node.engine))
        elif _is_unproven(inputs, body, model, node):
            unsure.append(node)
        else:
            kept.append(node)
    return Native(tuple(kept), tuple(unsure), *(losers[0] if losers else ()))


def _lost(
    inputs: PlanInputs, parts: Mapping[Part, str], name: str, node: NodeSpec
) -> dict[Part, str]:
    route = node.engine.profile.messages
    lost = route.lost_parts(node.version)
    found = {part: path for part, path in parts.items() if part in lost}
    if found.keys().isdisjoint(_ABOUT_THINKING):
        return found
    model = find_model(inputs.reported, node, name)
    if model is not None and Ability.THINKING in model.lacks:
        return {part: path for part, path in found.items() if part not in _ABOUT_THINKING}
    if route.effort_by_template and (model is None or Control.EFFORT not in model.heeds):
        # No template reads it.
        found.pop(Part.EFFORT, None)
    return found


def _is_unproven(inputs: PlanInputs, body: Mapping[str, Any], model: str, node: NodeSpec) -> bool:
    """Whether a control of thinking must, or may have to, be left out for this node: its refusals
    are learnt from translated requests."""
    if inputs.call.action is not Action.MESSAGES or Dialect.OPENAI not in node.speaks:
        return False
    controls, where = messages_controls(body).keys(), (node.name, model)
    mode = thinking_mode(node, model)
    if not controls or mode == "all":
        return False
    if mode != "auto" or controls & inputs.refused.get(where, frozenset()):
        return True
    may_refuse = node.engine.profile.messages.may_refuse
    if not may_refuse:
        return False
    if controls & find_restrictions(inputs, model, node).unusable:
        return True
    return not controls & may_refuse <= inputs.taken.get(where, frozenset())
