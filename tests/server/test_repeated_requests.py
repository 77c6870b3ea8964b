"""A client that repeats a request, on one connection or on many, gets the same as a new client."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from casedesk_proxy.config.load import load_config
from casedesk_proxy.fastpath.admission_cache import AdmissionCache
from casedesk_proxy.fastpath.switches import Trick, is_on
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.telemetry.log_output import flushed
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_client import open_client
from tests.fixtures.raw_node import NodeConnection
from tests.server.gateways import staged

CONFIG = """
server: {{listen: "127.0.0.1:0", admin: null}}
default_deployment: d
nodes:
  n:
    {{url: "http://127.0.0.1:{port}", engine: openai, models: [m, other], probe_interval: 0,
    api_key: {{env: K}}}}
deployments:
  d: {{nodes: [n], aliases: {{mine: {model}}}}}
keys: [{keys}]
"""


def configuration(port: int, names: list[str], model: str = "m") -> str:
    keys = ", ".join(
        f'{{name: {name}, sha256: "{sha256(name.encode()).hexdigest()}", deployments: [d]}}'
        for name in names
    )
    return CONFIG.format(port=port, keys=keys, model=model)


def ask(key: str, model: str = "mine", content: str = "", more: str = "") -> bytes:
    body = b'{"model":"%b","messages":[{"role":"user","content":"%b"}]}' % (
        model.encode(), content.encode(),
    )  # fmt: skip
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\n{more}"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def echo(connection: NodeConnection) -> None:
    """The request, in a reply that arrives in one piece."""
    while True:
        request = await connection.request()
        text = request.head + request.body
        await connection.send(
            b"HTTP/1.1 200 OK\r\nX-Node: yes\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)
        )


class Talk:
    """A connection to a gateway with its own configuration, in front of the stage's node."""

    def __init__(self, gateway: Gateway, port: int) -> None:
        self.gateway = gateway
        self._port = port

    async def open(self) -> None:
        self._client = await open_client(self.gateway.urls[0])

    async def close(self) -> None:
        await self._client.end()

    async def say(self, *requests: bytes) -> list[tuple[int, dict[str, str], bytes]]:
        self._client.write(b"".join(requests))
        replies = [await self._client.reply() for _ in requests]
        return [(reply.status, reply.fields, reply.body) for reply in replies]

    def reload(self, names: list[str], model: str = "m") -> None:
        config = load_config(configuration(self._port, names, model), "x.yaml").config
        self.gateway.apply(self.gateway.compile(config, {"n": "node-key"}))


@pytest.fixture
async def talk():
    async with staged(echo) as stage:
        [(_, port, *_)] = stage.gateway.dispatcher._pools
        config = load_config(configuration(port, ["alice", "bob"]), "x.yaml").config
        gateway = Gateway(config, {"n": "node-key"})
        await gateway.start()
        talk = Talk(gateway, port)
        await talk.open()
        yield talk
        await talk.close()
        await gateway.stop()


async def test_lengths_and_ids_are_each_request_s_own(talk: Talk) -> None:
    seen = []
    for content in ("", "x" * 9, "x" * 10, "y" * 20_000, ""):
        [(status, fields, body)] = await talk.say(ask("alice", content=content))
        assert status == 200
        assert fields["x-node"] == "yes"
        head, _, asked = body.partition(b"\r\n\r\n")
        assert asked == ask("", "m", content).partition(b"\r\n\r\n")[2]
        assert b"Content-Length: %d" % len(asked) in head
        assert b"x-request-id: " + fields["x-request-id"].encode() in head
        assert b"Bearer node-key" in head
        assert b"alice" not in body
        seen.append(fields["x-request-id"])
    assert len(set(seen)) == len(seen)


async def test_another_credential_is_judged_anew(talk: Talk) -> None:
    answers = [(await talk.say(ask(key)))[0][0] for key in ("alice", "mallo", "alice", "bob", "")]
    assert answers == [200, 401, 200, 200, 401]


async def test_on_many_connections(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each valid credential is judged once, an invalid one every time."""
    judged = []
    judge = AdmissionCache.admit

    def counted(*given: Any) -> Any:
        judged.append(1)
        return judge(*given)

    monkeypatch.setattr(AdmissionCache, "admit", counted)
    answers = []
    for key in ("alice", "mallo", "bob", "alice", "mallo", "bob", "alice"):
        other = Talk(talk.gateway, 0)
        await other.open()
        [(status, _, body)] = await other.say(ask(key))
        answers.append(status)
        assert status == 401 or b"Bearer node-key" in body
        await other.close()
    assert answers == [200, 401, 200, 200, 401, 200, 200]
    assert len(judged) == (4 if is_on(Trick.ADMISSION) else len(answers))


async def test_a_key_that_a_reload_took_away_opens_nothing_more(talk: Talk) -> None:
    assert (await talk.say(ask("alice")))[0][0] == 200
    talk.reload(["bob"])
    assert (await talk.say(ask("alice")))[0][0] == 401
    talk.reload(["alice"])
    assert (await talk.say(ask("alice")))[0][0] == 200


async def test_an_alias_that_a_reload_moved_has_moved(talk: Talk) -> None:
    models = []
    for model in ("m", "other", "m"):
        talk.reload(["alice"], model)
        [(_, _, body)] = await talk.say(ask("alice"))
        models.append(body.partition(b'"model":"')[2].partition(b'"')[0].decode())
    assert models == ["m", "other", "m"]


async def test_parameters_that_a_reload_changed_have_changed(talk: Talk) -> None:
    bodies = []
    for model in ("m", "{model: m, set: {seed: 1}}", "{model: m, set: {seed: 2}}", "m"):
        talk.reload(["alice"], model)
        [(_, _, body)] = await talk.say(ask("alice"))
        bodies.append(body.partition(b"\r\n\r\n")[2])
    plain, first, second, again = bodies
    assert plain == again == ask("", "m").partition(b"\r\n\r\n")[2]
    assert first == b'{"seed":1,' + plain[1:]
    assert second == b'{"seed":2,' + plain[1:]


async def test_a_model_that_its_node_no_longer_reports_is_not_found(talk: Talk) -> None:
    assert (await talk.say(ask("alice", "other")))[0][0] == 200
    talk.gateway.metadata.reported = {"n": talk.gateway.metadata.reported["n"][:1]}
    assert (await talk.say(ask("alice", "other")))[0][0] == 404
    assert (await talk.say(ask("alice", "m")))[0][0] == 200


async def test_an_id_of_the_client_s_own_is_kept_for_as_long_as_it_says_it(talk: Talk) -> None:
    ids = [
        (await talk.say(ask("alice", more=more)))[0][1]["x-request-id"]
        for more in ("X-Request-Id: a\r\n", "X-Request-Id: a\r\n", "X-Request-Id: b\r\n", "")
    ]
    assert ids[:3] == ["a", "a", "b"]
    assert len(ids[3]) == 32


async def test_hundreds_sent_ahead_are_answered_in_order(talk: Talk) -> None:
    """There are many more requests than frames fit on Python's stack, and some are answered at
    once."""
    wanted = [("alice", "mine"), ("nobody", "mine"), ("alice", "none such")] * 500
    replies = await talk.say(*(ask(key, model) for key, model in wanted))
    assert [status for status, _, _ in replies] == [200, 401, 404] * 500


async def test_the_log_names_each(talk: Talk, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    await talk.say(ask("alice"), ask("bob"), ask("alice"))
    await flushed(PATIENCE_S)
    err = capfdbinary.readouterr().err
    assert [line.count(b"key=alice") for line in err.splitlines()[-3:]] == [1, 0, 1]
    assert b"node-key" not in err


async def test_a_compressed_body_is_refused_each_time(talk: Talk) -> None:
    more = "Content-Encoding: gzip\r\n"
    statuses = [(await talk.say(ask("alice", more=line)))[0][0] for line in (more, more, "")]
    assert statuses == [415, 415, 200]
