"""Whether a node has cut a prompt: it counts few tokens for many bytes, exactly as many as fit."""

from __future__ import annotations

import re

__all__ = ["MAX_TEXT_BYTES", "MIN_LOOKED_AT_BYTES", "cut_to", "text_size"]

#: A request with fewer bytes is not checked: less than any usual context holds.
MIN_LOOKED_AT_BYTES = 8 * 2048
#: Marks of parts of a request that are not text. Inside a text the quotes would be escaped.
_MEDIA = (
    *(b'"base64"', b'"inlineData"', b'"inline_data"', b'"image_url"', b'"input_audio"'),
    *(b'"file_data"', b'"video_url"', b'"audio_url"', b'"input_video"', b'"redacted_thinking"'),
)

#: Parts of a request that the node does not count as its text: signatures of thinking.
_SIGNATURE = re.compile(rb'ignature"\s{0,8}:\s{0,8}"([A-Za-z0-9+/=_-]{200,}+)"')
#: How many more bytes an escaped character has; some libraries escape most languages other than
#: English.
_ESCAPE_BYTES = 4
#: Bytes; more text than any usual context holds. Checking 30 MB took 60 ms of the loop.
MAX_TEXT_BYTES = 2 * 2**20
#: More bytes than a token has in any language or code, with the JSON around it.
_BYTES_PER_TOKEN = 8
#: The same for a prompt whose count is exactly at the limit, which rarely happens by chance.
_AT_LIMIT_BYTES_PER_TOKEN = 6
#: Contexts that engines run with by default.
_USUAL = tuple(1024 * 2**power for power in range(1, 9))


def text_size(raw: bytes) -> int:
    """The bytes of text in a request that holds only text and is worth checking, else 0. Also 0 for
    a request of megabytes, since checking it would delay streams."""
    if not MIN_LOOKED_AT_BYTES <= len(raw) <= MAX_TEXT_BYTES or any(mark in raw for mark in _MEDIA):
        return 0
    size = len(raw) - _ESCAPE_BYTES * raw.count(b"\\u")
    if b'ignature"' in raw:
        size -= sum(map(len, _SIGNATURE.findall(raw)))
    return size if size >= MIN_LOOKED_AT_BYTES else 0


def cut_to(size: int, counted: int, limit: int | None, *, guess: bool = False) -> int | None:
    """The number of tokens that a prompt was cut to; None if there is no sign that it was cut.

    ``size``: bytes of the request, which holds only text. ``counted``: the node's count of its
    prompt. ``limit``: the model's context; None if it is not known: with ``guess`` any usual
    context is then assumed.
    """
    if size < MIN_LOOKED_AT_BYTES or counted <= 0:
        return None
    if limit is None:
        if not guess or size < _BYTES_PER_TOKEN * counted:
            return None
        return next((usual for usual in _USUAL if _is_at(counted, usual)), None)
    if _is_at(counted, limit):
        return limit if size >= _AT_LIMIT_BYTES_PER_TOKEN * counted else None
    # Some engines drop whole turns until the rest fits.
    dropped = limit // 2 <= counted < limit and size >= _BYTES_PER_TOKEN * limit
    return limit if dropped else None


def _is_at(counted: int, limit: int) -> bool:
    return limit - max(4, limit // 100) <= counted <= limit
