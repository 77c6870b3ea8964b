#!/usr/bin/env python3
"""What prefix affinity saves: the share of prompt tokens that real llama-servers have cached.

python -m bench.affinity                      # the tables of README.md; needs xllamacpp and gguf

Conversations of several turns, one turn of each after the other, at two nodes in one deployment.
They begin with one common system text, or each with its own. Node settings: slots of each, the
similarity from which a slot is taken over for a prompt (--slot-prompt-similarity), and memory for
prompts without a slot (--cache-ram, MiB). With the model of `make test`: counts, not times.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from casedesk_proxy.config.load import load_config
from casedesk_proxy.server.app import Gateway

CONFIG = """
server: {{listen: "127.0.0.1:0", admin: null, access_log: false}}
default_deployment: d
nodes:
{nodes}
deployments: {{d: {{auth: none, nodes: [{names}], policy: {policy}}}}}
"""
_WORDS = [f"w{number}" for number in range(130)]


@dataclass(frozen=True, slots=True)
class Setting:
    """The settings of each node; see the module's docstring."""

    slots: int
    similarity: float
    cache_ram_mib: int


#: The fourth is llama-server's default.
SETTINGS = (
    Setting(4, 0.1, 0),
    Setting(4, 0.7, 0),
    Setting(4, 0.9, 0),
    Setting(4, 0.1, 8192),
    Setting(4, 0.7, 8192),
    Setting(4, 0.9, 8192),
)


def serve(model: str, slots: int, similarity: float, cache_ram_mib: int) -> None:
    """A node, until its standard input ends."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.port = 0
    params.model_alias = {"tiny"}
    params.n_parallel, params.n_ctx = slots, slots * 4096
    params.slot_prompt_similarity, params.cache_ram_mib = similarity, cache_ram_mib
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.fit_params = False
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


@contextlib.contextmanager
def node(model: Path, setting: Setting) -> Iterator[str]:
    shown = (setting.slots, setting.similarity, setting.cache_ram_mib)
    code = f"from bench.affinity import serve; serve({str(model)!r}, {', '.join(map(str, shown))})"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def ask(url: str, messages: list[dict[str, str]]) -> dict[str, Any]:
    body = json.dumps({"model": "tiny", "messages": messages, "max_tokens": 16}).encode()
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        found: dict[str, Any] = json.load(reply)
    return found


def converse(url: str, conversations: int, turns: int, *, common: bool) -> float:
    """The share of prompt tokens that came from a cache, over all turns but the first."""
    dice = random.Random(7)

    def say(words: int) -> str:
        return " ".join(dice.choices(_WORDS, k=words))

    shared = say(300)
    talks = [[{"role": "system", "content": shared if common else say(300)}]
             for _ in range(conversations)]  # fmt: skip
    prompt = cached = 0
    for turn in range(turns):
        # In another order each time: so the slot that was idle longest does not belong to one
        # conversation.
        for talk in dice.sample(talks, k=len(talks)):
            talk.append({"role": "user", "content": say(100)})
            reply = ask(url, talk)
            talk.append({"role": "assistant", "content": reply["choices"][0]["message"]["content"]})
            if turn:
                usage = reply["usage"]
                prompt += usage["prompt_tokens"]
                cached += (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
    return cached / prompt


async def measure(
    model: Path, setting: Setting, policy: str, conversations: int, turns: int, *, common: bool
) -> float:
    with node(model, setting) as one, node(model, setting) as two:
        urls = enumerate((one, two))
        rows = [f"  n{at}: {{url: '{url}', engine: llama-server}}" for at, url in urls]
        text = CONFIG.format(nodes="\n".join(rows), names="n0, n1", policy=policy)
        gateway = Gateway(load_config(text, "affinity.yaml").config, {})
        try:
            await gateway.start()
            (url,) = gateway.urls
            return await asyncio.to_thread(converse, url, conversations, turns, common=common)
        finally:
            await gateway.drain(0)
            await gateway.stop()


def show_settings(model: Path, turns: int) -> None:
    """One node without a proxy, to show the effect of its settings."""
    click.echo(
        "| similarity | cache-ram | 4 conversations, each its own text | common text"
        " | 6, each its own | common |\n|---|---|---|---|---|---|"
    )
    for setting in SETTINGS:
        cells = []
        with node(model, setting) as url:
            for conversations in (4, 6):
                for common in (False, True):
                    cells.append(f"{converse(url, conversations, turns, common=common):.0%}")
        shown = f"| {setting.similarity} | {setting.cache_ram_mib}"
        click.echo(f"{shown} | {' | '.join(cells)} |")


def show_policies(model: Path, conversations: int, turns: int) -> None:
    """Two nodes behind the proxy, with llama-server's default settings and with the best."""
    click.echo(
        "\n| similarity | system text | least-streams | prefix-affinity |\n|---|---|---|---|"
    )
    for setting in (SETTINGS[3], SETTINGS[5]):
        for common in (False, True):
            cells = []
            for policy in ("least-streams", "prefix-affinity"):
                asked = measure(model, setting, policy, conversations, turns, common=common)
                cells.append(f"{asyncio.run(asked):.0%}")
            kind = "common" if common else "each its own"
            click.echo(f"| {setting.similarity} | {kind} | {' | '.join(cells)} |")


@click.command()
@click.option("--conversations", default=12, show_default=True, help="At two nodes.")
@click.option("--turns", default=3, show_default=True)
def main(conversations: int, turns: int) -> None:
    from tests.nodes.tiny_model import write_model

    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "tiny.gguf"
        write_model(model)
        show_settings(model, turns)
        show_policies(model, conversations, turns)


if __name__ == "__main__":
    main()
