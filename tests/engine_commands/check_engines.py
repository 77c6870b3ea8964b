"""The start commands of docs/engines-quickstart.md: ``make check-engines``, as root.

llama-server's line starts llama.cpp's server with the tiny model of the other tests; its options
are also looked up in llama.cpp's library. vLLM, SGLang and transformers need a GPU, or gigabytes of
libraries; the options of their lines are looked up in their packages.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import xllamacpp  # type: ignore[import-untyped]

from tests.cli.command import ENVIRONMENT
from tests.first_hour.network import own_network, running
from tests.first_hour.typed import find_block
from tests.nodes.tiny_model import REPLY, write_model
from tests.systemd.machine import ROOT

pytestmark = pytest.mark.timeout(600)

PAGE = "docs/engines-quickstart.md"
BUILD = ROOT / "build/engines"
SERVER = Path(__file__).with_name("llama_server.py")


HELLO = json.dumps({"model": "gpt-5", "messages": [{"role": "user", "content": "Hello"}]})


@dataclass(frozen=True)
class Engine:
    """``words`` are those of its line; ``options`` and ``parsers`` are the modules of its package
    that list its options and its parsers of tool calls."""

    words: str
    package: str
    options: str
    parsers: str = ""


ENGINES = (
    Engine(
        "vllm serve", "vllm", r"vllm/(engine/arg_utils|entrypoints/.*cli_args)\.py",
        r"vllm/tool_parsers/__init__\.py",
    ),
    Engine(
        "sglang.launch_server", "sglang", r"sglang/srt/(server_args|arg_groups/.*)\.py",
        r"sglang/srt/function_call/parser_names\.py",
    ),
    Engine("transformers serve", "transformers", r"transformers/cli/serve\.py"),
)  # fmt: skip


def read_modules(archive: zipfile.ZipFile, names: str) -> str:
    found = [archive.read(one).decode() for one in archive.namelist() if re.fullmatch(names, one)]
    assert found, names
    return "\n".join(found)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.package)
def test_options(engine: Engine) -> None:
    """A module names an option as argparse does, or as a field of a dataclass or a parameter of a
    function."""
    wheels = sorted((BUILD / "wheels").glob(f"{engine.package}-*.whl"), key=os.path.getmtime)
    words = shlex.split(find_block(PAGE, engine.words))
    options = [word for word in words if word.startswith("--")]
    assert options
    with zipfile.ZipFile(wheels[-1]) as archive:
        source = read_modules(archive, engine.options)
        if engine.parsers:
            parser = words[words.index("--tool-call-parser") + 1]
            assert f'"{parser}"' in read_modules(archive, engine.parsers)
    for option in options:
        field = option[2:].replace("-", "_")
        assert re.search(rf'"{option}"|^ +{field}: ', source, re.MULTILINE), option


def test_llama_server(tmp_path: Path) -> None:
    """The page's line is run as it is, and its claims are checked: `init` finds the server, and a
    stream arrives."""
    write_model(tmp_path / "model.gguf")
    line = find_block(PAGE, "llama-server -m").strip()
    library = Path(xllamacpp.__file__).with_name("xllamacpp.abi3.so").read_bytes()
    options = [word for word in shlex.split(line) if word.startswith("--")]
    assert [one for one in options if one.encode() not in library] == []
    program = tmp_path / "llama-server"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {SERVER} "$@"\n')
    program.chmod(0o755)
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**ENVIRONMENT, "PATH": path}
    with own_network() as enter, (tmp_path / "log").open("w") as log:
        enter = [*enter, "env", "-C", str(tmp_path)]
        server = subprocess.Popen(
            [*enter, "sh", "-c", f"exec {line}"], env=environment, stdout=log, stderr=log
        )
        try:
            waiting = ["curl", "-sf", "--retry", "100", "--retry-all-errors", "--retry-delay", "1"]
            health = "http://127.0.0.1:8081/health"
            subprocess.run([*enter, *waiting, health], check=True, capture_output=True, timeout=200)
            init = "casedesk-proxy init --output c.yaml"
            told = subprocess.check_output([*enter, "sh", "-c", init], env=environment, text=True)
            assert "llama-server" in (tmp_path / "c.yaml").read_text(), told
            key = re.search(r"cdp-[\w-]+", told)
            assert key, told
            asked = subprocess.check_output(
                [*enter, "sh", "-c", f"""
                    casedesk-proxy serve --config c.yaml 2>served & proxy=$!
                    curl -sf --retry 30 --retry-all-errors --retry-delay 1 -o ready \\
                        http://127.0.0.1:9180/readyz
                    curl -s http://127.0.0.1:8080/v1/chat/completions \\
                        -H 'Authorization: Bearer {key[0]}' -d '{HELLO}'
                    kill $proxy; wait $proxy
                    """], env=environment, text=True, timeout=200,
            )  # fmt: skip
        finally:
            server.terminate()
            server.wait(60)
    assert REPLY[:20] in asked, (tmp_path / "log").read_text()[-2000:]


def test_a_new_engine(tmp_path: Path) -> None:
    """The last lines of docs/adding-an-engine.md are run in a copy of the repository with today's
    engines."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    (clone / ".venv").symlink_to(Path(sys.executable).parents[1])
    text = find_block("docs/adding-an-engine.md", "tests.engines.table")
    text = text.replace("/tmp/try.yaml", "try.yaml").replace("HOST:PORT", "127.0.0.1:8000")
    table, test, init = text.strip().splitlines()
    environment = {**ENVIRONMENT, "PYTHONPATH": str(clone)}
    # `init` takes a simulated node for a proxy: both list models for all protocols.
    with own_network() as enter, running(enter, "ollama", "8000"):
        for line in (table, test, init):
            subprocess.run([*enter, "sh", "-ec", line], cwd=clone, env=environment, check=True)
    changed = subprocess.check_output(["git", "-C", clone, "diff", "--stat"], text=True)
    assert changed == "", "docs/engines.md is what the table is now"
    assert (clone / "try.yaml").exists()
    shutil.rmtree(clone)
