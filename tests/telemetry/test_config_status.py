"""Whether the last reload succeeded."""

from __future__ import annotations

from casedesk_proxy.telemetry.config_status import ConfigStatus


def test_a_refused_file_leaves_the_one_in_force() -> None:
    status = ConfigStatus(loaded=1.0, tried=1.0)
    status.reject(5.0, "nodes.a.url: write http://host:port")
    assert (status.loaded, status.tried) == (1.0, 5.0)
    assert status.refusal == "nodes.a.url: write http://host:port"
    status.accept(9.0)
    assert status == ConfigStatus(loaded=9.0, tried=9.0)
