"""One proxy process for all end-to-end tests, in front of a simulated and a real node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from casedesk_proxy.simulator.app import Received
from tests.fixtures.proxy import ProxyProcess, key_entry, proxy_process
from tests.fixtures.simulated import SimulatorThread
from tests.nodes.llama_server import LlamaNode

#: What clients may send: for one deployment, for several, and for another one.
KEY, WIDE_KEY, FOREIGN_KEY = "desk-key-1", "wide-key-2", "foreign-key-3"
NODE_KEY = "key-of-the-node"


@dataclass(frozen=True)
class Desk:
    """The running proxy, as its clients know it, and its nodes."""

    proxy: ProxyProcess
    node: SimulatorThread

    @property
    def url(self) -> str:
        return self.proxy.url

    def mount(self, surface: str, deployment: str = "desk") -> str:
        return f"{self.url}/proxy/{deployment}/{surface}"

    def last(self) -> Received:
        """The last request at the simulated node. It contains none of the clients' keys."""
        received = self.node.calls()[-1]
        seen = repr((received.target, received.headers, received.body))
        assert not [key for key in (KEY, WIDE_KEY, FOREIGN_KEY) if key in seen]
        return received


@pytest.fixture(scope="session")
def desk_process(
    tmp_path_factory: pytest.TempPathFactory,
    simulated_node: SimulatorThread,
    llama_node: LlamaNode,
) -> Iterator[ProxyProcess]:
    config = {
        "default_deployment": "desk",
        "nodes": {
            "sim": {
                "url": simulated_node.url,
                "engine": "openai",
                "speaks": ["gemini", "anthropic", "openai"],
                "api_key": {"env": "SIM_KEY"},
            },
            "llama": {"url": llama_node.url, "engine": "llama-server"},
        },
        "deployments": {
            "desk": {"nodes": ["sim"], "aliases": {"my-model": "gemma2:9b", "our-*": "sim"}},
            "lab": {"nodes": ["llama"], "aliases": {"tiny": "gemma2:9b"}},
            "open": {"nodes": ["sim"], "auth": "none"},
            "prefixed": {"nodes": ["sim"], "prefix": "desk-"},
        },
        "keys": [
            key_entry(KEY, "desk"),
            key_entry(WIDE_KEY, "desk", "lab", "prefixed", name="bob"),
            key_entry(FOREIGN_KEY, "lab", name="carol"),
        ],
    }
    folder = tmp_path_factory.mktemp("desk")
    with proxy_process(folder, config, {"SIM_KEY": NODE_KEY}) as proxy:
        yield proxy


@pytest.fixture
def desk(desk_process: ProxyProcess, simulated_node: SimulatorThread) -> Iterator[Desk]:
    """If a test fails, the proxy's log of it is shown; an internal error in the log fails every
    test."""
    simulated_node.forget()
    before = len(desk_process.log)
    yield Desk(desk_process, simulated_node)
    log = desk_process.log[before:]
    print(log)
    assert "Traceback" not in log
    assert desk_process.process.poll() is None, "the proxy died"


@pytest.fixture(scope="session")
def chat_only_process(
    tmp_path_factory: pytest.TempPathFactory,
    llama_node: LlamaNode,
    thinking_llama_node: LlamaNode,
) -> Iterator[ProxyProcess]:
    """Real nodes that are configured as if they spoke only OpenAI, so all other clients are
    translated."""
    aliases = {"tiny": "gemma2:9b", "gemini-*": "gemma2:9b", "claude-*": "gemma2:9b"}
    config = {
        "default_deployment": "tiny",
        "nodes": {
            name: {"url": node.url, "engine": "llama-server", "speaks": ["openai"]}
            for name, node in (("plain", llama_node), ("thinker", thinking_llama_node))
        },
        "deployments": {
            "tiny": {"nodes": ["plain"], "auth": "none", "aliases": aliases},
            "thinks": {"nodes": ["thinker"], "auth": "none", "aliases": aliases},
            "lenient": {"nodes": ["plain"], "auth": "none", "unknown_fields": "ignore"},
        },
    }
    with proxy_process(tmp_path_factory.mktemp("chat-only"), config) as proxy:
        yield proxy


@pytest.fixture
def chat_only(chat_only_process: ProxyProcess) -> Iterator[ProxyProcess]:
    """Like ``desk``, for the deployments ``tiny`` and ``thinks``."""
    before = len(chat_only_process.log)
    yield chat_only_process
    log = chat_only_process.log[before:]
    print(log)
    assert "Traceback" not in log
    assert chat_only_process.process.poll() is None, "the proxy died"
