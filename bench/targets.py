"""The relays that are compared: how each is started, where it listens, what it is."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.engine.build import Engines
from bench.engine.process import free_port

__all__ = ["PROXY_COMMAND", "TARGETS", "Place", "Target", "Unavailable"]

PEERS = Path(__file__).parent / "peers"
ROOT = Path(__file__).parent.parent
PATH = "/v1/chat/completions"
BODY = json.dumps(
    {"model": "bench", "stream": True, "messages": [{"role": "user", "content": "Speak."}]}
).encode()
#: The same question, to be answered whole.
UNARY_BODY = json.dumps(
    {"model": "bench", "messages": [{"role": "user", "content": "Speak."}]}
).encode()
#: The same question of a Gemini client; the node still speaks OpenAI.
GEMINI_PATH = "/proxy/bench/gemini/v1beta/models/bench:streamGenerateContent?alt=sse"
GEMINI_UNARY_PATH = "/proxy/bench/gemini/v1beta/models/bench:generateContent"
GEMINI_BODY = json.dumps({"contents": [{"role": "user", "parts": [{"text": "Speak."}]}]}).encode()
#: Pinned: newer ones want packages that the index does not have.
LITELLM = "litellm[proxy]==1.106.2"
PROXY_COMMAND = f"{shlex.quote(sys.executable)} -m casedesk_proxy serve --config {{config}}"


class Unavailable(Exception):
    """This target cannot be measured on this machine; the message says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a target is built from: engines, the node's port, a folder of its own."""

    engines: Engines
    node_port: int
    folder: Path
    proxy_command: str = PROXY_COMMAND


@dataclass(frozen=True, slots=True)
class Target:
    """A relay, ready to be started."""

    name: str
    version: str
    command: list[str]
    port: int
    path: str = PATH
    headers: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    body: bytes = BODY
    unary_path: str = PATH
    unary_body: bytes = UNARY_BODY


def _make_proxy(place: Place) -> Target:
    port, token = free_port(), secrets.token_urlsafe(24)
    config = _fill(
        "casedesk-proxy.yaml", place, port=port, admin_port=free_port(),
        sha256=hashlib.sha256(token.encode()).hexdigest(),
    )  # fmt: skip
    command = place.proxy_command.format(config=config, port=port, node_port=place.node_port)
    return Target(
        name="proxy",
        version=_describe_tree(),
        command=shlex.split(command),
        port=port,
        path=f"/proxy/bench/openai{PATH}",
        unary_path=f"/proxy/bench/openai{PATH}",
        headers={"Authorization": f"Bearer {token}"},
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


def _make_litellm(place: Place) -> Target:
    """The same translation, by the program that people use for it today."""
    program = ROOT / "bench" / "build" / "litellm" / "bin" / "litellm"
    if not program.exists():
        print(f"installing {LITELLM} …", file=sys.stderr)
        home = program.parent.parent
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(home / "bin" / "pip"), "install", "--quiet", LITELLM]
        if subprocess.run(pip, capture_output=True).returncode:
            raise Unavailable(f"{LITELLM} does not install")
    port, key = free_port(), secrets.token_urlsafe(24)
    config = _fill("litellm.yaml", place)
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


def _make_nginx(place: Place) -> Target:
    program = _find("nginx", "nginx-light")
    port = free_port()
    config = _fill("nginx.conf", place, port=port)
    # Workers drop root and must still reach the folder of the log and the temporary files.
    place.folder.chmod(0o755)
    return Target(
        name="nginx",
        version=_first_match(r"nginx/(\S+)", [program, "-v"]),
        command=[program, "-e", "stderr", "-p", str(place.folder), "-c", str(config)],
        port=port,
    )


def _make_haproxy(place: Place) -> Target:
    program = _find("haproxy", "haproxy")
    port = free_port()
    return Target(
        name="haproxy",
        version=_first_match(r"version (\S+)", [program, "-v"]),
        command=[program, "-db", "-f", str(_fill("haproxy.cfg", place, port=port))],
        port=port,
    )


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
    "litellm": _make_litellm,
    "nginx": _make_nginx,
    "haproxy": _make_haproxy,
    "floor": _make_floor,
}


def _fill(name: str, place: Place, **words: object) -> Path:
    """A configuration from its template, in the target's folder."""
    known = {"dir": place.folder, "node_port": place.node_port, **words}
    text = re.sub(
        "@([A-Z0-9_]+)@",
        lambda found: str(known[found[1].lower()]) if found[1] != "WORDS" else found[0],
        (PEERS / name).read_text(),
    )
    path = place.folder / name
    path.write_text(text)
    return path


def _find(program: str, package: str) -> str:
    """Where a program lies; as root on Debian it is installed if it is missing."""
    # Daemons lie in sbin, which is not on everyone's PATH.
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin"
    if not shutil.which(program, path=path):
        _install(program, package)
    found = shutil.which(program, path=path)
    if not found:
        raise Unavailable(f"{program} is not installed (Debian: apt-get install {package})")
    return found


def _install(program: str, package: str) -> None:
    apt = shutil.which("apt-get")
    if not apt or os.geteuid() != 0:
        return
    print(f"installing {package} …", file=sys.stderr)
    # The package would start a service of its own, on port 80: policy-rc.d forbids it meanwhile.
    policy = Path("/usr/sbin/policy-rc.d")
    mine = not policy.exists()
    if mine:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        subprocess.run(
            [apt, "install", "-y", "--no-install-recommends", package],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        if shutil.which("systemctl"):  # nor shall it start with the machine
            subprocess.run(["systemctl", "disable", "--now", program], capture_output=True)
    finally:
        if mine:
            policy.unlink()


def _first_match(pattern: str, command: list[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True)
    found = re.search(pattern, result.stdout + result.stderr)
    return found[1] if found else "unknown"


def _describe_tree() -> str:
    """The commit that is measured; ``-dirty`` when the working tree differs from it."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        result = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return result.stdout.strip() or "unknown"
