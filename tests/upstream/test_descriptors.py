"""Which failures to connect are caused by the proxy itself."""

from __future__ import annotations

import errno

from casedesk_proxy.upstream.descriptors import are_used_up
from tests.fixtures.table import table


@table(
    ("error", "ours"),
    [
        (OSError(errno.EMFILE, "too many open files"), True),
        (OSError(errno.ENFILE, "too many open files in system"), True),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), False),
        (OSError("no number"), False),
        (ValueError(errno.EMFILE), False),
    ],
)
def test_no_descriptor_is_left(error: BaseException, ours: bool) -> None:
    assert are_used_up(error) is ours
