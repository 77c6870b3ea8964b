"""Field types for host names of the proxy, and for trusted proxies in front of it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, StrictStr

from casedesk_proxy.config.values import complain
from casedesk_proxy.wire.addresses import is_network

__all__ = ["HostName", "TrustedProxy"]

_HOST = re.compile(r"\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?", re.IGNORECASE)


def _is_host(text: str) -> bool:
    return len(text) <= 253 and _HOST.fullmatch(text) is not None


def _check_host(text: str) -> str:
    if _is_host(text):
        return text
    bare = text.partition("://")[2] or text
    host = bare.partition("/")[0].rpartition("@")[2].partition(":")[0]
    mended = f"write {host}, without scheme, port and path" if _is_host(host) else ""
    raise complain(
        "is not a host name", mended or "write for example llm.example.com or *.example.com"
    )


def _check_proxy(text: str) -> str:
    if is_network(text):
        return text
    raise complain(
        "is neither an IP address nor a network",
        "write for example 10.0.0.5, 10.0.0.0/24 or unix; no host names",
    )


HostName = Annotated[StrictStr, AfterValidator(_check_host)]
TrustedProxy = Annotated[StrictStr, AfterValidator(_check_proxy)]
