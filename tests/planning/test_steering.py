"""The request to the node that runs a chat when a client steers that chat."""

from __future__ import annotations

import pytest

from casedesk_proxy.errors import BadRequest, NotFound
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.planning.steering import plan_steering
from casedesk_proxy.pools.response_memory import Keeper
from casedesk_proxy.surfaces.paths import read_call
from tests.fixtures.table import table
from tests.planning.configs import make_snapshot
from tests.planning.test_plan import asked


def steer(body: bytes, mount: str = "") -> Plan:
    """Steer a chat. The node local runs the chat c1 with the model that clients call gpt-4."""
    snapshot = make_snapshot()
    keeper = Keeper("local", "tiny", "gpt-4", 0.0)
    inputs = PlanInputs(
        read_call("POST", f"{mount}/v1/chat/completions/control?a=1", ()), (), body, "req-1", {},
        find_keeper=lambda ident: keeper if ident == "c1" else None,
    )  # fmt: skip
    return plan_steering(snapshot, snapshot.deployments["desk"], inputs)


@table("mount", ["", "/proxy/desk/node"])
@table(
    ("body", "sent"),
    [
        (b'{"id": "c1", "x":1.0}', b'{"id": "c1", "x":1.0}'),
        (b'{"id": "c1","model":"gpt-4"}', b'{"id": "c1","model":"tiny"}'),
        (b'{"id":"c1","model":"a","model":"tiny"}', b'{"id":"c1","model":"tiny","model":"tiny"}'),
    ],
)
def test_the_node_gets_the_clients_bytes_but_for_the_model(
    mount: str, body: bytes, sent: bytes
) -> None:
    made = steer(body, mount)
    line, _, got = asked(made)
    assert (line, got) == ("POST /v1/chat/completions/control?a=1 HTTP/1.1", sent)
    assert (made.asked, made.model, made.demand.is_about) == ("gpt-4", "tiny", True)


@table("body", [b"{}", b'{"id":7}', b'{"id":""}'])
def test_an_id_is_required(body: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        steer(body)
    assert caught.value.violations[0].path == "id"


def test_what_nobody_runs_is_not_found() -> None:
    with pytest.raises(NotFound) as caught:
        steer(b'{"id":"c2"}')
    assert caught.value.code == "chat_not_found"
    assert caught.value.violations[0].path == "id"
