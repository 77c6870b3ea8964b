"""What is counted as the proxy's own work on a request."""

from __future__ import annotations

import time

from casedesk_proxy.server.pending import Timing


def test_the_wait_for_a_body_is_not_our_own_work() -> None:
    before = time.perf_counter()
    timing = Timing()
    timing.pause()
    begin = time.perf_counter()
    waited = time.perf_counter() - begin
    timing.resume()
    mine = timing.seconds
    assert 0 <= mine <= time.perf_counter() - before - waited
    assert timing.seconds >= mine, "it goes on"
