"""JSON that is nested more deeply than it can be written."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.jsonio import TooDeep, dumps, dumps_stream, is_deeper, loads


def nested(levels: int) -> Any:
    return loads('{"a":' * levels + "[]" + "}" * levels)


@pytest.mark.parametrize("write", [dumps, dumps_stream])
def test_what_can_be_read_but_not_written(write: Any) -> None:
    assert loads(write(nested(200))) == nested(200)
    with pytest.raises(TooDeep):
        write(nested(1000))


def test_what_is_no_json_is_a_fault_of_ours() -> None:
    with pytest.raises(TypeError):
        dumps(object())


def test_is_deeper() -> None:
    assert not is_deeper(1, 0)
    assert is_deeper([], 0)
    assert not is_deeper([], 1)
    assert not is_deeper({"a": [1], "b": 2}, 2)
    assert is_deeper({"a": 1, "b": [{}]}, 2)
    assert is_deeper(nested(1000), 200)
