"""Errors for the client about its request's body."""

from __future__ import annotations

from casedesk_proxy.errors import BadRequest, Busy, TooLarge

__all__ = ["no_room", "too_large", "too_large_here", "too_slow"]

#: Seconds after which a client that found no room may try again.
_FULL_RETRY_AFTER_S = 5.0


def too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"the request's body is larger than {limit} bytes (server.max_body); send a smaller one"
    )


def too_large_here(limit: int) -> TooLarge:
    """Where the path decides, and not the configuration."""
    return TooLarge(
        f"the request's body is larger than {limit} bytes, the most that this path accepts; send a"
        " smaller one"
    )


def too_slow() -> BadRequest:
    return BadRequest(
        "the request's body arrived too slowly (server.body_timeout, server.min_rate); send it"
        " again",
        status=408,
    )


def no_room() -> Busy:
    return Busy(
        "the bodies of received and waiting requests fill the memory allowed for them"
        " (server.max_bodies); send this one again in a few seconds",
        status=503,
        code="bodies_full",
        retry_after=_FULL_RETRY_AFTER_S,
    )
