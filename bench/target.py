"""A measured relay, and the inputs from which it is made."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.engine.build import Engines

__all__ = ["GEMINI_BODY", "PROXY_COMMAND", "Place", "Target", "fill"]

PEERS = Path(__file__).parent / "peers"
PATH = "/v1/chat/completions"
BODY = json.dumps(
    {"model": "bench", "stream": True, "messages": [{"role": "user", "content": "Speak."}]}
).encode()
#: The same question, with a whole reply.
UNARY_BODY = json.dumps(
    {"model": "bench", "messages": [{"role": "user", "content": "Speak."}]}
).encode()
#: The same question by a Gemini client; the node still speaks OpenAI.
GEMINI_BODY = json.dumps({"contents": [{"role": "user", "parts": [{"text": "Speak."}]}]}).encode()
PROXY_COMMAND = f"{shlex.quote(sys.executable)} -m casedesk_proxy serve --config {{config}}"


@dataclass(frozen=True, slots=True)
class Place:
    """The inputs of a target: engines, the node's port, a folder of its own."""

    engines: Engines
    node_port: int
    folder: Path
    proxy_command: str = PROXY_COMMAND


@dataclass(frozen=True, slots=True)
class Target:
    """A relay, ready to be started. If it listens for TLS, at ``tls_port``, its clients, which do
    not support TLS, use a process beside them that does and listens on ``port``."""

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
    tls_port: int = 0


def fill(name: str, place: Place, **words: object) -> Path:
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
