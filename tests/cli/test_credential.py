from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from casedesk_proxy.cli.credential import key_lines, quote
from casedesk_proxy.keystore.credential import mint
from tests.fixtures.table import table


def test_lines_are_yaml() -> None:
    credential = mint()
    lines = key_lines("alice", credential, ("desk", "no"))
    assert yaml.safe_load("keys:\n" + lines) == {
        "keys": [{"name": "alice", "sha256": credential.sha256, "deployments": ["desk", "no"]}]
    }


@table("text", ["desk", "gemma2:9b", "Qwen/Qwen3-32B", "a@b.c"])
def test_what_needs_no_quotes(text: str) -> None:
    assert quote(text) == text


@settings(deadline=None)
@given(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1)
    | st.sampled_from(["no", "On", "null", "7", "1.5", "a: b", "gemini-*", "*", "a #b", "y", "a:"])
    | st.from_regex(r"[a-z0-9:.#-]{1,8}", fullmatch=True)
)
def test_text_stays_the_same_text(text: str) -> None:
    assert yaml.safe_load(f"a: {quote(text)}") == {"a": text}
    assert yaml.safe_load(f"a: [{quote(text)}]") == {"a": [text]}
