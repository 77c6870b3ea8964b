"""Translates an embeddings reply of a node that speaks OpenAI to Gemini's."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.body_translator import LateReply
from casedesk_proxy.dialects.openai.chunks import read_usage
from casedesk_proxy.dialects.openai.vectors import VectorReader
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.terms import Dialect

__all__ = ["EmbeddingTranslator"]

#: Longer replies are not joined: they are sent vector by vector.
_JOINED_BYTES = 64 * 1024


class EmbeddingTranslator(LateReply):
    """See ``contract.Translator``. ``wanted``: how many texts a batch had, None for a single
    content."""

    __slots__ = ("_vectors", "_wanted")

    def __init__(self, asked: str, wanted: int | None) -> None:
        super().__init__(Dialect.GEMINI, asked)
        self._wanted = wanted
        # The comma ends the previous vector.
        self._vectors = VectorReader(b',{"values":', b"}")

    def feed(self, data: bytes) -> bytes:
        self._vectors.feed(data)
        return b""

    def finish(self) -> bytes | tuple[bytes, ...]:
        document = self._vectors.finish()
        counts = document.get("usage")
        if isinstance(counts, dict):
            self.usage = read_usage(counts)
        wanted = 1 if self._wanted is None else self._wanted
        first, *others = [self._vectors.text(one) for one in _in_order(document, wanted)]
        if self._wanted is None:
            begin, end = b'{"embedding":', b"}"
        else:
            begin, end = b'{"embeddings":[', b"]}"
        pieces = (begin, first[1:], *others, end)
        self.complete = True
        return b"".join(pieces) if sum(map(len, pieces)) <= _JOINED_BYTES else pieces


def _in_order(document: dict[str, Any], wanted: int) -> list[Any]:
    """The vectors in the order of the request, which the node's reply does not guarantee."""
    data = document.get("data")
    entries = [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
    placed = {_place(entry, at): entry for at, entry in enumerate(entries)}
    if len(entries) != wanted or placed.keys() != set(range(wanted)):
        raise StreamBroken("did not return one vector for each text")
    return [placed[at].get("embedding") for at in range(wanted)]


def _place(entry: dict[str, Any], at: int) -> int:
    index = entry.get("index", at)
    return index if type(index) is int else -1
