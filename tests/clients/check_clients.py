"""The clients of docs/clients.md, each with exactly the page's text: ``make check-clients``, as
root.

SDKs are those of the other tests; frameworks are installed into a separate environment.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.desk import ANSWER, Desk, desk_here
from tests.first_hour.typed import find_blocks
from tests.node_sdks.scripts import NODE
from tests.systemd.machine import ROOT

pytestmark = pytest.mark.timeout(300)

PAGE = "docs/clients.md"
FRAMEWORKS = ROOT / "build/clients/bin/python"
#: What those blocks import that the other tests do not have.
_OF_FRAMEWORKS = re.compile(r"^(?:from|import) (?:langchain|llama_index|cohere)", re.MULTILINE)
#: Of the ranking, which says no sentence.
BEST = "index=1"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk_here(tmp_path_factory.mktemp("desk")) as desk:
        yield desk


def first_line(text: str) -> str:
    return text.splitlines()[0]


@pytest.mark.parametrize("text", find_blocks(PAGE, "python"), ids=first_line)
def test_python(desk: Desk, text: str) -> None:
    python = FRAMEWORKS if _OF_FRAMEWORKS.search(text) else Path(sys.executable)
    done = desk.run(python, "-", text=desk.fill(text), environment={"HOME": str(desk.home)})
    expected = {"import cohere": BEST, "from ollama import Client": "tiny test model"}
    assert expected.get(first_line(text), ANSWER) in done.stdout, done.stderr


@pytest.mark.parametrize("text", find_blocks(PAGE, "js"), ids=first_line)
def test_node(desk: Desk, text: str) -> None:
    done = desk.run(
        NODE, "--input-type=module", text=desk.fill(text), cwd=ROOT / "tests/node_sdks",
        environment={"HOME": str(desk.home)},
    )  # fmt: skip
    assert ANSWER in done.stdout, done.stderr
