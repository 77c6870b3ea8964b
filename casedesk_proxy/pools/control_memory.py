"""What requests have shown about nodes' models: which controls of thinking they refuse or
accept."""

from __future__ import annotations

from collections.abc import Mapping

from casedesk_proxy.terms import Control

__all__ = ["ControlMemory"]

#: How many models are remembered. If a node lists none, clients choose the names.
_MAX_MODELS = 1000

Controls = frozenset[Control]


class ControlMemory:
    """By node and model. The mappings are replaced, never changed."""

    def __init__(self) -> None:
        self.refused: Mapping[tuple[str, str], Controls] = {}
        self.taken: Mapping[tuple[str, str], Controls] = {}

    def clear(self) -> None:
        """For a new configuration: nodes may have been restarted with other options."""
        self.refused, self.taken = {}, {}

    def record_refused(self, node: str, model: str, controls: Controls) -> Controls:
        """Those of ``controls`` that were not known as refused."""
        known = self.refused.get((node, model), frozenset())
        if news := controls - known:
            self.refused = _with(self.refused, (node, model), known | news)
        return news

    def record_taken(self, node: str, model: str, controls: Controls) -> None:
        known = self.taken.get((node, model), frozenset())
        if not controls <= known:
            self.taken = _with(self.taken, (node, model), known | controls)


def _with(
    known: Mapping[tuple[str, str], Controls], key: tuple[str, str], controls: Controls
) -> Mapping[tuple[str, str], Controls]:
    grown = {**known, key: controls}
    if len(grown) > _MAX_MODELS:
        del grown[next(iter(grown))]
    return grown
