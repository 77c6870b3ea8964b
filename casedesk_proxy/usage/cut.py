"""Whether a node has cut a prompt: it counts few tokens for many bytes, as many as there is room
for."""

from __future__ import annotations

__all__ = ["MEDIA", "MIN_LOOKED_AT_BYTES", "cut_to"]

#: Bytes of a request below which nothing is looked at: less than any usual context holds.
MIN_LOOKED_AT_BYTES = 8 * 2048
#: Marks of parts of a request that are no text. In a text the quotes would be escaped.
MEDIA = (
    *(b'"base64"', b'"inlineData"', b'"inline_data"', b'"image_url"', b'"input_audio"'),
    *(b'"file_data"', b'"video_url"', b'"audio_url"', b'"input_video"', b'"redacted_thinking"'),
)

#: More bytes than a token takes, in any language or code, JSON around it included.
_BYTES_PER_TOKEN = 8
#: The same for a prompt whose count stands just at the limit, which seldom happens by chance.
_AT_LIMIT_BYTES_PER_TOKEN = 6
#: Contexts that engines run with unless they are told otherwise.
_USUAL = tuple(1024 * 2**power for power in range(1, 9))


def cut_to(size: int, counted: int, limit: int | None, *, guess: bool = False) -> int | None:
    """The number of tokens that a prompt was cut to; None where it was not, for all that shows.

    ``size``: bytes of the request, which holds text alone. ``counted``: the node's count of its
    prompt. ``limit``: what the model runs with; None: not known, and with ``guess`` any usual one.
    """
    if size < MIN_LOOKED_AT_BYTES or counted <= 0:
        return None
    if limit is None:
        if not guess or size < _BYTES_PER_TOKEN * counted:
            return None
        return next((usual for usual in _USUAL if _is_at(counted, usual)), None)
    if _is_at(counted, limit):
        return limit if size >= _AT_LIMIT_BYTES_PER_TOKEN * counted else None
    # Some drop whole turns until the rest fits.
    dropped = limit // 2 <= counted < limit and size >= _BYTES_PER_TOKEN * limit
    return limit if dropped else None


def _is_at(counted: int, limit: int) -> bool:
    return limit - max(4, limit // 100) <= counted <= limit
