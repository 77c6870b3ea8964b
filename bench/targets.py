"""The relays that are compared: how each is started, where it listens, what it is."""

from __future__ import annotations

import hashlib
import secrets
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.engine.process import free_port
from bench.installation import Unavailable
from bench.routers import (
    make_envoy,
    make_haproxy,
    make_litellm,
    make_nginx,
    make_portkey,
    make_smg,
    make_vllm_router,
)
from bench.target import GEMINI_BODY, PATH, PROXY_COMMAND, Place, Target, fill

__all__ = ["PROXY_COMMAND", "TARGETS", "Place", "Target", "Unavailable", "describe_tree"]

ROOT = Path(__file__).parent.parent
GEMINI_PATH = "/proxy/bench/gemini/v1beta/models/bench:streamGenerateContent?alt=sse"
GEMINI_UNARY_PATH = "/proxy/bench/gemini/v1beta/models/bench:generateContent"


#: All that a key may have, none of which a measurement reaches.
_LIMITS = (
    "{requests_per_minute: 10000000, tokens_per_minute: 100000000, tokens_per_day: 10000000000,"
    " tokens_per_month: 100000000000, parallel: 10000}"
)


def _make_proxy(place: Place, *, ledger: bool = True, limits: str = "{}") -> Target:
    port, key = free_port(), secrets.token_urlsafe(24)
    config = fill(
        "casedesk-proxy.yaml", place, port=port, admin_port=free_port(),
        sha256=hashlib.sha256(key.encode()).hexdigest(), ledger=str(ledger).lower(), limits=limits,
    )  # fmt: skip
    command = place.proxy_command.format(config=config, port=port, node_port=place.node_port)
    return Target(
        name="proxy",
        version=describe_tree(),
        command=shlex.split(command),
        port=port,
        path=f"/proxy/bench/openai{PATH}",
        unary_path=f"/proxy/bench/openai{PATH}",
        headers={"Authorization": f"Bearer {key}"},
        environment={"PYTHONPATH": str(ROOT)},
    )


def _make_transposed(place: Place) -> Target:
    """A process of its own, that has to translate every event."""
    proxy = _make_proxy(place)
    return replace(
        proxy,
        name="transposed",
        path=GEMINI_PATH,
        body=GEMINI_BODY,
        unary_path=GEMINI_UNARY_PATH,
        unary_body=GEMINI_BODY,
    )


def _make_uncorked(place: Place) -> Target:
    """The proxy with each message written at once: see docs/fastpath.md."""
    proxy = _make_proxy(place)
    plain = {**proxy.environment, "CASEDESK_PLAIN": "cork"}
    return replace(proxy, name="uncorked", environment=plain)


def _make_unbooked(place: Place) -> Target:
    """The proxy without its ledger."""
    return replace(_make_proxy(place, ledger=False), name="unbooked")


def _make_limited(place: Place) -> Target:
    """The proxy with a key that has every limit there is."""
    return replace(_make_proxy(place, limits=_LIMITS), name="limited")


def _make_floor(place: Place) -> Target:
    port = free_port()
    return Target(
        name="floor",
        version="recv + send, no HTTP",
        command=[str(place.engines.floor), "--port", str(port), "--to", str(place.node_port)],
        port=port,
    )


#: By name, in the order of the table. Each may raise Unavailable.
TARGETS: dict[str, Callable[[Place], Target]] = {
    "proxy": _make_proxy,
    "transposed": _make_transposed,
    "uncorked": _make_uncorked,
    "unbooked": _make_unbooked,
    "limited": _make_limited,
    "litellm": make_litellm,
    "portkey": make_portkey,
    "nginx": make_nginx,
    "haproxy": make_haproxy,
    "envoy": make_envoy,
    "vllm-router": make_vllm_router,
    "smg": make_smg,
    "floor": _make_floor,
}


def describe_tree() -> str:
    """The commit that is measured; ``-dirty`` when the working tree differs from it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        result = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return result.stdout.strip() or "unknown"
