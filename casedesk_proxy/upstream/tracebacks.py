"""Errors of aiohttp, without what their tracebacks hold."""

from __future__ import annotations

__all__ = ["drop_tracebacks"]


def drop_tracebacks(error: BaseException | None) -> None:
    """Of an error that is handled now, and of its causes. Frames of aiohttp and its libraries hold
    the error itself: some 90 objects for each connection that is refused, which only the garbage
    collector could free."""
    # Causes and contexts may form a ring.
    while error is not None and error.__traceback__ is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
