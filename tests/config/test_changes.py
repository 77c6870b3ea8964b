from __future__ import annotations

from typing import Any

from casedesk_proxy.config.changes import Change, compare
from casedesk_proxy.config.schema import Config
from tests.fixtures.table import table

HASH = "ab" * 32
OLD: dict[str, Any] = {
    "server": {"listen": "127.0.0.1:80"},
    "nodes": {
        "a": {"url": "http://a", "api_key": {"env": "A"}},
        "b.c": {"url": "http://b"},
    },
    "deployments": {"d": {"nodes": ["a"], "aliases": {"x": "y", "z": "y"}}},
    "keys": [
        {"name": "t", "sha256": HASH, "deployments": ["d"]},
        {"name": "u", "sha256": "00" * 32, "deployments": ["d"]},
    ],
}


def changes(**new: Any) -> list[Change]:
    old, changed = Config.model_validate(OLD), Config.model_validate({**OLD, **new})
    return list(compare(old, changed).changes)


def test_equal_configurations() -> None:
    same = compare(Config.model_validate(OLD), Config.model_validate(OLD))
    assert not same
    assert same.restart_keys == ()
    assert same.sum_up() == ""


def test_a_line_for_the_log() -> None:
    old = Config.model_validate(OLD)
    nodes = {"nodes": {**OLD["nodes"], "n": {"url": "http://n"}}, "server": {}}
    assert compare(old, Config.model_validate({**OLD, **nodes})).sum_up() == "nodes.n added"
    many = [{"name": f"k{n}", "sha256": f"{n:064}", "deployments": ["d"]} for n in range(300)]
    changes = compare(old, Config.model_validate({**OLD, "keys": [*OLD["keys"], *many]}))
    assert changes.sum_up().startswith("keys.k0 added, keys.k1 added, ")
    assert changes.sum_up().endswith(", keys.k99 added and 200 more")


@table(
    ("new", "path", "kind", "reload"),
    [
        ({"server": {}}, "server.listen", "changed", False),
        (
            {"server": {"listen": "127.0.0.1:80", "max_body": 5}},
            "server.max_body",
            "changed",
            True,
        ),
        (
            {"server": {"listen": "127.0.0.1:80", "tls": {"cert": "/c", "key": "/k"}}},
            "server.tls",
            "changed",
            False,
        ),
        ({"default_deployment": "d"}, "default_deployment", "changed", True),
        ({"nodes": {"a": OLD["nodes"]["a"]}}, "nodes['b.c']", "removed", True),
        (
            {"nodes": {**OLD["nodes"], "n": {"url": "http://n"}}},
            "nodes.n",
            "added",
            True,
        ),
        (
            {"nodes": {**OLD["nodes"], "b.c": {"url": "http://x"}}},
            "nodes['b.c'].url",
            "changed",
            True,
        ),
        (
            {"nodes": {**OLD["nodes"], "a": {"url": "http://a", "api_key": {"env": "B"}}}},
            "nodes.a.api_key",
            "changed",
            True,
        ),
        (
            {"deployments": {"d": {"nodes": ["a"], "aliases": {"z": "y", "x": "y"}}}},
            "deployments.d.aliases",
            "changed",
            True,
        ),
        ({"keys": OLD["keys"][:1]}, "keys.u", "removed", True),
        (
            {"keys": [OLD["keys"][0], {**OLD["keys"][1], "sha256": "11" * 32}]},
            "keys.u.sha256",
            "changed",
            True,
        ),
    ],
)
def test_one_change(new: dict[str, Any], path: str, kind: str, reload: bool) -> None:
    (change,) = changes(**new)
    assert (change.path, change.kind, change.reload) == (path, kind, reload)


def test_the_order_of_nodes_and_keys_means_nothing() -> None:
    assert changes(keys=OLD["keys"][::-1], nodes=dict(reversed(OLD["nodes"].items()))) == []


def test_renewed_certificates_need_no_restart() -> None:
    tls = {"cert": "/c", "key": "/k"}
    old, new = ({**OLD, "server": {"tls": {**tls, "cert": cert}}} for cert in ("/c", "/d"))
    told = compare(Config.model_validate(old), Config.model_validate(new))
    assert [one.path for one in told.changes] == ["server.tls.cert"]
    assert told.restart_keys == ()


def test_names_and_restart_keys() -> None:
    new = {
        **OLD,
        "server": {"listen": "127.0.0.1:81", "admin": None, "log_level": "debug"},
        "nodes": {"a": {"url": "http://z", "api_key": {"env": "A"}}, "n": {"url": "http://n"}},
    }
    told = compare(Config.model_validate(OLD), Config.model_validate(new))
    assert told.restart_keys == ("server.listen", "server.admin")
    assert told.names("nodes", "added") == {"n"}
    assert told.names("nodes", "removed") == {"b.c"}
    assert told.names("nodes", "changed") == {"a"}
    assert told.names("deployments", "changed") == set()


def test_no_change_shows_a_key() -> None:
    old, new = (
        Config.model_validate({"nodes": {"a": {"url": "http://a", "api_key": key}}})
        for key in ("hush-1", "hush-2")
    )
    told = compare(old, new)
    assert [one.path for one in told.changes] == ["nodes.a.api_key"]
    assert "hush" not in repr(told)
