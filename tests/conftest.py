"""Fixtures of all tests."""

from __future__ import annotations

import asyncio
import atexit
import functools
import gc
import inspect
import os
import resource
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest
import uvloop

from casedesk_proxy.fastpath.switches import VARIABLE, read_plain, turn_off
from casedesk_proxy.telemetry.log_output import flush
from tests.fixtures.blocking import find_blocking
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.sdks import import_named, write_one_authority
from tests.fixtures.simulated import SimulatorThread, simulator_thread
from tests.nodes.llama_server import LlamaNode, llama_server

#: How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("suite", deadline=None, max_examples=50)
#: For `make check`, which judges a change: the same examples each time, so that what is red is the
#: change's fault. New ones are for those who have time to look at them.
hypothesis.settings.register_profile("same", deadline=None, max_examples=50, derandomize=True)
#: For `make test-properties`, now and then.
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000)
#: For `make test-fast`: few examples, none remembered.
hypothesis.settings.register_profile("fast", deadline=None, max_examples=20, database=None)
hypothesis.settings.load_profile("suite")

_TESTS = Path(__file__).parent
_ROOT = _TESTS.parent
#: The folders whose tests wait for processes that they start.
_FIRST = ("network", "systemd", "bench", "daemon", "node_sdks", "cli")

# Nothing is kept where the developer's own proxy keeps it.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="casedesk-state-")
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)

# With each of their clients, and tests make hundreds, SDKs load all authorities that there are: up
# to 0.2 s of CPU. Tests never go beyond this machine.
os.environ["SSL_CERT_FILE"] = str(write_one_authority(Path(os.environ["XDG_STATE_HOME"])))

# Some tests have thousands of connections; a shell usually allows 1024 descriptors.
_, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _most))

# As the daemon does: the suite runs with all tricks, and without.
turn_off(read_plain(os.environ.get(VARIABLE, "")))


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests run on the loop that the daemon runs on."""
    return {"uvloop": uvloop.new_event_loop}


class Hung(BaseException):
    """Not an Exception: otherwise hypothesis would hang again and again while it searches for a
    smaller example."""


def pytest_addoption(parser: pytest.Parser) -> None:
    told = "Files and folders whose tests ran under coverage: of them, run the properties alone."
    parser.addoption("--measured", default="", help=told)


@pytest.hookimpl(trylast=True)  # Behind the plugin that marks properties.
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    measured = [_ROOT / path for path in config.getoption("--measured").split()]
    gone = [item for item in items if _is_measured(item, measured)]
    config.hook.pytest_deselected(items=gone)
    items[:] = [item for item in items if not _is_measured(item, measured)]
    items.sort(key=_wave)
    _limit_coroutines(items)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules and SDKs that tests import stay loaded until the end. The collector's search for
    garbage among them takes a third of their import time, and as much in each `gc.collect()` of a
    test."""
    gc.disable()
    result = yield
    gc.freeze()
    gc.enable()
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)  # Before a test's time begins.
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if isinstance(item, pytest.Function):
        import_named(item.module)
    return (yield)


def _is_measured(item: pytest.Item, measured: list[Path]) -> bool:
    is_property = item.get_closest_marker("hypothesis") is not None
    return not is_property and any(item.path.is_relative_to(path) for path in measured)


def _wave(item: pytest.Item) -> int:
    """If several processes share the files in this order, those that take minutes must not be the
    last."""
    folder = item.path.relative_to(_TESTS).parts[0]
    return _FIRST.index(folder) if folder in _FIRST else len(_FIRST)


def _limit_coroutines(items: list[pytest.Item]) -> None:
    """Give each coroutine its own limit, a little below pytest-timeout's: its signal does not reach
    a test that waits inside uvloop, which would hang forever (measured)."""
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        limit = 0.9 * _seconds(item)
        made = getattr(item.obj, "hypothesis", None)
        if inspect.iscoroutinefunction(item.obj):
            item.obj = _limited(item.obj, limit)
        elif inspect.iscoroutinefunction(getattr(made, "inner_test", None)):
            made.inner_test = _limited(made.inner_test, limit)


def _seconds(item: pytest.Function) -> float:
    marker = item.get_closest_marker("timeout")
    if marker is not None and marker.args:
        return float(marker.args[0])
    return float(item.config.getoption("timeout") or item.config.getini("timeout") or 60)


def _limited(
    test: Callable[..., Awaitable[None]], seconds: float
) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def limited(*args: object, **kwargs: object) -> None:
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                await test(*args, **kwargs)
        except TimeoutError:
            if limit.expired():
                raise Hung(f"not done after {seconds:g} s") from None
            raise

    return limited


@pytest.fixture(autouse=True)
def _nothing_blocks_the_loop() -> Iterator[None]:
    with find_blocking() as found:
        yield
    assert not found, "blocked the loop:\n" + "\n".join(dict.fromkeys(found))


@pytest.fixture(autouse=True)
def _log_is_the_test_s_own() -> Iterator[None]:
    """A thread writes the log: a test's lines must not appear in the next test."""
    yield
    flush(PATIENCE_S)


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
def seeing_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaNode]:
    """The same with a model that accepts images, see tests/nodes/tiny_projector.py."""
    with _node(tmp_path_factory.mktemp("seeing"), thinks=False, sees=True) as node:
        yield node


@pytest.fixture(scope="session")
def simulated_node() -> Iterator[SimulatorThread]:
    """A simulated node in a separate thread, for clients that block."""
    with simulator_thread() as node:
        yield node


@contextmanager
def _node(folder: Path, *, thinks: bool, sees: bool = False) -> Iterator[LlamaNode]:
    # Here, because numpy and gguf would slow down every run that needs no node.
    from tests.nodes.tiny_model import write_model

    write_model(folder / "tiny.gguf", thinks=thinks)
    projector = None
    if sees:
        from tests.nodes.tiny_projector import write_projector

        projector = folder / "mmproj.gguf"
        write_projector(projector)
    with llama_server(folder / "tiny.gguf", projector=projector) as node:
        yield node
