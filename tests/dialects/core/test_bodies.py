"""Walking through a body of any shape."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.bodies import each_object
from tests.fixtures.table import table


@table(
    ("value", "objects"),
    [
        (None, []),
        ("text", []),
        ({"a": 1}, []),
        ([], []),
        ([{"a": 1}, 7, None, [{}], {}], [(0, {"a": 1}), (4, {})]),
    ],
)
def test_the_objects_of_a_list_with_their_places(value: Any, objects: list[Any]) -> None:
    assert list(each_object(value)) == objects
