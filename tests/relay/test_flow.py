"""A relay and a tunnel look the same to code that watches them."""

from __future__ import annotations

from casedesk_proxy.relay.flow import Flow
from casedesk_proxy.relay.relay import Relay
from casedesk_proxy.relay.tunnel import Tunnel
from tests.fixtures.table import table

NAMES = [name for name in dir(Flow) if not name.startswith("_")] + list(Flow.__annotations__)


@table("name", NAMES)
def test_both_have_it(name: str) -> None:
    assert hasattr(Relay, name)
    assert hasattr(Tunnel, name)
