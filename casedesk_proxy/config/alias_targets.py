"""Where a deployment's aliases point to, which the schema cannot know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from casedesk_proxy.config.findings import Finding
from casedesk_proxy.config.settings import Path
from casedesk_proxy.config.wording import nearest

__all__ = ["find_wrong_targets"]


def find_wrong_targets(name: str, deployment: dict[str, Any]) -> Iterator[Finding]:
    """Models that the deployment's own list leaves out, so that the alias never works, and names of
    other aliases."""
    listed, aliases = deployment.get("models"), deployment.get("aliases")
    if not isinstance(aliases, dict):
        return
    models = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    known = {_without_latest(one) for one in models}
    targets = {alias: _target(value) for alias, value in aliases.items()}
    for alias, model in targets.items():
        if model is None or _without_latest(model) in known:
            continue
        path: Path = ("deployments", name, "aliases", alias)
        # An alias to itself sets parameters of that model.
        further = targets.get(model)
        if further not in (None, model):
            message = "points to another alias, and aliases are not followed"
            yield Finding(path, message, "name the model itself", warns=True)
        elif isinstance(listed, list):
            meant = nearest(model, models)
            remedy = f"did you mean {meant}?" if meant else f"add {model} to models"
            message = "points to a model that is not among the deployment's models"
            yield Finding(path, message, remedy, warns=True)


def _target(alias: Any) -> str | None:
    model = alias.get("model") if isinstance(alias, dict) else alias
    return model if isinstance(model, str) else None


def _without_latest(model: str) -> str:
    return model.removesuffix(":latest")
