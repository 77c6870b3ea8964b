"""``top`` as users run it: once, as JSON, and in a terminal."""

from __future__ import annotations

import http.client
import json
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from casedesk_proxy.cli.top import cancel_stream, fetch_streams
from casedesk_proxy.cli.top_view import COLUMNS, View
from casedesk_proxy.keystore.credential import mint
from casedesk_proxy.simulator.script import Ending, Script
from tests.cli.command import COMMAND, ENVIRONMENT, invoke
from tests.cli.fake_admin import fake_admin, stream, told
from tests.cli.tmux import terminal
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.proxy import key_entry, proxy_process
from tests.fixtures.simulated import simulator_thread

STATUS = "GET /console/api/status"
CANCEL = "POST /console/api/streams/r199/cancel"
MANY = told(*(stream(number) for number in range(200)))


def test_once() -> None:
    with fake_admin({STATUS: (200, MANY)}) as admin:
        done = invoke("top", "--admin", admin.address, "--once")
        assert done.returncode == 0
        assert sum("openai" in line for line in done.stdout.splitlines()) == 200
        assert "\x1b" not in done.stdout
        assert max(map(len, done.stdout.splitlines())) < 100, "no line is filled with blanks"
        done = invoke("top", "--admin", f"http://{admin.address}/", "--once", "--json")
        assert json.loads(done.stdout) == MANY


def test_once_cuts_no_name_in_a_file() -> None:
    names = {"key": "k" * 50, "model": "m" * 400, "node": "n" * 60}
    with fake_admin({STATUS: (200, told(stream(1) | names))}) as admin:
        done = invoke("top", "--admin", admin.address, "--once")
    assert [done.stdout.count(name) for name in names.values()] == [1, 1, 1]


def test_once_shows_more_than_a_status_has_rows_for() -> None:
    more = {**MANY, "streams": {**MANY["streams"], "total": 350}}
    page = "GET /console/api/streams?order=descending&skip="
    replies = {
        STATUS: (200, more),
        f"{page}0": (200, {"rows": [stream(number) for number in range(200)]}),
        f"{page}200": (200, {"rows": [stream(number) for number in range(200, 350)]}),
        f"{page}350": (200, {"rows": []}),
    }
    with fake_admin(replies) as admin:
        done = invoke("top", "--admin", admin.address, "--once", "--json")
        assert len(json.loads(done.stdout)["streams"]["rows"]) == 350
    with fake_admin({STATUS: (200, more), f"{page}0": (503, {"error": {"message": "busy"}})}) as it:
        done = invoke("top", "--admin", it.address, "--once")
        assert (done.returncode, "busy" in done.stderr) == (2, True)


def test_at_a_terminal_the_proxy_finds_and_sorts_what_is_too_much_for_a_status() -> None:
    more: dict[str, Any] = {**MANY, "streams": {**MANY["streams"], "total": 350}}
    asked = "GET /console/api/streams?find=gpt&sort=age&order=descending"
    with fake_admin({asked: (200, {"rows": [stream(7)]})}) as admin:
        fetch_streams(admin.address, more, View(filter="gpt"))
        assert more["streams"]["rows"] == [stream(7)]
        fetch_streams(admin.address, told(stream(1)), View())
        assert admin.asked == [(asked, "")]


def test_without_a_terminal_it_says_what_to_do() -> None:
    with fake_admin({STATUS: (200, MANY)}) as admin:
        done = invoke("top", "--admin", admin.address)
        assert (done.returncode, done.stdout) == (2, "")
        assert "use --once" in done.stderr


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, b"<html>", "is not the admin address of a CaseDesk Proxy"),
        (200, {"a": 1}, "has no /console/api/status (it answered 200)"),
        (403, {"error": {"message": "not for you"}}, "not for you"),
    ],
)
def test_somebody_else_answers(status: int, body: object, words: str) -> None:
    with fake_admin({STATUS: (status, body)}) as admin:
        done = invoke("top", "--admin", admin.address, "--once")
        assert done.returncode == 2
        assert words in done.stderr


def test_nobody_answers(tmp_path: Path) -> None:
    done = invoke("top", "--admin", "127.0.0.1:1", "--once")
    assert done.returncode == 2
    assert "nothing answers there" in done.stderr
    assert invoke("top", "--config", tmp_path / "none.yaml", "--once").returncode == 2


def test_cancelling_says_what_came_of_it() -> None:
    replies = {
        CANCEL: (202, {"cancelled": "r199"}),
        "POST /console/api/streams/a/cancel": (500, []),
    }
    with fake_admin(replies) as admin:
        assert "CASEDESK_PROXY_KEY" in cancel_stream(admin.address, "r199", "")
        assert admin.asked == []
        assert cancel_stream(admin.address, "r199", "secret") == "cancelled"
        assert cancel_stream(admin.address, "b", "secret") == "no such page"
        assert cancel_stream(admin.address, "a", "secret").endswith("answered 500")
    assert "nothing answers" in cancel_stream("127.0.0.1:1", "a", "secret")


def test_of_a_proxy_that_runs(tmp_path: Path) -> None:
    """The rows have the values of the columns; a stream that is cancelled also ends at its
    client."""
    key = mint().key
    hanging = Script(ending=Ending.HANG, after_events=3)
    with simulator_thread(m=hanging) as node:
        config = {
            "server": {"admin": "127.0.0.1:0"},
            "nodes": {"n": {"url": node.url, "models": ["m"]}},
            "keys": [{**key_entry(key, "main"), "admin": True}],
            "deployments": {"main": {"nodes": ["n"]}},
            "default_deployment": "main",
        }
        environment = {"STATE_DIRECTORY": str(tmp_path)}
        with (
            proxy_process(tmp_path, config, environment) as proxy,
            closing(ask_for_stream(proxy.url, key)) as client,
        ):
            reply = client.getresponse()
            assert reply.readline().startswith(b"data: ")
            status = json.loads(
                invoke("top", "--admin", proxy.admin_url, "--once", "--json").stdout
            )
            (row,) = status["streams"]["rows"]
            assert {column.field for column in COLUMNS} <= row.keys()
            assert (row["key"], row["model"], row["node"]) == ("alice", "m", "n")
            shown = invoke("top", "--admin", proxy.admin_url, "--once")
            assert "alice" in shown.stdout
            address = proxy.admin_url.removeprefix("http://")
            assert cancel_stream(address, row["id"], key) == "cancelled"
            with suppress(http.client.IncompleteRead):
                reply.read()


def ask_for_stream(url: str, key: str) -> http.client.HTTPConnection:
    client = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE_S)
    body = json.dumps(
        {"model": "m", "stream": True, "messages": [{"role": "user", "content": "a"}]}
    )
    client.request("POST", "/v1/chat/completions", body, {"Authorization": f"Bearer {key}"})
    return client


def test_at_a_terminal(tmp_path: Path) -> None:
    """Two hundred streams are shown in tmux."""
    replies = {STATUS: (200, MANY), CANCEL: (202, {"cancelled": "r199"})}
    environment = {**ENVIRONMENT, "CASEDESK_PROXY_KEY": "secret"}
    with fake_admin(replies) as admin:
        command = [*COMMAND, "top", "--admin", admin.address, "--every", "0.2"]
        with terminal(tmp_path, command, environment) as it:
            shown = it.wait_for("200 requests")
            assert it.ask("alternate_on") == "1", "another screen"
            assert len(shown) == 24
            assert sum("key" in line and "openai" in line for line in shown) > 12
            it.press("/", "k", "e", "y", "1", "9", "9", "Enter")
            it.wait_for("1 shown")
            it.press("Down", "c")
            it.wait_for("Cancel the stream of key199")
            assert CANCEL not in [asked for asked, _ in admin.asked]
            it.press("y")
            it.wait_for("cancelled")
            assert (CANCEL, "Bearer secret") in admin.asked
            admin.replies[STATUS] = (503, {"error": {"message": "it is stopping"}})
            it.press("z")
            it.wait_for("it is stopping")
            it.press("q")
            assert "ended with 0" in it.wait_for_end()[0]
