from __future__ import annotations

import pytest

from casedesk_proxy.config.complaints import ConfigError
from casedesk_proxy.config.load import load_config
from tests.fixtures.table import table

HASH = "ab" * 32
NEW = f"""\
nodes: {{a: {{url: "http://a"}}}}
deployments:
  d: {{nodes: [a], auth: keys}}
keys: [{{name: alice, sha256: {HASH}, deployments: [d]}}]
"""
OLD = NEW.replace("keys", "tokens")


def test_the_names_of_today_are_read_without_a_word() -> None:
    assert load_config(NEW, "f").warnings == []


def test_old_names_mean_what_they_did() -> None:
    loaded = load_config(OLD, "f")
    assert loaded.config == load_config(NEW, "f").config
    assert [str(one) for one in loaded.warnings] == [
        "f:3:25: deployments.d.auth: tokens is the old word for keys, and a later version will"
        " not accept it; write auth: keys",
        "f:4:1: tokens: is the old name of keys, and a later version will not accept it; write"
        " keys:",
    ]


def test_complaints_name_what_the_file_has() -> None:
    assert complaints(OLD.replace(HASH, "short"))[0].startswith("f:4:32: tokens[0].sha256: ")


def test_both_names_at_once_are_refused() -> None:
    assert complaints(NEW + "tokens: []\n")[0] == (
        "f:5:1: tokens: is the old name of keys, which is set too; move its entries to keys"
    )


@table("deployments", ["[d]", "{d: 1}", "{d: {auth: 1}}"])
def test_what_has_the_wrong_type_is_left_to_the_schema(deployments: str) -> None:
    text = f"nodes: {{a: {{url: http://a}}}}\ndeployments: {deployments}\ntokens: 3\n"
    assert "f:3:9: tokens: is a number, but must be a list" in complaints(text)


def complaints(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(text, "f")
    return [str(one) for one in caught.value.complaints]
