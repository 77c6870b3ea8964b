"""Model names, with and without the prefixes of collections and Vertex."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.wire.model_names import is_wrapped, plain_name
from tests.fixtures.table import table


@table(
    ("name", "plain", "wrapped"),
    [
        ("gemma2:9b", "gemma2:9b", False),
        ("models/gemma2:9b", "gemma2:9b", False),
        ("models/models/x", "x", False),
        ("tunedModels/x", "tunedModels/x", False),
        ("a/b", "a/b", False),
        ("publishers/google/models/x", "x", True),
        ("publishers/meta/models/llama3.1:8b", "meta/llama3.1:8b", True),
        ("models/publishers/google/models/x", "x", True),
        ("projects/p/locations/l/publishers/google/models/x", "x", True),
        ("projects/p/locations/l/models/x", "x", True),
        ("publishers//models/x", "x", True),
        ("publishers/meta/models/", "", False),
        ("projects/p", "projects/p", False),
        ("", "", False),
    ],
)
def test_plain_names(name: str, plain: str, wrapped: bool) -> None:
    assert plain_name(name) == plain
    assert is_wrapped(name) is wrapped


@given(st.text(alphabet="a/modelspubihrg\n", max_size=40))
def test_any_text_has_a_plain_name_that_is_its_end(name: str) -> None:
    assert name.endswith(plain_name(name).rpartition("/")[2])
