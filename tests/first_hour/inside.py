"""Nodes and clients that the tests run in another network namespace.

python -m tests.first_hour.inside node PORT        a simulated node; prints its URL, and ends with
                                                   its input
python -m tests.first_hour.inside ollama PORT      one that answers as Ollama did
python -m tests.first_hour.inside reranker PORT    one that reranks, as vLLM does
python -m tests.first_hour.inside clients PORT N   says when all N streams have begun; with the
                                                   next line of its input each reads on, and the
                                                   last line says how many came whole
"""

from __future__ import annotations

import asyncio
import sys

from casedesk_proxy.simulator import app
from casedesk_proxy.simulator.script import Script
from tests.e2e.test_ollama_python import Ollama
from tests.fixtures.raw_node import RawNode
from tests.fixtures.recorded_nodes import NOT_FOUND, RecordedNode, reply
from tests.systemd.test_deb import read_past

#: What README's request asks for.
MODEL = "gemini-2.5-flash"
RANKED = (
    '{"id":"r","model":"reranker","usage":{"prompt_tokens":9,"total_tokens":9},"results":'
    '[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}]}'
)


async def serve_simulated(port: int) -> None:
    node = await app.start(port=port, pace=0, models={"m": Script(), MODEL: Script()})
    print(node.url, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await node.stop()


async def serve(node: RawNode) -> None:
    await node.begin()
    print(node.url, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await node.end()


async def stream(port: int, count: int) -> None:
    firsts, upgraded = [asyncio.Event() for _ in range(count)], asyncio.Event()
    tasks = [asyncio.ensure_future(read_past(port, one, upgraded)) for one in firsts]
    await asyncio.gather(*(one.wait() for one in firsts))
    print("begun", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    upgraded.set()
    came = await asyncio.gather(*tasks, return_exceptions=True)
    whole = [
        one for one in came
        if isinstance(one, list) and one == [str(number) for number in range(1, len(one) + 1)]
    ]  # fmt: skip
    print(f"{len(whole)} of {count} whole", flush=True)


async def main(what: str, port: int, *more: str) -> None:
    if what == "node":
        await serve_simulated(port)
    elif what == "ollama":
        node = Ollama()
        node.port = port
        await serve(node)
    elif what == "reranker":
        ranked = {"POST /v2/rerank": reply(RANKED), "POST /v1/rerank": reply(RANKED)}
        await serve(RecordedNode(ranked, NOT_FOUND, port=port))
    else:
        await stream(port, int(more[0]))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
