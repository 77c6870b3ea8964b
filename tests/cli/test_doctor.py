"""`doctor` with a simulated node, and with one that does not run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.engine.process import free_port
from casedesk_proxy.engines.registry import find_engine
from casedesk_proxy.simulator.script import Script
from tests.cli.command import invoke
from tests.fixtures import recorded_nodes
from tests.fixtures.recorded_nodes import running
from tests.fixtures.simulated import SimulatorThread, simulator_thread

TITLE = find_engine("openai").title
CONFIG = """\
server: {{listen: "127.0.0.1:1"}}
nodes:
  n: {{url: "{url}", engine: {engine}, models: [m]}}
deployments:
  d: {{nodes: [n]}}
keys:
  - {{name: me, sha256: "{digest}", deployments: [d]}}
"""


@pytest.fixture(scope="module")
def node() -> Iterator[SimulatorThread]:
    with simulator_thread(m=Script(words=3)) as thread:
        yield thread


@pytest.fixture
def file(tmp_path: Path, node: SimulatorThread) -> Path:
    node.forget()
    return write(tmp_path, node.url)


def write(folder: Path, url: str, engine: str = "openai") -> Path:
    file = folder / "config.yaml"
    text = CONFIG.format(url=url, engine=engine, digest="0" * 64)
    file.write_text(text)
    return file


def test_a_node_that_is_well(file: Path, node: SimulatorThread) -> None:
    done = invoke("doctor", file)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["n", node.url, *TITLE.split(), "1", "answers"] in lines
    assert ["m", "unknown", "yes", "yes", "yes", "yes", "yes", "yes"] in lines
    assert node.calls() == [], "no model is run"


def test_what_will_not_work_and_why(tmp_path: Path, node: SimulatorThread) -> None:
    done = invoke("doctor", write(tmp_path, node.url, "localai"))
    assert "not gemini, anthropic, responses" in done.stdout
    assert "schema with anthropic, m: output_config.format: the node does not" in done.stdout
    done = invoke("doctor", write(tmp_path, node.url, "tgi"))
    assert "thinking with anthropic, m: works without thinking.budget_tokens" in done.stdout


async def test_a_context_that_is_too_short_for_agents(tmp_path: Path) -> None:
    async with running(recorded_nodes.VLLM, recorded_nodes.VLLM_MISSING) as vllm:
        file = write(tmp_path, vllm.url, "vllm")
        file.write_text(file.read_text().replace(", models: [m]", ""))
        done = await asyncio.to_thread(invoke, "doctor", file)
    assert "its context is 4096 tokens, an agent's first prompt has about 20000" in done.stdout


def test_a_node_that_is_down(tmp_path: Path) -> None:
    done = invoke("doctor", write(tmp_path, f"http://127.0.0.1:{free_port()}"))
    assert done.returncode == 1
    assert "refuses connections: start it, or correct nodes.n.url" in done.stdout


def test_a_deployment_without_models(tmp_path: Path) -> None:
    file = write(tmp_path, f"http://127.0.0.1:{free_port()}")
    file.write_text(file.read_text().replace(", models: [m]", ""))
    done = invoke("doctor", file)
    assert done.returncode == 1
    assert (
        "deployment d: offers no model; list some under models, or repair its nodes" in done.stdout
    )


def test_a_wrong_file(tmp_path: Path) -> None:
    done = invoke("doctor", tmp_path / "none.yaml")
    assert done.returncode == 2
    assert "none.yaml: No such file or directory" in done.stderr
