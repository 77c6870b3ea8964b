"""What the documents show to be typed or pasted works: configurations load, commands exist with
their options, Python runs, TOML and JSON parse."""

from __future__ import annotations

import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
import yaml
from _pytest.mark.structures import ParameterSet

from casedesk_proxy import __version__
from casedesk_proxy.cli import main
from casedesk_proxy.config.load import load_config

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_DEPLOYMENT = "deployments: {d: {auth: none, nodes: [%s]}}\n"
_NODE = '{url: "http://127.0.0.1:9"}'


def snippets(*languages: str, below: str = "") -> list[ParameterSet]:
    """``below``: of this document alone."""
    shown = []
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))):
        if below not in path.name:
            continue
        text = path.read_text()
        for found in _BLOCK.finditer(text):
            if found[1] in languages:
                line = text.count("\n", 0, found.start()) + 2
                shown.append(pytest.param(found[2], id=f"{path.name}:{line}"))
    return shown


@pytest.mark.parametrize("text", snippets("yaml"))
def test_a_configuration_loads(text: str) -> None:
    shown = yaml.safe_load(text)
    text = text.replace('"…"', f'"{"0" * 64}"')
    if "nodes" not in shown:
        used = {
            name
            for one in shown.get("deployments", {"d": {"nodes": ["n"]}}).values()
            for name in one["nodes"]
        }
        text += f"nodes: {{{', '.join(f'{name}: {_NODE}' for name in sorted(used))}}}\n"
    if "deployments" not in shown:
        text += _DEPLOYMENT % ", ".join(shown.get("nodes", ["n"]))
    assert load_config(text, "snippet.yaml").config.nodes


def commands(text: str) -> Iterator[list[str]]:
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        names = [n for n, word in enumerate(words) if word.rpartition("/")[2] == "casedesk-proxy"]
        if names and not set(words[: names[0]]) & {"systemctl", "apt", "pipx", "pip"}:
            yield words[names[0] + 1 :]


@pytest.mark.parametrize("text", snippets("sh"))
def test_a_command_has_these_options(text: str) -> None:
    for words in commands(text):
        command: click.Command = main
        context = click.Context(main)
        while isinstance(command, click.Group):
            found = command.get_command(context, words[0])
            assert found is not None, f"there is no command {words[0]}"
            command, words = found, words[1:]
            context = click.Context(command, parent=context)
        words = words[: words.index("|")] if "|" in words else words
        command.make_parser(context).parse_args(list(words))


#: Of others, and the shell's own.
_FOREIGN = {
    "apt", "buildah", "claude", "codex", "curl", "editor", "export", "gemini", "llama-server",
    "ollama", "pipx", "python", "text-generation-launcher", "transformers", "vllm",
}  # fmt: skip


@pytest.mark.parametrize("text", snippets("sh"))
def test_what_a_command_names_is_there(text: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for line in text.replace("\\\n", " ").splitlines():
        words = [
            word for word in shlex.split(line, comments=True) if not re.match(r"[A-Z_]+=", word)
        ]
        if not words:
            continue
        program = words[0].rpartition("/")[2]
        if program == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line
        elif program == "systemctl":
            unit = words[-1] if "." in words[-1] else f"{words[-1]}.service"
            assert (ROOT / "systemd" / unit).exists(), line
        else:
            assert program in _FOREIGN | {"casedesk-proxy"}, line
        for version in re.findall(r"casedesk-proxy_([\d.]+)_", line):
            assert version == __version__


@pytest.mark.parametrize("text", snippets("python", below="clients.md"))
def test_python_runs(text: str) -> None:
    """Nothing is raised."""
    exec(text.replace("HOST", "127.0.0.1"), {})


def test_the_engine_that_is_added_passes_its_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test is the page's own."""
    engine, test = (one.values[0] for one in snippets("python", below="adding-an-engine.md"))
    module = ModuleType("casedesk_proxy.engines.example")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(engine, module.__dict__)
    names: dict[str, Any] = {}
    exec(test, names)
    names["test_it_is_known_by_its_version"]()


@pytest.mark.parametrize("text", snippets("toml", "json"))
def test_a_file_parses(text: str) -> None:
    try:
        assert json.loads(text)
    except ValueError:
        assert tomllib.loads(text)
