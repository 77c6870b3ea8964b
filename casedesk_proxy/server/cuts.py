"""Prompts that a node has cut without an error: named in the log, and counted."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from casedesk_proxy.engines.registry import AUTO, context_remedy
from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.terms import ModelInfo
from casedesk_proxy.upstream.metadata import Metadata
from casedesk_proxy.usage.cut import MEDIA, MIN_LOOKED_AT_BYTES, cut_to

__all__ = ["Cuts", "text_size"]

log = logging.getLogger(__name__)

_MAX_REPORTED_CUTS = 1000
#: What a request holds beside its text, and the node does not count: signatures of thinking.
_SIGNATURE = re.compile(rb'ignature"\s{0,8}:\s{0,8}"([A-Za-z0-9+/=_-]{200,}+)"')
#: Bytes of a character that is escaped, more than it has as it is: most languages but English are
#: written so by some libraries.
_ESCAPE_BYTES = 4
#: Bytes; more than any usual context holds as text. 30 MB took 60 ms of the loop.
_MAX_TEXT_BYTES = 2 * 2**20


def text_size(raw: bytes) -> int:
    """Bytes of text of a request that is worth a look and holds nothing but text, else 0. Of
    megabytes, which are looked through in no time that streams could wait, it says nothing."""
    if not MIN_LOOKED_AT_BYTES <= len(raw) <= _MAX_TEXT_BYTES or any(mark in raw for mark in MEDIA):
        return 0
    size = len(raw) - _ESCAPE_BYTES * raw.count(b"\\u")
    if b'ignature"' in raw:
        size -= sum(map(len, _SIGNATURE.findall(raw)))
    return size if size >= MIN_LOOKED_AT_BYTES else 0


class Cuts:
    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._said: set[tuple[str, str, int]] = set()
        #: By node and model, in tokens: what prompts were last cut to.
        self.seen: Mapping[tuple[str, str], int] = {}

    def judge(self, outcome: ExchangeRecord) -> int | None:
        """The tokens to which the prompt was cut, if it was."""
        usage = outcome.usage
        if not outcome.text_size or usage.prompt is None:
            return None
        if outcome.terminal is not Terminal.COMPLETED or outcome.status != 200:
            return None
        model = self._model(outcome)
        found = self._metadata.nodes.get(outcome.node)
        limit = model.context_length if model is not None else None
        guess = found is not None and found.engine.contexts is not None
        # Anthropic's counts leave out what came from a cache.
        for counted in (usage.prompt, usage.prompt + (usage.cached or 0)):
            size = cut_to(outcome.text_size, counted, limit, guess=guess)
            if size is not None:
                self._say(outcome, size, model)
                return size
        return None

    def _model(self, outcome: ExchangeRecord) -> ModelInfo | None:
        models = self._metadata.reported.get(outcome.node, ())
        return next((one for one in models if one.name == outcome.model), None)

    def _say(self, outcome: ExchangeRecord, limit: int, model: ModelInfo | None) -> None:
        place = outcome.node, outcome.model, limit
        if place in self._said or len(self._said) >= _MAX_REPORTED_CUTS:
            return
        self._said.add(place)
        self.seen = {**self.seen, (outcome.node, outcome.model): limit}
        found = self._metadata.nodes.get(outcome.node)
        trained = (model.trained_length if model is not None else None) or 0
        log.warning(
            "node %s cut a prompt for %s to %d tokens without an error (request %s, %d bytes), and "
            "answered only the rest; %s; each such request has cut_to in its line of the log",
            outcome.node, outcome.model, limit, outcome.request_id, outcome.received,
            context_remedy(found.engine if found is not None else AUTO, trained),
        )  # fmt: skip
