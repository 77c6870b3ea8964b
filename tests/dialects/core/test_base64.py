"""Base64 in the spellings in which clients send it."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.dialects.core.base64 import standard_base64
from tests.fixtures.table import table


@given(st.binary(max_size=99))
def test_every_spelling_is_the_standard_one(data: bytes) -> None:
    wanted = base64.b64encode(data).decode()
    assert standard_base64(wanted) == wanted
    assert standard_base64(base64.urlsafe_b64encode(data).decode().rstrip("=")) == wanted
    assert standard_base64(base64.encodebytes(data).decode(), in_lines=True) == wanted


@table("data", ["a", "ab c", "ab\ncd", "é===", "abc?"])
def test_anything_else_is_none(data: str) -> None:
    assert standard_base64(data) is None
