"""What all tests share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvloop

from tests.fixtures.simulated import SimulatorThread, simulator_thread
from tests.nodes.llama_server import LlamaNode, llama_server


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests run on the loop that the daemon runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def llama_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaNode]:
    """A real llama-server with a tiny model, see tests/nodes/tiny_model.py; names: tiny,
    gemma2:9b."""
    with _node(tmp_path_factory.mktemp("model"), thinks=False) as node:
        yield node


@pytest.fixture(scope="session")
def thinking_llama_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaNode]:
    """The same with a model that thinks first."""
    with _node(tmp_path_factory.mktemp("thinking"), thinks=True) as node:
        yield node


@pytest.fixture(scope="session")
def simulated_node() -> Iterator[SimulatorThread]:
    """A simulated node in a thread of its own, for clients that block."""
    with simulator_thread() as node:
        yield node


@contextmanager
def _node(folder: Path, *, thinks: bool) -> Iterator[LlamaNode]:
    # Here, because numpy and gguf would slow down every run that needs no node.
    from tests.nodes.tiny_model import write_model

    write_model(folder / "tiny.gguf", thinks=thinks)
    with llama_server(folder / "tiny.gguf") as node:
        yield node
