"""Models whose node runs them with a shorter context than they have, at nodes that cut longer
prompts without an error: logged once, and kept for the status page."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.terms import ModelInfo

__all__ = ["ContextAdvice", "advise"]

log = logging.getLogger(__name__)


class ContextAdvice:
    """``advice``: the sentences for each node. A sentence is logged only once."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str]] = set()
        self.advice: Mapping[str, Sequence[str]] = {}

    def look(self, node: str, engine: EngineSpec, models: Sequence[ModelInfo]) -> None:
        sentences = advise(engine, models)
        self.advice = {**self.advice, node: sentences}
        for sentence in sentences:
            if (node, sentence) not in self._said:
                self._said.add((node, sentence))
                log.warning("node %s: %s", node, sentence)


def advise(engine: EngineSpec, models: Sequence[ModelInfo]) -> list[str]:
    """The sentences about a node's models for its operator."""
    return engine.contexts.advise(models) if engine.contexts is not None else []
