"""The compared relays: how each is started, its port, and what it is."""

from __future__ import annotations

import hashlib
import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
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
from bench.tls import make_certificate, over_tls

__all__ = ["PROXY_COMMAND", "TARGETS", "Place", "Target", "Unavailable", "describe_tree"]

ROOT = Path(__file__).parent.parent
GEMINI_PATH = "/proxy/bench/gemini/v1beta/models/bench:streamGenerateContent?alt=sse"
GEMINI_UNARY_PATH = "/proxy/bench/gemini/v1beta/models/bench:generateContent"


#: All limits that a key may have; no measurement reaches one.
_LIMITS = (
    "{requests_per_minute: 10000000, tokens_per_minute: 100000000, tokens_per_day: 10000000000,"
    " tokens_per_month: 100000000000, parallel: 10000}"
)


def _make_proxy(
    place: Place, *, ledger: bool = True, limits: str = "{}", tls: str = "null"
) -> Target:
    port, key = free_port(), secrets.token_urlsafe(24)
    config = fill(
        "casedesk-proxy.yaml", place, port=port, admin_port=free_port(),
        sha256=hashlib.sha256(key.encode()).hexdigest(), ledger=str(ledger).lower(), limits=limits,
        tls=tls,
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
    """A process of its own that must translate every event."""
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
    """The proxy with a key that has every kind of limit."""
    return replace(_make_proxy(place, limits=_LIMITS), name="limited")


def _make_other(place: Place) -> Target:
    """The proxy of another checkout."""
    if not (tree := os.environ.get("BENCH_OTHER_TREE")):
        raise Unavailable("BENCH_OTHER_TREE does not name a checkout")
    proxy = _make_proxy(place)
    # Safe: or Python would look in the current folder first, which may be this checkout.
    chosen = {**proxy.environment, "PYTHONPATH": tree, "PYTHONSAFEPATH": "1"}
    return replace(proxy, name="other", version=describe_tree(Path(tree)), environment=chosen)


def _make_tls_proxy(place: Place) -> Target:
    cert, key = make_certificate(place.folder)
    return over_tls(_make_proxy(place, tls=f"{{cert: {cert}, key: {key}}}"))


def _make_tls_loop(place: Place) -> Target:
    """With the event loop's TLS: see docs/fastpath.md."""
    proxy = _make_tls_proxy(place)
    plain = {**proxy.environment, "CASEDESK_PLAIN": "tls"}
    return replace(proxy, name="proxy-tls-loop", environment=plain)


def _make_tls_nginx(place: Place) -> Target:
    cert, key = make_certificate(place.folder)
    tls = f" ssl; ssl_certificate {cert}; ssl_certificate_key {key}; ssl_protocols TLSv1.3"
    return over_tls(make_nginx(place, tls))


def _make_tls_haproxy(place: Place) -> Target:
    cert, key = make_certificate(place.folder)
    both = place.folder / "both.pem"
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    return over_tls(make_haproxy(place, f" ssl crt {both} ssl-min-ver TLSv1.3"))


def _make_floor(place: Place) -> Target:
    port = free_port()
    return Target(
        name="floor",
        version="recv + send, no HTTP",
        command=[str(place.engines.floor), "--port", str(port), "--to", str(place.node_port)],
        port=port,
    )


def _make_bare_uvloop(place: Place) -> Target:
    """An empty relay through the event loop that the proxy uses."""
    port, script = free_port(), ROOT / "bench/peers/bare_uvloop.py"
    ports = ["--port", str(port), "--to", str(place.node_port)]
    return Target(
        name="bare-uvloop",
        version=f"uvloop {version('uvloop')}, no HTTP",
        command=[sys.executable, str(script), *ports],
        port=port,
    )


#: By name, in the order of the table. Each may raise Unavailable.
TARGETS: dict[str, Callable[[Place], Target]] = {
    "proxy": _make_proxy,
    "transposed": _make_transposed,
    "uncorked": _make_uncorked,
    "unbooked": _make_unbooked,
    "limited": _make_limited,
    "other": _make_other,
    "litellm": make_litellm,
    "portkey": make_portkey,
    "nginx": make_nginx,
    "haproxy": make_haproxy,
    "envoy": make_envoy,
    "vllm-router": make_vllm_router,
    "smg": make_smg,
    "proxy-tls": _make_tls_proxy,
    "proxy-tls-loop": _make_tls_loop,
    "nginx-tls": _make_tls_nginx,
    "haproxy-tls": _make_tls_haproxy,
    "bare-uvloop": _make_bare_uvloop,
    "floor": _make_floor,
}


def describe_tree(tree: Path = ROOT) -> str:
    """The measured commit; ``-dirty`` if the working tree differs from it."""
    command = ["git", "-C", str(tree), "describe", "--always", "--dirty"]
    try:
        result = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return result.stdout.strip() or "unknown"
