"""One candidate of a Gemini reply while it grows."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.reply import ReplyChoice

__all__ = ["Candidate"]


class Candidate(ReplyChoice):
    """The held parts of a candidate, and its place in the JSON."""

    __slots__ = ("held", "logs", "parts", "suffix", "token_count", "token_sum")

    def __init__(self, index: int) -> None:
        super().__init__(index)
        #: Text that waits for the finish reason, with its log probabilities.
        self.held: tuple[str, list[dict[str, Any]]] | None = None
        #: Log probabilities that wait for a chunk, and their sum.
        self.logs: list[dict[str, Any]] = []
        self.token_sum = 0.0
        self.token_count = 0
        #: Collected (is a thought, pieces), in order.
        self.parts: list[tuple[bool, list[str]]] = []
        #: The bytes that close a chunk after the text of its only part.
        self.suffix = b""
