"""Every class that stands for a part of a request, real or of a test, has that part's methods."""

from __future__ import annotations

from casedesk_proxy.relay.delivery import Delivery
from casedesk_proxy.relay.parties import Client, Discarded, Held, Sink
from casedesk_proxy.relay.upload import ClientUpload
from casedesk_proxy.server.client import ConnectedClient
from tests.fixtures.table import table
from tests.server.clients import FakeClient


@table(
    ("protocol", "party"),
    [
        (Client, ConnectedClient),
        (Client, FakeClient),
        (Held, Delivery),
        (Sink, ClientUpload),
        (Sink, Discarded),
    ],
)
def test_the_real_ones_and_those_of_tests_fit(protocol: type, party: type) -> None:
    asked = [name for name in vars(protocol) if not name.startswith("_")]
    assert asked
    assert [name for name in asked if not hasattr(party, name)] == []
