from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from casedesk_proxy.config.json_schema import DRAFT, config_schema
from casedesk_proxy.config.settings import all_patterns
from casedesk_proxy.config.tree import read_tree
from tests.fixtures.table import table

EXAMPLES = sorted((Path(__file__).parents[2] / "config").glob("*.yaml"))
VALIDATOR = Draft202012Validator(config_schema())
GOOD: dict[str, Any] = {
    "nodes": {"a": {"url": "http://a"}},
    "deployments": {"d": {"nodes": ["a"]}},
}


def test_it_is_a_schema_of_its_draft() -> None:
    assert config_schema()["$schema"] == DRAFT
    Draft202012Validator.check_schema(config_schema())
    json.dumps(config_schema())


@table("path", EXAMPLES, ids=lambda path: path.name)
def test_it_accepts_the_examples(path: Path) -> None:
    assert [
        error.message for error in VALIDATOR.iter_errors(read_tree(path.read_text(), "").value)
    ] == []


@table(
    "change",
    [
        {"nodes": {}},
        {"colour": "red"},
        {"server": {"colour": "red"}},
        {"server": {"max_body": "32m"}},
        {"server": {"drain_timeout": "soon"}},
        {"server": {"listen": 8080}},
        {"server": {"tls": {"cert": "/c"}}},
        {"nodes": {"a": {}}},
        {"nodes": {"a": {"url": "ftp://a"}}},
        {"nodes": {"a": {"url": "http://a", "engine": "abacus"}}},
        {"nodes": {"a": {"url": "http://a", "api_key": {"env": "A", "file": "/b"}}}},
        {"nodes": {"a": {"url": "http://a", "api_key": {}}}},
        {"nodes": {"a": {"url": "http://a", "weight": 0}}},
        {"deployments": {"d": {"nodes": ["a"], "auth": "maybe"}}},
        {"keys": [{"name": "a", "sha256": "short", "deployments": []}]},
    ],
)
def test_it_refuses_what_loading_refuses(change: dict[str, Any]) -> None:
    assert VALIDATOR.is_valid(GOOD)
    assert not VALIDATOR.is_valid({**GOOD, **change})


def test_every_key_has_a_text_and_no_title() -> None:
    names = {pattern[-1] for pattern in all_patterns()} - {"inline"}
    sections = [config_schema(), *config_schema()["$defs"].values()]
    sections += [one for section in sections for one in section.get("anyOf", [])]
    described = {
        name
        for section in sections
        for name, key in section.get("properties", {}).items()
        if key.get("description") and "reload" in key and "title" not in key
    }
    assert names <= described
