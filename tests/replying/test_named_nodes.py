"""The node's name in errors that did not know it."""

from __future__ import annotations

from casedesk_proxy.errors import BadRequest, NodeError, StreamBroken, UpstreamFault
from casedesk_proxy.replying.named_nodes import of_node


def test_an_error_of_a_node_names_it_and_stays_what_it_is() -> None:
    shared = UpstreamFault("the node's reply is malformed", status=503, code="x", retry_after=2.0)
    named = of_node(shared, "gpu0")
    assert (named.message, str(named)) == ("node gpu0's reply is malformed",) * 2
    assert shared.message == "the node's reply is malformed", "others may have it, too"
    assert (type(named), named.status, named.code) == (UpstreamFault, 503, "x")
    assert named.retry_after == 2.0


def test_what_a_node_said_stays_with_its_error() -> None:
    named = of_node(NodeError(500, b"hush"), "gpu0")
    assert isinstance(named, NodeError)
    assert (named.answered, named.body) == (500, b"hush")
    assert named.reason == "node gpu0 reported an error in the middle of its reply"


def test_other_errors_stay_the_same() -> None:
    mine = BadRequest("the body is empty")
    assert of_node(mine, "gpu0") is mine
    broken = StreamBroken("the node stopped")
    assert of_node(broken, "") is broken, "before a node has answered"
