"""How complaints about a configuration read."""

from __future__ import annotations

from casedesk_proxy.config.complaints import Complaint, ConfigError


def test_a_complaint_begins_with_its_place_and_ends_with_what_to_do() -> None:
    complaint = Complaint("nodes.a.url", "is missing", "f.yaml", 3, 5, remedy="add it")
    assert str(complaint) == "f.yaml:3:5: nodes.a.url: is missing; add it"


def test_a_complaint_about_a_whole_file() -> None:
    assert str(Complaint("", "is empty", "f.yaml")) == "f.yaml: is empty"


def test_an_error_has_all_complaints_a_line_each() -> None:
    complaints = [Complaint("a", "is one", "f"), Complaint("b", "is another", "f")]
    error = ConfigError(complaints)
    assert str(error) == "f: a: is one\nf: b: is another"
    assert error.complaints == complaints
