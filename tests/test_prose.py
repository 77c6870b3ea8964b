"""The rules for prose are followed, and refuse their bad examples."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

PROSE = Path(__file__).parents[1] / "docs" / "prose.py"

spec = importlib.util.spec_from_file_location("prose", PROSE)
assert spec is not None
assert spec.loader is not None
prose = importlib.util.module_from_spec(spec)
# Where dataclasses look for a module's names.
__import__("sys").modules["prose"] = prose
spec.loader.exec_module(prose)


@pytest.mark.timeout(240)  # All modules are parsed, see test_assertions.
def test_no_message_and_no_document_has_a_construction_that_was_cleaned_out() -> None:
    assert prose.find_faults() == []


def test_each_rule_refuses_its_bad_example_alone() -> None:
    assert len(prose.RULES) > 10
    for rule in prose.RULES:
        assert rule.refuse.search(rule.bad), rule
        assert not rule.refuse.search(rule.good), rule


def test_code_in_a_document_is_not_prose() -> None:
    text = "a `told` b\n```sh\ntold\n```\n[x](told.md) told"
    assert prose._CODE.sub("", text).count("told") == 1
