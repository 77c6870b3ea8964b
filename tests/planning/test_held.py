"""A plan that was made in another process, put together with the bodies that came with it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from casedesk_proxy.dialects.core.contract import SideRequest
from casedesk_proxy.planning.held import HeldRoute, hold_plan
from casedesk_proxy.planning.plan import Plan, plan_request
from tests.planners.asking import ask, snapshot, write


@dataclass
class Here:
    body: bytes

    @property
    def size(self) -> int:
        return len(self.body)

    def read(self, at: int, most: int) -> bytes:
        return self.body[at : at + most]


CONFIG = snapshot()
RAW = write("gemini", "m", ["Hi"])


def planned() -> Plan:
    return plan_request(CONFIG, CONFIG.deployments["d"], ask("gemini", RAW))


def test_head_and_body_are_those_of_the_route() -> None:
    plan, node = planned(), CONFIG.nodes["n"]
    route = plan.routes["n"]
    content = Here(route.body)
    held = hold_plan(replace(plan, routes={"n": replace(route, body=b"")}), {"n": content}, {})
    made = held.routes["n"]
    assert isinstance(made, HeldRoute)
    assert made.request_for(node) + content.read(0, 10**6) == route.request_for(node)
    assert made.request_for(node) + content.body == route.request_for(node), "the head is kept"
    assert (made.translator, made.controls) == (route.translator, route.controls)


def test_a_route_of_several_nodes_stays_one() -> None:
    plan = planned()
    route, content = plan.routes["n"], Here(b"{}")
    several = replace(plan, routes={"n": route, "o": route, "p": route})
    held = hold_plan(several, {"n": content, "o": content, "p": Here(b"[]")}, {})
    assert held.routes["n"] is held.routes["o"]
    assert held.routes["p"] is not held.routes["n"]


def test_its_side_request_is_a_request_of_its_own() -> None:
    plan, node = planned(), CONFIG.nodes["n"]
    route = replace(plan.routes["n"], side_request=SideRequest("/count", b"", print))
    large, asked = Here(b"large"), Here(b"{}")
    held = hold_plan(replace(plan, routes={"n": route}), {"n": large}, {"n": asked}).routes["n"]
    assert isinstance(held, HeldRoute)
    side_request = held.side_request_for(node)
    assert side_request.startswith(b"POST /count HTTP/1.1\r\n")
    assert side_request.endswith(b"Content-Length: 2\r\n\r\n"), "its body is sent behind it"
    assert (held.content, held.side_content) == (large, asked)
