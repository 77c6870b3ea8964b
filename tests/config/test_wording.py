"""Every mistake in a value, and its message."""

from __future__ import annotations

import pytest

from casedesk_proxy.config.complaints import ConfigError
from casedesk_proxy.config.load import load_config
from casedesk_proxy.config.wording import nearest
from casedesk_proxy.engines.registry import ENGINES
from tests.fixtures.table import table


def told(section: str, line: str) -> str:
    """The complaint, without its place, about one line in a file that is otherwise good."""
    sections = {
        "server": {},
        "nodes": {"a": {"url": "http://127.0.0.1:1"}},
        "deployments": {"d": {"nodes": "[a]"}},
    }
    lines = []
    for name, value in sections.items():
        lines.append(f"{name}:")
        rows = [f"    {k}: {v}" for below in value.values() for k, v in below.items()]
        key = line.partition(":")[0].strip("{ ")
        rows = [row for row in rows if not (name == section and row.strip().startswith(key))]
        if name == "server":
            lines += ["  log_level: info"] + ([f"  {line}"] if section == "server" else [])
        else:
            lines += [f"  {next(iter(value))}:", *rows]
            lines += [f"    {line}"] if section == name else []
    with pytest.raises(ConfigError) as caught:
        load_config("\n".join(lines), "f")
    (complaint,) = caught.value.complaints
    return f"{complaint.path}: {complaint.message}" + (
        f"; {complaint.remedy}" if complaint.remedy else ""
    )


@table(
    ("section", "line", "words"),
    [
        (
            "server",
            "admin: off",
            "server.admin: is false to YAML (as no, off), but must be text; write null for none",
        ),
        (
            "server",
            "access_log: 'no'",
            "server.access_log: is neither true nor false; write true or false, without quotes",
        ),
        (
            "server",
            "log_format: xml",
            "server.log_format: must be one of logfmt, json",
        ),
        (
            "server",
            "max_streams: 3",
            "server.max_streams: unknown setting here; it belongs at nodes.NAME.max_streams",
        ),
        (
            "server",
            "max-body: 3",
            "server.max-body: unknown setting; did you mean max_body?",
        ),
        (
            "server",
            "body_timeout: 0",
            "server.body_timeout: must be longer than 0; write for example 5s",
        ),
        (
            "server",
            "drain_timeout: [1]",
            "server.drain_timeout: is not a duration: write seconds, or for example 500ms, 10m or"
            " 1h30m",
        ),
        (
            "server",
            "max_body: 32m",
            "server.max_body: has an unknown unit 'm': use B, kB, MB, GB, KiB, MiB or GiB",
        ),
        (
            "server",
            "tls: yes",
            "server.tls: is true to YAML (as yes, on), but must be a mapping (key: value lines)",
        ),
        (
            "nodes",
            "url:",
            "nodes.a.url: is empty, but must be text; write a value, or leave it out",
        ),
        (
            "nodes",
            "engine: llama.cpp",
            f"nodes.a.engine: must be one of {', '.join(ENGINES)}; did you mean llama-server?",
        ),
        (
            "nodes",
            "engine: koboldcpp",
            f"nodes.a.engine: must be one of {', '.join(ENGINES)}; for any other server with"
            " OpenAI's API write openai",
        ),
        (
            "nodes",
            "speaks: openai",
            "nodes.a.speaks: is text, but must be a list; write [openai]",
        ),
        (
            "nodes",
            "speaks: [opnai]",
            "nodes.a.speaks[0]: must be one of gemini, anthropic, openai, responses, ollama;"
            " did you mean openai?",
        ),
        (
            "nodes",
            "models: [gemma2: 9b]",
            "nodes.a.models[0]: is a mapping, but must be text; no space may follow the colon of"
            ' a name: "gemma2:9b"',
        ),
        (
            "nodes",
            "models: [7]",
            'nodes.a.models[0]: is a number, but must be text; put it in quotes: "7"',
        ),
        (
            "nodes",
            "models: [1.10]",
            "nodes.a.models[0]: is a number, but must be text; put it in quotes",
        ),
        (
            "nodes",
            "models: [yes]",
            "nodes.a.models[0]: is true to YAML (as yes, on), but must be text; put it in"
            " quotes if it is a name",
        ),
        (
            "nodes",
            "models: no",
            "nodes.a.models: is false to YAML (as no, off), but must be a list",
        ),
        (
            "nodes",
            "weight: 0",
            "nodes.a.weight: must be at least 1",
        ),
        (
            "nodes",
            "max_streams: 9999999",
            "nodes.a.max_streams: must be at most 1000000",
        ),
        (
            "nodes",
            "max_streams: '3'",
            "nodes.a.max_streams: is text, but must be a whole number; remove the quotes",
        ),
        (
            "nodes",
            "api_key: 12345678",
            "nodes.a.api_key: is a number, but must be a mapping (key: value lines); write"
            " {env: VARIABLE}, {file: /path} or {credential: NAME}",
        ),
        (
            "nodes",
            "api_key: {environ: A}",
            "nodes.a.api_key.environ: unknown setting; did you mean env?",
        ),
        (
            "nodes",
            "api_key: {env: 12345678}",
            "nodes.a.api_key.env: is a number, but must be text; put it in quotes",
        ),
        (
            "nodes",
            "api_key: {credential: ../key}",
            "nodes.a.api_key.credential: is not the name of a credential;"
            " use letters, digits and _ . @ -, no path",
        ),
        (
            "nodes",
            "api_key: {env: A, file: /b}",
            "nodes.a.api_key: names more than one source: env, file; write exactly one of env, file"
            " and credential",
        ),
        (
            "nodes",
            "tls: {ca: ca.pem}",
            "nodes.a.tls.ca: must be an absolute path; begin it with /",
        ),
        (
            "deployments",
            "nodes: [{url: http://x}]",
            "deployments.d.nodes[0]: is a mapping, but must be text; define the node under nodes,"
            " at the top level, and write its name here",
        ),
        (
            "deployments",
            "auth: off",
            "deployments.d.auth: is false to YAML (as no, off); it must be one of keys, none",
        ),
        (
            "deployments",
            "aliases: {gemini-2.5-flash:gemma2:9b}",
            "deployments.d.aliases['gemini-2.5-flash:gemma2:9b']: is empty, but must be text;"
            " put a space after the colon between name and value",
        ),
        (
            "deployments",
            "aliases: {'a ': b}",
            "deployments.d.aliases['a ']: is not a model name; write it as the node lists it,"
            " without spaces",
        ),
        (
            "deployments",
            "aliases: gemini-2.5-flash:gemma2:9b",
            "deployments.d.aliases: is text, but must be a mapping (key: value lines); put a"
            " space after the colon between name and value",
        ),
        (
            "deployments",
            "aliases:",
            "deployments.d.aliases: is empty, but must be a mapping (key: value lines); write"
            " {} for none, or leave it out",
        ),
        (
            "deployments",
            "models: -gemma2:9b",
            "deployments.d.models: is text, but must be a list; put a space after each -",
        ),
        (
            "nodes",
            'url: "localhost:8000/v1/chat/completions"',
            "nodes.a.url: is not an http or https URL; write http://localhost:8000",
        ),
        (
            "deployments",
            "aliases: [a]",
            "deployments.d.aliases: is a list, but must be a mapping (key: value lines)",
        ),
        (
            "deployments",
            "colour: red",
            "deployments.d.colour: unknown setting; known settings here: auth, nodes, models,"
            " aliases, prefix, policy, max_waiting, queue_timeout, failover_timeout,"
            " connect_timeout, first_byte_timeout, idle_timeout, heartbeat, heartbeat_verbatim,"
            " unknown_fields, unknown_tools, documents, fetch_urls, nodes_fetch_urls, usage,"
            " count_prompt, client_stall_timeout, limits",
        ),
    ],
)
def test_words(section: str, line: str, words: str) -> None:
    assert told(section, line) == words


@table(
    ("name", "found"),
    [
        ("max-body", "max_body"),
        ("MaxBody", "max_body"),
        ("listne", "listen"),
        ("colour", None),
        ("", None),
    ],
)
def test_the_nearest_name(name: str, found: str | None) -> None:
    assert nearest(name, ["listen", "max_body"]) == found


HASH = "ab" * 32
KEYS = """\
nodes: {a: {url: "http://h:1"}}
deployments: {d: {nodes: [a]}}
"""


def complaints_about(keys: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load_config(KEYS + keys, "f")
    return [str(one).partition(": ")[2] for one in raised.value.complaints]


def test_no_default_deployment_is_null() -> None:
    assert complaints_about("default_deployment: no\n") == [
        "default_deployment: is false to YAML (as no, off), but must be text; write null, or"
        " leave it out, for none"
    ]


def test_a_mapping_that_is_no_name_with_a_space_in_it() -> None:
    assert told("nodes", "models: [{a: b, c: d}]") == (
        "nodes.a.models[0]: is a mapping, but must be text"
    )


def test_a_list_of_keys_that_was_emptied() -> None:
    assert complaints_about("keys:\n") == [
        "keys: is empty, but must be a list; write [] for none, or leave it out"
    ]


@table("key", ["token", "key", "Secret", "hash", "password"])
def test_a_key_under_another_name_is_explained_and_not_repeated(key: str) -> None:
    (told,) = complaints_about(f"keys:\n- {{name: n, {key}: cdp-hush, deployments: [d]}}\n")
    assert told == (
        f"keys[0].{key}: unknown setting; the file holds only the key's hash; write sha256:"
        " HASH; `casedesk-proxy key new --yaml` creates one and prints the lines to paste"
    )


def test_a_section_that_is_not_indented() -> None:
    with pytest.raises(ConfigError) as raised:
        load_config('nodes:\n  a:\n  url: "http://h:1"\ndeployments: {d: {nodes: [a]}}\n', "f")
    told = [str(one) for one in raised.value.complaints]
    assert told[1] == (
        "f:3:8: nodes.url: is text, but must be a mapping (key: value lines); indent it below"
        " the name that it belongs to"
    )


@table(
    ("node", "remedy"),
    [
        ("\n    url:http://h:1", "put a space after the colon between name and value"),
        (" http://h:1", "write it as url: below the name"),
    ],
)
def test_a_node_that_is_text(node: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(f"nodes:\n  n:{node}\ndeployments: {{d: {{nodes: [n]}}}}\n", "f")
    (told,) = caught.value.complaints
    assert (told.path, told.remedy) == ("nodes.n", remedy)
