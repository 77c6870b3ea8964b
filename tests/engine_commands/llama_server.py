"""llama.cpp's own server behind the options of its program: no package has the program itself.

What an option sets is the field of the same meaning in llama.cpp's parameters.
"""

from __future__ import annotations

import signal
import sys

import click
import xllamacpp  # type: ignore[import-untyped]


@click.command()
@click.option("-m", "--model", required=True)
@click.option("--port", type=int, required=True)
@click.option("--jinja", is_flag=True)
@click.option("--parallel", type=int)
@click.option("--ctx-size", type=int)
def main(model: str, port: int, jinja: bool, parallel: int, ctx_size: int) -> None:
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.port, params.use_jinja = port, jinja
    params.n_parallel, params.n_ctx = parallel, ctx_size
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.fit_params = False
    server = xllamacpp.Server(params)
    print(server.listening_address, file=sys.stderr, flush=True)
    signal.sigwait({signal.SIGTERM})


if __name__ == "__main__":
    main()
