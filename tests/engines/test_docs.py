"""The documents about engines agree with their modules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from casedesk_proxy.engines.registry import ENGINES
from casedesk_proxy.engines.spec import EngineSpec
from tests.engines.table import page

ROOT = Path(__file__).parents[2]
ALL = pytest.mark.parametrize("engine", ENGINES.values(), ids=str)


def test_the_page_of_engines_is_up_to_date() -> None:
    told = "python -m tests.engines.table > docs/engines.md"
    assert (ROOT / "docs" / "engines.md").read_text() == page(), told


@ALL
def test_the_configuration_s_comments_name_every_engine(engine: EngineSpec) -> None:
    text = (ROOT / "config" / "casedesk-proxy.yaml").read_text()
    comment = text.partition("# The engine:")[2].partition("engine:")[0]
    assert engine.name in re.findall(r"[\w-]+", comment)
