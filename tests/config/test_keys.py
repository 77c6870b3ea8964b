from __future__ import annotations

import pytest

from casedesk_proxy.config.keys import (
    all_patterns,
    find_field,
    section_at,
    spell,
    takes_reload,
)
from casedesk_proxy.config.schema import Config, Deployment, Node, NodeTls, Secret, Token


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("nodes", "gpu0", "url"), "nodes.gpu0.url"),
        (("tokens", 1, "sha256"), "tokens[1].sha256"),
        (("nodes", "a.b", "url"), "nodes['a.b'].url"),
        (("gemma2:9b",), "'gemma2:9b'"),
        (("nodes", "x" * 70), "nodes['" + "x" * 59 + "…']"),
    ],
)
def test_paths_are_spelled_for_people(path: tuple[str | int, ...], text: str) -> None:
    assert spell(path) == text


@pytest.mark.parametrize(
    ("path", "section"),
    [
        ((), Config),
        (("nodes", "any"), Node),
        (("nodes", "any", "api_key"), Secret),
        (("nodes", "any", "tls"), NodeTls),
        (("deployments", "any"), Deployment),
        (("tokens", 3), Token),
        (("nodes",), None),
        (("nodes", "any", "url"), None),
        (("nodes", "any", "url", "deeper"), None),
        (("unknown",), None),
        (("deployments", "any", "aliases", "a"), None),
    ],
)
def test_sections(path: tuple[str | int, ...], section: type | None) -> None:
    assert section_at(path) is section


def test_every_key_says_what_it_is_for_and_whether_a_reload_takes_it() -> None:
    for pattern in all_patterns():
        field = find_field(pattern)
        assert field is not None, pattern
        assert field.description, pattern
        assert isinstance(field.json_schema_extra, dict), pattern
        assert isinstance(field.json_schema_extra["reload"], bool), pattern


def test_patterns_reach_the_deepest_keys() -> None:
    patterns = list(all_patterns())
    assert ("nodes", "*", "api_key", "env") in patterns
    assert ("tokens", "*", "sha256") in patterns
    assert ("server", "tls", "cert") in patterns
    assert ("deployments", "*", "aliases") in patterns
    assert len(patterns) == len(set(patterns))


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        (("server", "listen"), False),
        (("server", "tls"), False),
        (("server", "tls", "cert"), True),
        (("server", "log_level"), True),
        (("nodes", "a", "url"), True),
        (("deployments", "a", "aliases", "b"), True),
        (("tokens", 0), True),
        (("nowhere",), True),
    ],
)
def test_what_a_reload_takes(path: tuple[str | int, ...], taken: bool) -> None:
    assert takes_reload(path) is taken
