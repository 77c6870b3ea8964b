"""Function names that a strict node would refuse."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.dialects.core.function_names import ToolNameMap, portable_names

PORTABLE = re.compile(r"[A-Za-z0-9_-]{1,64}")
NAMES = st.text(alphabet="ab.é_-", min_size=1, max_size=4) | st.text(
    alphabet="xy", min_size=62, max_size=70
)


@given(st.lists(NAMES))
def test_new_names_are_portable_and_lead_back(names: list[str]) -> None:
    renamed = portable_names(names)
    at_node = {name: renamed.get(name, name) for name in names}
    assert all(PORTABLE.fullmatch(name) for name in at_node.values())
    assert len(set(at_node.values())) == len(at_node)
    assert not any(PORTABLE.fullmatch(name) for name in renamed)


@given(st.lists(NAMES))
def test_a_name_always_becomes_the_same(names: list[str]) -> None:
    first, second = ToolNameMap(strict=True), ToolNameMap(strict=True)
    made = [first.rename(name) for name in names]
    assert made == [second.rename(name) for name in reversed(names)][::-1]
    assert all(PORTABLE.fullmatch(name) for name in made)
    assert [first.given.get(name, name) for name in made] == names


def test_a_node_that_takes_any_name_gets_it() -> None:
    names = ToolNameMap(strict=False)
    assert names.rename("a.b") == "a.b"
    assert names.given == {}
