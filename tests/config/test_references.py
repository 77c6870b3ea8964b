from __future__ import annotations

from casedesk_proxy.config.load import load_config
from casedesk_proxy.config.references import cross_check, find_unopened
from tests.fixtures.table import table

NODE = {"url": "http://127.0.0.1:1"}
HASH = "ab" * 32
GOOD = {
    "nodes": {"a": NODE},
    "deployments": {"d": {"nodes": ["a"]}},
    "keys": [{"name": "t", "sha256": HASH, "deployments": ["d"]}],
}


def found(**changed: object) -> list[tuple[tuple[str | int, ...], str]]:
    """The errors, without the warnings, of GOOD with this change."""
    findings = cross_check({**GOOD, **changed})
    return [(one.path, f"{one.message}; {one.remedy}") for one in findings if not one.warns]


def warned(**changed: object) -> list[tuple[tuple[str | int, ...], str]]:
    return [(one.path, one.message) for one in cross_check({**GOOD, **changed}) if one.warns]


def test_nothing_to_say() -> None:
    assert cross_check(GOOD) == []


def test_unknown_names_get_the_nearest() -> None:
    deployments = {"d": {"nodes": ["a"]}, "desk": {"nodes": ["A", "gpu"]}}
    assert found(deployments=deployments, default_deployment="dsk") == [
        (("deployments", "desk", "nodes", 0), "there is no node 'A'; did you mean a?"),
        (("deployments", "desk", "nodes", 1), "there is no node 'gpu'; known: a"),
        (("default_deployment",), "there is no deployment 'dsk'; did you mean desk?"),
    ]


def test_names_of_nothing_say_where_to_define_them() -> None:
    assert (("deployments", "d", "nodes", 0), "there is no node 'a'; define it under nodes") in (
        found(nodes={})
    )


def test_a_file_needs_nodes_and_deployments() -> None:
    messages = [message for _, message in found(nodes=None, deployments=None, keys=[])]
    assert messages == [
        "has no nodes; `casedesk-proxy init` looks for running ones",
        "has no deployments; add one: deployments: {desk: {nodes: [a node's name]}}",
    ]


def test_a_deployment_needs_nodes_each_once() -> None:
    assert found(deployments={"d": {"nodes": []}}) == [
        (("deployments", "d", "nodes"), "has no nodes; list at least one")
    ]
    assert found(deployments={"d": {"nodes": ["a", "a"]}}) == [
        (("deployments", "d", "nodes", 1), "names a a second time; keep one of them")
    ]


def test_what_is_no_name_at_all_is_left_to_the_schema() -> None:
    assert found(deployments={"d": {"nodes": [5, "a"]}}) == []


def test_keys_are_unique_and_open_what_exists() -> None:
    again = {"name": "t", "sha256": HASH.upper(), "deployments": ["x"]}
    assert found(keys=[*GOOD["keys"], again]) == [  # type: ignore[misc]
        (("keys", 1, "name"), "is that of keys[0] too; give each key its own name"),
        (("keys", 1, "sha256"), "is that of keys[0] too; create another key"),
        (("keys", 1, "deployments", 0), "there is no deployment 'x'; known: d"),
    ]


@table(
    ("server", "path"),
    [
        ({"listen": "127.0.0.1:9180"}, ("server", "listen")),
        ({"admin": "127.0.0.1:8080"}, ("server", "admin")),
        ({"listen": "0.0.0.0:1", "admin": "[::1]:1"}, ("server", "admin")),
    ],
)
def test_clients_and_administration_have_addresses_of_their_own(
    server: dict[str, str], path: tuple[str, ...]
) -> None:
    assert [one for one, _ in found(server=server)] == [path]


def test_what_is_no_address_is_left_to_the_schema() -> None:
    assert found(server={"listen": "nowhere", "admin": 7}) == []


def test_warnings_about_nodes() -> None:
    nodes = {
        "a": NODE,
        "b": {"url": "http://127.0.0.1:1/"},
        "c": {"url": "http://h/v1", "api_key": "hush"},
        "d": {"url": "http://g", "api_key": {"inline": "hush"}},
        "e": {"url": "http://e/v1/chat/completions"},
        "f": {"url": "http+unix:///run/llama.sock"},
        "g": {"url": "http+unix:///run/llama.sock"},
        "h": {"url": "http+unix:///run/Llama.sock"},
    }
    told = warned(nodes=nodes, deployments={"d": {"nodes": ["a", "b", "c", *"efgh"]}})
    assert told == [
        (("nodes", "b", "url"), "is the url of a too: its streams are counted twice"),
        (("nodes", "c", "url"), "ends in /v1, which the proxy adds itself"),
        (("nodes", "c", "api_key"), "the key itself is in this file"),
        (("nodes", "d", "api_key"), "the key itself is in this file"),
        (
            ("nodes", "e", "url"),
            "ends in /v1/chat/completions, the path of one request; the proxy adds such paths",
        ),
        (("nodes", "g", "url"), "is the url of f too: its streams are counted twice"),
        (("nodes", "d"), "no deployment uses this node"),
    ]


@table(
    ("listen", "url", "clash"),
    [
        (None, "http://127.0.0.1:8080", True),
        (None, "http://localhost:8080/", True),
        ("0.0.0.0:9", "http://127.0.0.1:9", True),
        ("[::1]:9", "http://[::1]:9", True),
        ("10.0.0.1:8080", "http://127.0.0.1:8080", False),
        (None, "http://10.0.0.1:8080", False),
        (None, "http://127.0.0.1:8081", False),
        ("unix:/run/x", "http://127.0.0.1:8080", False),
        (None, "http://[", False),
        ("unix:/run/x", "http+unix:///run/x", True),
        ("unix:/run/x", "http+unix:///run/y", False),
    ],
)
def test_a_node_where_the_proxy_listens(listen: str | None, url: str, clash: bool) -> None:
    server = {} if listen is None else {"listen": listen}
    paths = [path for path, _ in warned(server=server, nodes={"a": {"url": url}})]
    assert paths == ([("nodes", "a", "url")] if clash else [])


@table("key", ["$KEY_1", "${KEY_1}", {"env": "$KEY_1"}])
def test_variables_are_not_filled_in(key: object) -> None:
    assert found(nodes={"a": {**NODE, "api_key": key}}) == [
        (
            ("nodes", "a", "api_key"),
            "contains a shell variable, which is not expanded; write {env: NAME}, without the $",
        )
    ]


def test_a_node_that_speaks_nothing() -> None:
    assert found(nodes={"a": {**NODE, "speaks": []}}) == [
        (("nodes", "a", "speaks"), "lists no protocol; leave it out")
    ]


def test_a_deployment_that_no_key_opens() -> None:
    assert find_unopened(GOOD) == {}
    (finding,) = find_unopened({**GOOD, "keys": []}).values()
    assert (finding.path, finding.message) == (
        ("deployments", "d"), "requires keys, but no key may use it",
    )  # fmt: skip
    assert finding.warns
    assert find_unopened({"deployments": {"d": {"nodes": ["a"], "auth": "none"}}}) == {}


def test_a_key_that_opens_nothing() -> None:
    keys = [*GOOD["keys"], {"name": "u", "sha256": "00" * 32, "deployments": []}]  # type: ignore[misc]
    assert warned(keys=keys) == [(("keys", 1, "deployments"), "the key gives access to nothing")]


def test_an_open_deployment_on_the_network() -> None:
    deployments = {"d": {"nodes": ["a"], "auth": "none"}}
    told = warned(deployments=deployments, server={"listen": "0.0.0.0:80"})
    assert told == [
        (("deployments", "d", "auth"), "anyone who can reach 0.0.0.0:80 may use this deployment")
    ]
    assert warned(deployments=deployments, server={"listen": "[::1]:80"}) == []


@table("junk", [None, 5, "x", [], {}, [None], {"a": None}, [[1]], {"a": [{}]}])
@table("key", ["server", "nodes", "deployments", "keys", "default_deployment"])
def test_wrong_types_are_left_to_the_schema(key: str, junk: object) -> None:
    cross_check({**GOOD, key: junk})
    find_unopened({**GOOD, key: junk})


@table(
    ("engine", "url", "remedy"),
    [
        ("ollama", "http://h:1/api/chat", "write http://h:1"),
        ("ollama", "http://h:1/api/generate/", "write http://h:1"),
        ("ollama", "http://h:1/api", "leave /api out"),
        ("openai", "https://h/api", None),
        ("openai", "https://h/api/v1", "leave /v1 out"),
        ("openai", "https://h/api/v1/chat/completions", "write https://h"),
        ("openai", "https://h/engines/llama.cpp/v1/models", "write https://h/engines/llama.cpp"),
        ("tgi", "http://h:1/generate_stream", "write http://h:1"),
        ("llama-server", "http://h:1/completion", "write http://h:1"),
        ("vllm", "http://h:1/V1/Embeddings", "write http://h:1"),
        ("gemini", "http://h:1/v1beta/models/m:generateContent", "write http://h:1"),
        ("anthropic", "http://h:1/pre/v1/messages/count_tokens", "write http://h:1/pre"),
        ("vllm", "http://h:1/chatty", None),
        ("vllm", "http://models.example:1", None),
    ],
)
def test_the_path_of_a_request_in_a_url(engine: str, url: str, remedy: str | None) -> None:
    text = f'''nodes: {{a: {{url: "{url}", engine: {engine}}}}}
deployments: {{d: {{auth: none, nodes: [a]}}}}
'''
    told = [one.remedy for one in load_config(text, "f").warnings if "ends in" in one.message]
    assert told == ([] if remedy is None else [remedy])
