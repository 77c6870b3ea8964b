"""The configured limits for what clients may use of the server's time and memory."""

from __future__ import annotations

from dataclasses import dataclass

from casedesk_proxy.config.schema import Server

__all__ = ["ServerLimits", "read_limits"]


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Those settings of the configuration's ``server`` that a reload applies. ``send_timeout`` in
    seconds, ``min_rate`` in bytes a second, ``max_bodies`` in bytes."""

    send_timeout: float = 60.0
    min_rate: int = 0
    max_bodies: int = 2**28


def read_limits(settings: Server) -> ServerLimits:
    """One body of the largest allowed size always fits."""
    most = max(settings.max_bodies, settings.max_body)
    return ServerLimits(settings.send_timeout, settings.min_rate, most)
