from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.config.complaints import Complaint, ConfigError
from casedesk_proxy.config.load import load_config
from casedesk_proxy.terms import Dialect
from tests.fixtures.effort import examples
from tests.fixtures.table import table

EXAMPLE = (Path(__file__).parents[2] / "config" / "gpu-host.yaml").read_text()
HASH = "ab" * 32
GOOD = f"""\
server: {{listen: "127.0.0.1:80", max_body: 1MiB, access_log: no}}
default_deployment: desk
nodes:
  gpu0:
    url: http://127.0.0.1:11434/
    engine: ollama
    speaks: [openai, anthropic]
    api_key: {{env: KEY}}
    idle_timeout: 1h
deployments:
  desk:
    nodes: [gpu0]
    aliases: {{b: gemma2:9b, "a*": gemma2:9b}}
keys:
  - {{name: alice, sha256: {HASH}, deployments: [desk]}}
"""
BAD = """\
sever: {}
server:
  listen: 8080
  max_boddy: 1
nodes:
  gpu0:
    url: localhost:11434
    api_key: {sk-secret-1}
  gpu0: {}
deployments:
  desk:
    nodes: [gpu1]
    auth: no
keys:
  - {name: a, sha256: cdp-secret-2, deployments: [disk]}
"""


def complaints(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(text, "f")
    return [str(one) for one in caught.value.complaints]


def test_a_good_file() -> None:
    loaded = load_config(GOOD, "f")
    assert loaded.warnings == []
    config = loaded.config
    assert config.server.max_body == 2**20
    assert config.server.access_log is False
    node = config.nodes["gpu0"]
    assert (node.url, node.engine) == ("http://127.0.0.1:11434", "ollama")
    assert node.dialects == (Dialect.OPENAI, Dialect.ANTHROPIC)
    assert node.api_key is not None
    assert node.api_key.env == "KEY"
    assert node.idle_timeout == 3600.0
    assert list(config.deployments["desk"].aliases) == ["b", "a*"]
    assert config.keys[0].sha256 == HASH


def test_all_complaints_come_at_once_in_file_order() -> None:
    assert complaints(BAD) == [
        "f:1:1: sever: unknown setting; did you mean server?",
        "f:3:11: server.listen: is a number, but must be text; write 127.0.0.1:8080",
        "f:4:3: server.max_boddy: unknown setting; did you mean max_body?",
        "f:7:10: nodes.gpu0.url: is not an http or https URL; write http://localhost:11434",
        "f:8:5: nodes.gpu0.api_key: contains an unknown setting; known settings here: env,"
        " file, credential",
        "f:9:3: nodes.gpu0: appears a second time; the first is in line 6; keep one of them",
        "f:12:13: deployments.desk.nodes[0]: there is no node 'gpu1'; did you mean gpu0?",
        "f:13:11: deployments.desk.auth: is false to YAML (as no, off);"
        " it must be one of keys, none",
        "f:15:23: keys[0].sha256: is the key itself, readable by anyone who reads this file;"
        " create a new one with `casedesk-proxy key new` and paste the hash it prints",
        "f:15:51: keys[0].deployments[0]: there is no deployment 'disk'; did you mean desk?",
    ]


def test_places_are_fields_too() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("nodes: {a: {url: x}}", "dir/f.yaml")
    first = caught.value.complaints[0]
    assert (first.file, first.line, first.column) == ("dir/f.yaml", 1, 1)
    url = caught.value.complaints[-1]
    assert (url.line, url.column, url.path) == (1, 18, "nodes.a.url")


def test_no_complaint_repeats_a_secret() -> None:
    assert "secret" not in "\n".join(complaints(BAD))


@table(
    ("text", "complaint"),
    [
        ("", "f:1:1: is empty; `casedesk-proxy init` writes a first one"),
        ("# only a comment\n", "f:1:1: is empty; `casedesk-proxy init` writes a first one"),
        ("- a\n", "f:1:1: is not a mapping; write key: value lines"),
        ("nodes", "f:1:1: is not a mapping; write key: value lines"),
        ("a: [", "f:1:5: is not YAML"),
    ],
)
def test_files_without_keys(text: str, complaint: str) -> None:
    (told,) = complaints(text)
    assert told.startswith(complaint)


def test_what_the_reader_left_out_is_told_once() -> None:
    told = complaints("nodes: {a: {url: !env URL}}\ndeployments: {d: {nodes: [a]}}")
    assert told == [
        "f:1:18: nodes.a.url: has a YAML tag (!…), which is not supported; remove the tag"
    ]


def test_a_missing_key_is_told_at_its_section() -> None:
    told = complaints("nodes:\n  gpu0:\n    weight: 2\ndeployments: {d: {nodes: [gpu0]}}\n")
    assert told[0].startswith("f:2:3: nodes.gpu0.url: is missing; add it: http or https")


def test_a_wrong_name_is_told_at_the_name() -> None:
    told = complaints('nodes:\n  "a b": {url: "http://x"}\ndeployments: {d: {nodes: ["a b"]}}\n')
    assert told[0].startswith("f:2:3: nodes['a b']: is not a name")


def test_warnings_have_places_too() -> None:
    loaded = load_config(GOOD.replace("{env: KEY}", "hush"), "f")
    assert [str(one) for one in loaded.warnings] == [
        "f:8:14: nodes.gpu0.api_key: the key itself is in this file; write {env: VARIABLE},"
        " {file: /path} or {credential: NAME}"
    ]


def test_what_is_found_out_later_has_its_place() -> None:
    text = "nodes:\n  a: {url: 'http://h'}\ndeployments:\n  d: {nodes: [a], auth: none}\n"
    loaded = load_config(text, "f")
    placed, general = (Complaint("nodes.a.url", "m", "f", 2, 12), Complaint("ledger.url", "m", "f"))
    assert loaded.locate([Complaint("nodes.a.url", "m", "f"), general]) == [placed, general]
    elsewhere = Complaint("nodes.a.url", "m", "f", 7, 7)
    assert loaded.locate([elsewhere]) == [elsewhere]
    assert loaded.locate([Complaint("nodes.a", "m", "f")])[0].line == 2
    with pytest.raises(ConfigError) as raised, loaded.locating():
        raise ConfigError([Complaint("nodes.a.url", "m", "f")])
    assert raised.value.complaints == [placed]


def test_a_deployment_that_no_key_of_the_file_opens_is_apart() -> None:
    assert load_config(GOOD, "f").unopened == {}
    text = "nodes: {a: {url: http://a}}\ndeployments:\n  d: {nodes: [a]}\n"
    loaded = load_config(text, "f")
    assert loaded.warnings == []
    assert [(name, str(one)) for name, one in loaded.unopened.items()] == [
        (
            "d",
            "f:3:3: deployments.d: requires keys, but no key may use it; create one with"
            " `casedesk-proxy key new --deployment d`",
        )
    ]


@examples(150)
@given(st.data())
def test_a_damaged_file_is_loaded_or_refused_in_words(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(EXAMPLE)))
    end = data.draw(st.integers(start, min(len(EXAMPLE), start + 20)))
    middle = data.draw(st.text("\n\t :-[]{}'\"&*!?#~19yes", max_size=6))
    try:
        load_config(EXAMPLE[:start] + middle + EXAMPLE[end:], "f")
    except ConfigError as error:
        complaints = error.complaints
    else:
        return
    lines = [(one.line, one.column) for one in complaints]
    assert lines == sorted(lines)
    assert all(one.message and "\n" not in str(one) for one in complaints)


WORDS = (
    "server nodes deployments keys default_deployment a url listen api_key env auth aliases"
    " name sha256 tls engine models"
)
KEYS = st.sampled_from(WORDS.split())
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | KEYS
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@examples(150)
@given(st.dictionaries(KEYS, TREES, max_size=5))
def test_any_shape_is_loaded_or_refused_in_words(tree: dict[str, object]) -> None:
    try:
        load_config(json.dumps(tree), "f")
    except ConfigError as error:
        complaints = error.complaints
    else:
        return
    assert complaints
    assert all(one.message for one in complaints)


def test_file_order_holds_when_reading_stops_early() -> None:
    told = complaints("a:\n  <<: &y {c: [*y]}\n  1: x\n")
    assert [one.partition(": ")[0] for one in told] == ["f:2:7", "f:3:3"]
