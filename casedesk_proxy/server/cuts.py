"""Prompts that a node has cut without an error: logged and counted."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from casedesk_proxy.engines.registry import AUTO, context_remedy
from casedesk_proxy.replying.heads import ANSWERED
from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.terms import ModelInfo
from casedesk_proxy.upstream.metadata import Metadata
from casedesk_proxy.usage.cut import cut_to

__all__ = ["Cuts"]

log = logging.getLogger(__name__)

_MAX_REPORTED_CUTS = 1000


class Cuts:
    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._said: set[tuple[str, str, int]] = set()
        #: By node and model, in tokens: to what prompts were last cut.
        self.seen: Mapping[tuple[str, str], int] = {}

    def judge(self, record: ExchangeRecord) -> int | None:
        """The tokens to which the prompt was cut, if it was."""
        usage = record.usage
        if not record.text_size or usage.prompt is None:
            return None
        if record.terminal is not Terminal.COMPLETED or record.status not in ANSWERED:
            return None
        model = self._model(record)
        found = self._metadata.nodes.get(record.node)
        limit = model.context_length if model is not None else None
        guess = found is not None and found.engine.contexts is not None
        size = cut_to(record.text_size, usage.prompt, limit, guess=guess)
        if size is not None:
            self._say(record, size, model)
        return size

    def _model(self, record: ExchangeRecord) -> ModelInfo | None:
        models = self._metadata.reported.get(record.node, ())
        return next((one for one in models if one.name == record.model), None)

    def _say(self, record: ExchangeRecord, limit: int, model: ModelInfo | None) -> None:
        place = record.node, record.model, limit
        if place in self._said or len(self._said) >= _MAX_REPORTED_CUTS:
            return
        self._said.add(place)
        self.seen = {**self.seen, (record.node, record.model): limit}
        found = self._metadata.nodes.get(record.node)
        trained = (model.trained_length if model is not None else None) or 0
        log.warning(
            "node %s cut a prompt for %s to %d tokens without an error (request %s, %d bytes), and "
            "answered only the rest; %s; each such request has cut_to in its line of the log",
            record.node, record.model, limit, record.request_id, record.received,
            context_remedy(found.engine if found is not None else AUTO, trained),
        )  # fmt: skip
