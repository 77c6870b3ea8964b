"""An error about a client's body names what decides: the setting, or the path."""

from __future__ import annotations

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.relay.body_faults import no_room, too_large, too_large_here, too_slow
from tests.fixtures.table import table


@table(
    ("fault", "status", "code", "limit"),
    [
        (too_large(100), 413, "request_too_large", "server.max_body"),
        (
            too_large_here(100),
            413,
            "request_too_large",
            "100 bytes, the most that this path accepts",
        ),
        (too_slow(), 408, "invalid_request", "server.body_timeout"),
        (no_room(), 503, "bodies_full", "server.max_bodies"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_names_what_decides(fault: ProxyError, status: int, code: str, limit: str) -> None:
    assert (fault.status, fault.code) == (status, code)
    assert limit in str(fault)


def test_whoever_found_no_room_may_come_again() -> None:
    assert no_room().retry_after
