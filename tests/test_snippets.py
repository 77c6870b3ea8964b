"""Everything that the documents show to be typed or pasted works: configurations load, commands
exist with their options, TOML and JSON parse, and each block is run by a test that is named
here."""

from __future__ import annotations

import importlib
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
_BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
#: Code that a reader cannot tell from text, and that no test here would find.
_INDENTED = re.compile(r"\n\n {4,}(?![ *-]|\d+\.)[^\n]+")
#: Blocks that are pictures, or lists of pages.
_NO_CODE = {"architecture.md", "index.md"}
_DEPLOYMENT = "deployments: {d: {auth: none, nodes: [%s]}}\n"
_NODE = '{url: "http://127.0.0.1:9"}'


DOCUMENTS = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "bench/README.md")),
    *sorted(ROOT.glob("docs/*.md")),
)


def snippets(*languages: str, below: str = "") -> list[ParameterSet]:
    """``below``: the part of the document that follows this heading."""
    shown = []
    for path in DOCUMENTS:
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


def commands(text: str) -> Iterator[tuple[click.Command, list[str]]]:
    """The program's commands, and those of the scripts in bench/, each with its arguments."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        names = [n for n, word in enumerate(words) if word.rpartition("/")[2] == "casedesk-proxy"]
        if names and not set(words[: names[0]]) & {"systemctl", "apt", "pipx", "pip"}:
            yield main, words[names[0] + 1 :]
        elif words[:1] == ["python"] and (script := " ".join(words).partition("bench")[2]):
            name = re.split(r"\.py\b| ", script[1:])[0]
            command = getattr(importlib.import_module(f"bench.{name}"), "main", None)
            if isinstance(command, click.Command):
                yield command, words[3 if words[1] == "-m" else 2 :]


def parse(command: click.Command, words: list[str]) -> None:
    """Raises click's errors. The name of a group alone stands for its commands."""
    context = click.Context(command)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"there is no command {words[0]}"
        command, words = found, words[1:]
        context = click.Context(command, parent=context)
    command.make_parser(context).parse_args(words)


@pytest.mark.parametrize("text", snippets("sh"))
def test_a_command_has_these_options(text: str) -> None:
    for command, words in commands(text):
        parse(command, words[: words.index("|")] if "|" in words else words)


@pytest.mark.parametrize(
    "path", [*DOCUMENTS, *ROOT.glob("config/*.yaml")], ids=lambda path: path.name
)
def test_a_command_within_a_sentence_has_these_options(path: Path) -> None:
    for found in re.findall(r"`(?:[A-Z_]+=\S+ )*casedesk-proxy ([^`|]+)`", path.read_text()):
        parse(main, shlex.split(found))


#: Of others, and the shell's own.
_FOREIGN = {
    "apt", "buildah", "claude", "codex", "curl", "editor", "export", "gemini", "git",
    "llama-server", "node", "ollama", "pipx", "python", "text-generation-launcher", "transformers",
    "vllm",
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


def test_the_engine_that_is_added_passes_its_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test is the one on the page."""
    engine, test = (str(one.values[0]) for one in snippets("python", below="adding-an-engine.md"))
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


#: Language, words that a block holds, and the test that runs it: what pytest finds, or `make
#: check-…` where that needs root, minutes, or programs too large for each run of all tests.
RUN_BY = [
    ("yaml", "", "tests/test_snippets.py::test_a_configuration_loads"),
    ("nginx", "", "tests/packages/test_reverse_proxies.py::nginx"),
    ("caddy", "", "tests/packages/test_reverse_proxies.py::caddy"),
    ("toml", "wire_api", "tests/codex/check_codex.py::test_the_pages_lines"),
    ("js", "HOST", "tests/clients/check_clients.py::test_node"),
    ("python", "HOST", "tests/clients/check_clients.py::test_python"),
    ("python", "SPEC", "tests/test_snippets.py::test_the_engine_that_is_added_passes_its_test"),
    ("sh", "make run", "tests/first_hour/check_run.py::test_its_lines_come_and_can_be_pasted"),
    ("sh", ".venv/bin/casedesk-proxy serve", "tests/first_hour/check_run.py::test_own_models"),
    ("sh", "casedesk-proxy doctor config", "tests/first_hour/check_pipx.py::test_the_first_hour"),
    ("sh", "apt install", "tests/first_hour/check_deb.py::test_installed_edited_a_stream_comes"),
    ("sh", "enable --now", "tests/first_hour/check_deb.py::test_enabled_reloaded_restarted"),
    ("sh", "curl -N", "tests/daemon/test_documented_commands.py::test_the_first_curl_line_streams"),
    ("sh", "key rotate", "tests/daemon/test_documented_commands.py::test_a_life_of_a_key"),
    ("sh", "/v1/usage", "tests/daemon/test_documented_commands.py::test_a_holder_sees_its_use"),
    ("sh", "-X DELETE", "tests/daemon/test_documented_commands.py::test_keys_over_http"),
    ("sh", "user new", "tests/daemon/test_documented_commands.py::test_users"),
    ("sh", " top ", "tests/daemon/test_documented_commands.py::test_what_answers_most_questions"),
    ("sh", "ANTHROPIC_", "tests/claude_code/check_claude_code.py::test_the_pages_lines"),
    ("sh", "GEMINI_", "tests/gemini_cli/check_gemini_cli.py::test_the_pages_lines"),
    ("sh", "DESK_KEY", "tests/codex/check_codex.py::test_the_pages_lines"),
    ("sh", "llama-server", "tests/engine_commands/check_engines.py::test_llama_server"),
    ("sh", "vllm serve", "tests/engine_commands/check_engines.py::test_options"),
    ("sh", "sglang", "tests/engine_commands/check_engines.py::test_options"),
    ("sh", "transformers serve", "tests/engine_commands/check_engines.py::test_options"),
    ("sh", "tests.engines.table", "tests/engine_commands/check_engines.py::test_a_new_engine"),
    ("sh", "bench", "tests/test_snippets.py::test_a_command_has_these_options"),
]
#: What no package that can be installed here has: read in documentation, as the page says.
NOT_RUN = ("ollama serve", "text-generation-launcher")


def test_each_block_is_run_by_a_test() -> None:
    unknown = []
    for path in DOCUMENTS:
        text = path.read_text()
        assert path.name in _NO_CODE or not re.search(r"(\A|\n\n) *```\n", text), "no language"
        assert _INDENTED.findall(_BLOCK.sub("", text)) == [], f"{path.name}: indented code"
        for found in _BLOCK.finditer(text):
            known = [test for kind, words, test in RUN_BY if kind == found[1] and words in found[2]]
            if not known and not any(words in found[2] for words in NOT_RUN):
                unknown.append((path.name, found[2]))
    assert unknown == []


def test_the_tests_that_run_blocks_are_there() -> None:
    for _, _, test in RUN_BY:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(), test


#: The row of docs/clients.md, and where the version is pinned that its `make check-…` installs.
AGENTS = {
    "Claude Code": "tests/claude_code", "gemini-cli": "tests/gemini_cli", "Codex": "tests/codex",
}  # fmt: skip


@pytest.mark.parametrize("name", AGENTS)
def test_the_versions_of_agents_are_those_that_are_tested(name: str) -> None:
    (version,) = json.loads((ROOT / AGENTS[name] / "package.json").read_text())[
        "dependencies"
    ].values()
    rows = (ROOT / "docs/clients.md").read_text().splitlines()
    (row,) = [one for one in rows if re.match(rf"\| {name}\b", one)]
    assert row.split("|")[2].split()[0] == version
