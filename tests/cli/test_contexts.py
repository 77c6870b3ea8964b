"""The remedy for prompts that Ollama cuts is where users look first."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.cli.command import invoke
from tests.cli.test_status import TOLD, shown
from tests.fixtures import recorded_nodes
from tests.fixtures.recorded_nodes import running

REMEDY = "OLLAMA_CONTEXT_LENGTH=32768"


async def run(*arguments: str | Path) -> tuple[int, str, str]:
    """Run the command in a thread of its own, so that this one can run the nodes."""
    done = await asyncio.to_thread(invoke, *arguments)
    return done.returncode, done.stdout, done.stderr


async def test_init_says_it(tmp_path: Path) -> None:
    async with (
        running(recorded_nodes.OLLAMA, recorded_nodes.OLLAMA_MISSING) as ollama,
        running(recorded_nodes.LLAMA, recorded_nodes.LLAMA_MISSING) as llama,
    ):
        nodes = ("--node", ollama.url, "--node", llama.url)
        code, out, _ = await run("init", "--output", tmp_path / "c.yaml", *nodes)
    assert code == 0
    (note,) = [line for line in out.splitlines() if line.startswith("  note:")]
    assert REMEDY in note
    assert "tiny:latest" in note


@pytest.mark.parametrize(
    ("options", "says"),
    [(("--keys",), True), ((), False), (("--keys", "--quiet"), False)],
)
async def test_check_says_it(tmp_path: Path, options: tuple[str, ...], says: bool) -> None:
    file = tmp_path / "c.yaml"
    async with running(recorded_nodes.OLLAMA, recorded_nodes.OLLAMA_MISSING) as ollama:
        file.write_text(
            f'nodes: {{gpu0: {{url: "{ollama.url}", engine: ollama}},'
            ' away: {url: "http://127.0.0.1:1"}}\n'
            "deployments: {d: {nodes: [gpu0, away], auth: none}}\n"
        )
        code, _, err = await run("check", file, *options)
        assert bool(ollama.asked) is says
    assert code == 0
    assert (REMEDY in err) is says
    if says:
        assert err.startswith(f"warning: {file}:1:9: nodes.gpu0: ")


def test_status_says_it() -> None:
    gpu0 = {**TOLD["nodes"]["gpu0"], "advice": ["the remedy"], "left_out": {"m": ["budget", "off"]},
            "contexts": {"m": {"length": None, "trained": 8, "cut_to": 2048},
                         "n": {"length": 5, "trained": 8, "cut_to": None}}}  # fmt: skip
    text = shown({**TOLD, "nodes": {"gpu0": gpu0}})
    assert "gpu0: the remedy" in text
    assert "gpu0: prompts for m were cut to 2048 tokens" in text
    assert "prompts for n" not in text
    assert "gpu0: m refuses thinking controls, which are left out: budget, off" in text
