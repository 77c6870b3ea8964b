from __future__ import annotations

import pytest

from casedesk_proxy.config.complaints import ConfigError
from casedesk_proxy.config.load import load_config
from casedesk_proxy.config.nodes import Node, NodeTls
from casedesk_proxy.config.schema import Alias, Config, Deployment, Key, Secret
from casedesk_proxy.config.settings import (
    all_patterns,
    find_field,
    looks_secret,
    section_at,
    spell,
    takes_reload,
)
from tests.fixtures.table import table


@table(
    ("path", "text"),
    [
        ((), ""),
        (("nodes", "gpu0", "url"), "nodes.gpu0.url"),
        (("keys", 1, "sha256"), "keys[1].sha256"),
        (("nodes", "a.b", "url"), "nodes['a.b'].url"),
        (("gemma2:9b",), "'gemma2:9b'"),
        (("nodes", "x" * 70), "nodes['" + "x" * 59 + "…']"),
    ],
)
def test_paths_are_spelled_for_people(path: tuple[str | int, ...], text: str) -> None:
    assert spell(path) == text


@table(
    ("path", "section"),
    [
        ((), Config),
        (("nodes", "any"), Node),
        (("nodes", "any", "api_key"), Secret),
        (("nodes", "any", "tls"), NodeTls),
        (("deployments", "any"), Deployment),
        (("keys", 3), Key),
        (("nodes",), None),
        (("nodes", "any", "url"), None),
        (("nodes", "any", "url", "deeper"), None),
        (("unknown",), None),
        (("deployments", "any", "aliases", "a"), Alias),
        (("deployments", "any", "aliases", "a", "set"), None),
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
    assert ("keys", "*", "sha256") in patterns
    assert ("server", "tls", "cert") in patterns
    assert ("deployments", "*", "aliases") in patterns
    assert len(patterns) == len(set(patterns))


@table(
    ("path", "taken"),
    [
        (("server", "listen"), False),
        (("server", "tls"), False),
        (("server", "tls", "cert"), True),
        (("server", "log_level"), True),
        (("nodes", "a", "url"), True),
        (("deployments", "a", "aliases", "b"), True),
        (("keys", 0), True),
        (("nowhere",), True),
    ],
)
def test_what_a_reload_takes(path: tuple[str | int, ...], taken: bool) -> None:
    assert takes_reload(path) is taken


SECRETS = (
    "sk-proj-abcdefgh12345", "cdp-Zm9vYmFyYmF6cXV4", "hf_abcdefghijklmn", "AIzaSyA-1234567890abc",
    "ghp_0123456789abcdef", "eyJhbGciOi.J9.abc", "Bearer abc", "nvapi-12345678",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "Ab3dEf6hIj9lMn2pQr5t",
)  # fmt: skip


@table("secret", SECRETS)
def test_what_looks_like_a_secret_is_not_repeated(secret: str) -> None:
    """A secret is not repeated, whether it was written as a key, as a name, or as a value of the
    wrong type."""
    assert secret not in spell(("nodes", "a", secret))
    places = (
        "{{s}: 1}", "{nodes: {a: {{s}: 1}}}", "{nodes: {a: {api_key: {{s}: 1}}}}",
        "{nodes: {a: {api_key: {{s}}}}}", "{keys: [{s}]}", "{keys: [{{s}}]}",
        "{keys: [{name: {s}, {s}: x, deployments: {s}}]}", "{deployments: {d: {nodes: {s}}}}",
        "{deployments: {d: {nodes: [{s}], aliases: {{s}: {a: {s}}}}}}", "{default_deployment: {s}}",
        "{server: {{s}: x, log_level: {s}, max_body: {s}}}",
        "{nodes: {a: {url: {s}, engine: {s}}}}",
        "{nodes: {a: {url: http://{s}@h, speaks: {s}, models: {{s}: {s}}, weight: {s}}}}",
        "{nodes: {{s}: {}}}", "{keys: [{name: x, key: {s}}]}", "{*{s}: 1}", "- {s}\nx: {s}",
        "{nodes: {a: {{s}: 1, {s}: 2}}}", "nodes:{s}\nserver: {s}", 'a: "{s}\nb: c\n',
    )  # fmt: skip
    for place in places:
        with pytest.raises(ConfigError) as caught:
            load_config(place.replace("{s}", secret), "f")
        assert secret not in str(caught.value), place


@table(
    "name",
    [
        "gpu0", "claude-sonnet-4-5-20250929", "meta-llama/Llama-3.3-70B-Instruct", "key-value",
        "gemini-2.5-flash:gemma2:9b", "max_streams", "key-a", "internationalization-node",
        "nomic-embed-text:v1.5", "hf.co/bartowski/Qwen2.5-Coder-32B-Instruct-GGUF:Q4_K_M",
        "first_byte_timeout", "sk-1", "keyboard_layouts",
    ],
)  # fmt: skip
def test_names_are_repeated(name: str) -> None:
    assert not looks_secret(name)
