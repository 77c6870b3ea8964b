"""What instances report together, and how they are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from casedesk_proxy.cli import instances
from casedesk_proxy.cli.instances import ask_all, combine, combine_streams, find_address

CONFIG = """\
server: {admin: "127.0.0.1:1"}
nodes: {n: {url: 'http://127.0.0.1:1'}}
deployments: {d: {auth: none, nodes: [n]}}
"""


def status(streams: int, **changes: Any) -> dict[str, Any]:
    return {
        "ready": True, "draining": False, "streams": streams, "connections": 2 * streams,
        "exchanges": {"queued": 1}, "waiting": {"d": 1}, "pid": streams,
        "nodes": {"n": {"in_flight": streams, "asked": 5, "healthy": True, "limit": 9}},
        "keys": {"alice": {"exchanges": 1, "output": 3}}, **changes,
    }  # fmt: skip


def test_counts_are_of_all_together() -> None:
    hung = {"nodes": {"n": {"in_flight": 2, "asked": 1, "healthy": False, "limit": 9}}}
    said = {"a": status(3, draining=True), "b": status(2, ready=False, keys={}, **hung), "c": None}
    total = combine(said)
    assert (total["streams"], total["connections"], total["pid"]) == (5, 10, 3)
    assert (total["ready"], total["draining"]) == (True, False)
    assert (total["waiting"], total["exchanges"]) == ({"d": 2}, {"queued": 2})
    assert total["nodes"] == {"n": {"in_flight": 5, "asked": 6, "healthy": True, "limit": 9}}
    assert total["keys"] == {"alice": {"exchanges": 1, "output": 3}}
    assert total["instances"] == said


@pytest.mark.parametrize(
    ("ends", "wanted"), [((9.0, 5.0, None), 5.0), ((None, None), None), ((), None)]
)
def test_the_certificate_that_expires_first(ends: tuple[float | None, ...], wanted: object) -> None:
    """An instance of an earlier version does not say."""
    said = {str(end): status(1, certificate={"until": end}) for end in ends}
    total = combine({"earlier": status(1), **said, "gone": None})
    assert total["certificate"] == {"until": wanted}


def test_streams_are_one_list() -> None:
    def shown(*rows: str) -> dict[str, Any]:
        part = {"total": len(rows), "rows": list(rows)}
        nodes = [{"name": "n", "in_flight": len(rows)}]
        return {"version": "1", "nodes": nodes, "streams": part, "queue": {"total": 0, "rows": []}}

    total = combine_streams({"a": shown("x"), "b": None, "c": shown("y", "z")})
    assert total["streams"] == {"total": 3, "rows": ["x", "y", "z"]}
    assert total["nodes"] == [{"name": "n", "in_flight": 3}]


def test_one_that_shares_nothing_speaks_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for reply in ((200, {"instances": {"a": None}}), (200, {"nodes": {}}), (404, {})):
        monkeypatch.setattr(instances, "ask", lambda *_, reply=reply: reply)
        assert ask_all("x", "/status") is None
    monkeypatch.setattr(instances, "ask", lambda *_: (200, {"instances": {"a": {"pid": 1}}}))
    assert ask_all("x", "/status") == {"a": {"pid": 1}}


def test_where_nobody_answers_an_instance_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(CONFIG)
    alive: set[str] = set()

    def ask(address: str, path: str) -> tuple[int, Any]:
        if address not in alive:
            raise OSError("nobody")
        raise ValueError("some page")

    monkeypatch.setattr(instances, "ask", ask)
    environ = {"CASEDESK_PROXY_INSTANCES": str(tmp_path)}
    assert find_address(file, None, environ) == "127.0.0.1:1"
    for row in (0, 1):
        (tmp_path / f"{row}.sock").touch()
    assert find_address(file, None, environ) == "127.0.0.1:1"
    alive.add(f"unix:{tmp_path}/1.sock")
    assert find_address(file, None, environ) == f"unix:{tmp_path}/1.sock"
    assert find_address(file, "127.0.0.1:2", environ) == "127.0.0.1:2"
    alive.add("127.0.0.1:1")
    assert find_address(file, None, environ) == "127.0.0.1:1"
