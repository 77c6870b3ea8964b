"""The defaults of a finding."""

from __future__ import annotations

from casedesk_proxy.config.findings import Finding


def test_a_finding_is_an_error_in_a_value() -> None:
    finding = Finding(("nodes", "a"), "is wrong")
    assert (finding.remedy, finding.warns, finding.at_key) == ("", False, False)
