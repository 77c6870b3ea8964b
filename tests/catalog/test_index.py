"""The index gives the same results as a search through the configuration."""

from __future__ import annotations

from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.catalog.index import ModelList, PatternIndex, as_list, by_name, find_near
from casedesk_proxy.terms import ModelInfo
from tests.fixtures.table import table

TWICE = (ModelInfo("a", 1), ModelInfo("b"), ModelInfo("a", 2))


@table("models", [TWICE, ModelList(TWICE)])
def test_the_first_of_a_name_counts(models: tuple[ModelInfo, ...]) -> None:
    assert by_name(models) == {"a": ModelInfo("a", 1), "b": ModelInfo("b")}


def test_a_list_is_looked_through_once() -> None:
    models = ModelList(TWICE)
    assert by_name(models) is by_name(models)
    assert models == TWICE


PATTERNS = st.lists(st.text("ab*?[]", max_size=4), max_size=6)


@given(PATTERNS, st.text("ab", max_size=4))
def test_the_first_pattern_that_fits(patterns: list[str], name: str) -> None:
    pairs = [(one, f"{place}") for place, one in enumerate(patterns)]
    wanted = next((pair for pair in pairs if fnmatchcase(name, pair[0])), None)
    assert PatternIndex(pairs).find(name) == wanted


@table(("name", "wanted"), [("gemini-2", "1"), ("gemini", "2"), ("gpt", "3"), ("x", None)])
def test_order_is_as_written(name: str, wanted: str | None) -> None:
    index = PatternIndex([("gemini-*", "1"), ("gem*", "2"), ("g?t", "3"), ("*mini-2", "4")])
    found = index.find(name)
    assert (found and found[1]) == wanted


def test_near_names_share_pairs_of_letters() -> None:
    names = [f"model-{number}" for number in range(100)] + ["gemma2:9b"]
    near = find_near("gema2:9b", names)
    assert near[0] == "gemma2:9b"
    assert len(near) == 20
    assert find_near("x", names[:3]) == names[:3]


def test_a_list_that_is_one_is_kept() -> None:
    listed = as_list(TWICE)
    assert listed == TWICE
    assert as_list(listed) is listed
