"""A real llama.cpp node in a separate process, by the xllamacpp wheel.

Run as a program it serves the given model, prints its URL and stays until its standard input ends,
so it cannot outlive the tests.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: Seconds in which it ends. Started as a program, this file imports nothing of the tests.
_END_S = 55.0
#: The names under which it serves its one model.
NAMES = ("tiny", "gemma2:9b")
SLOTS = 2
#: Of one slot in place of two, for an agent's first prompt.
WIDE, WIDE_TOKENS = "wide", 65536


@dataclass(frozen=True)
class LlamaNode:
    url: str
    process: subprocess.Popen[str]
    model: Path

    def crash(self) -> None:
        """End like a machine that fails, without closing any connection properly."""
        self.process.kill()
        self.process.wait(_END_S)


@contextmanager
def llama_server(
    model: Path,
    port: int = 0,
    socket: Path | None = None,
    projector: Path | None = None,
    *,
    wide: bool = False,
) -> Iterator[LlamaNode]:
    """A node that answers, on a free port, on this port, or on a Unix socket (``.sock``). With a
    ``projector`` it accepts images, and makes no embeddings. ``wide``: one slot with the model's
    whole context."""
    more = [str(one) for one in (socket, projector) if one is not None]
    if wide:
        more.append(WIDE)
    process = subprocess.Popen(
        [sys.executable, __file__, str(model), str(port), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        url = process.stdout.readline().strip()
        assert url, "llama-server did not start"
        try:
            yield LlamaNode(f"http+unix://{socket}" if socket else url, process, model)
        finally:
            process.terminate()
            process.wait(_END_S)


def serve(model: str, port: int, *more: str) -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.port = port
    projectors = [one for one in more if one.endswith(".gguf")]
    if sockets := [one for one in more if one.endswith(".sock")]:
        params.hostnames = sockets
    params.model_alias = set(NAMES)
    params.n_parallel, params.n_ctx = SLOTS, SLOTS * 4096
    if WIDE in more:
        params.n_parallel, params.n_ctx = 1, WIDE_TOKENS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.cache_ram_mib = 0
    params.fit_params = False
    params.endpoint_metrics = True
    if projectors:
        params.mmproj.path = projectors[0]
    else:
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
