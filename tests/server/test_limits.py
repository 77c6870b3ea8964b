"""What clients may use of the server's time and memory."""

from __future__ import annotations

from casedesk_proxy.config.schema import Server
from casedesk_proxy.server.limits import ServerLimits, read_limits


def test_they_are_the_configuration_s() -> None:
    settings = Server(send_timeout="20s", min_rate=1024, max_bodies="64MiB", max_body="1MiB")
    assert read_limits(settings) == ServerLimits(20.0, 1024, 2**26)


def test_one_body_of_the_largest_size_always_fits() -> None:
    settings = Server(max_bodies="1MiB", max_body="64MiB")
    assert read_limits(settings).max_bodies == 2**26
