"""Contexts that are shorter than their models: what Ollama cuts prompts to, without an error.

It runs a model with 2048 or 4096 tokens unless it is told otherwise, and tells so only of models
that are loaded, older releases of none.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from casedesk_proxy.terms import Engine, ModelInfo

__all__ = ["ENOUGH", "Warnings", "advise", "remedy"]

log = logging.getLogger(__name__)

#: Tokens: room for the first prompt of an agent and what it reads.
ENOUGH = 32768
_MOST_NAMED = 10


def advise(models: Iterable[ModelInfo]) -> list[str]:
    """A sentence for each of an Ollama's models that runs with less than it could, and one for
    all of which that is not known."""
    told, unknown = [], []
    for model in models:
        trained = model.trained_length or 0
        if model.embeds or not trained:
            continue
        if model.context_length is None:
            unknown.append(model)
        elif model.context_length < min(trained, ENOUGH):
            told.append(
                f"{model.name} runs with a context of {model.context_length} tokens of the "
                f"{trained} that it was trained with: longer prompts are cut without an error; "
                f"{remedy(trained)}"
            )
    if unknown:
        names = ", ".join(model.name for model in unknown[:_MOST_NAMED])
        more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        longest = max(model.trained_length or 0 for model in unknown)
        told.append(
            f"the context that {names}{more} will run with is not known; Ollama's default can be "
            f"2048 or 4096 tokens, and longer prompts are cut without an error; {remedy(longest)}"
        )
    return told


def remedy(trained: int) -> str:
    return (
        f"start Ollama with OLLAMA_CONTEXT_LENGTH={min(trained, ENOUGH) or ENOUGH}, or set num_ctx "
        "in the model's Modelfile"
    )


class Warnings:
    """``advice``: what there is to say of each node. What has been said is not said again."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str]] = set()
        self.advice: Mapping[str, Sequence[str]] = {}

    def look(self, node: str, engine: Engine, models: Sequence[ModelInfo]) -> None:
        sentences = advise(models) if engine is Engine.OLLAMA else []
        self.advice = {**self.advice, node: sentences}
        for sentence in sentences:
            if (node, sentence) not in self._said:
                self._said.add((node, sentence))
                log.warning("node %s: %s", node, sentence)
