"""What one model at one node supports: as configured, else as its node reports and refuses."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from casedesk_proxy.catalog.index import by_name
from casedesk_proxy.engines.restrictions import Restrictions
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.terms import Ability, Control, ModelInfo

__all__ = ["find_model", "find_restrictions", "thinking_mode"]

_NO_CONTROLS = frozenset(Control)


def find_restrictions(inputs: PlanInputs, model: str, node: NodeSpec) -> Restrictions:
    """``model``: the node's own name."""
    info = find_model(inputs.reported, node, model)
    lacks = info.lacks if info is not None else frozenset()
    mode = thinking_mode(node, model)
    if mode == "auto":
        ignored = info.ignores if info is not None else frozenset()
        learnt = inputs.refused.get((node.name, model), frozenset())
        return Restrictions(lacks, ignored | learnt | inputs.without)
    # The operator's setting has priority over the node's report.
    lacks -= {Ability.THINKING}
    if mode == "none":
        return Restrictions(lacks, _NO_CONTROLS)
    return Restrictions(lacks, by_effort=mode == "effort")


def thinking_mode(node: NodeSpec, model: str) -> str:
    """``auto`` if the configuration does not mention the model."""
    modes = node.config.thinking
    if not modes:
        return "auto"
    fitting = (mode for pattern, mode in modes.items() if fnmatchcase(model, pattern))
    return modes.get(model) or next(fitting, "auto")


def find_model(
    reported: Mapping[str, tuple[ModelInfo, ...]], node: NodeSpec, model: str
) -> ModelInfo | None:
    """What the node reports about it."""
    return by_name(reported.get(node.name, ())).get(model)
