"""The load engines, built from their source, and a node of theirs with chosen flags."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.engine.build import Engines, build
from bench.engine.clients import Request, Snapshot, load_command
from bench.engine.process import child, read_port
from tests.fixtures.patience import PATIENCE_S

StartNode = Callable[..., int]
Load = Callable[..., Snapshot]


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Engines:
    """The engines, compiled for this run. Without a C compiler this fails and says so."""
    return build(tmp_path_factory.mktemp("engines"))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def start_node(engines: Engines, stack: ExitStack) -> StartNode:
    """Start a node with these flags; returns its port."""

    def start(*flags: str) -> int:
        return read_port(
            stack.enter_context(child(engines.tether, [engines.node, *flags], piped=True))
        )

    return start


@pytest.fixture
def start_floor(engines: Engines, stack: ExitStack) -> Callable[[int], int]:
    def start(to: int) -> int:
        return read_port(
            stack.enter_context(child(engines.tether, [engines.floor, "--to", str(to)], piped=True))
        )

    return start


@pytest.fixture
def load(engines: Engines, tmp_path: Path) -> Load:
    """Run the load engine to its end; returns its findings."""

    def run(port: int, *flags: str, path: str = "/v1/chat/completions") -> Snapshot:
        body = json.dumps({"model": "bench", "stream": "--unary" not in flags}).encode()
        request = Request("127.0.0.1", port, path, {"Content-Type": "application/json"}, body)
        command = load_command(engines.load, request, tmp_path, *flags)
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=PATIENCE_S
        )
        return Snapshot.of(done.stdout)

    return run
