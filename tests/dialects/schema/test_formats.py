"""Formats that an engine's grammar does not support are removed; anything else that is named so
stays."""

from __future__ import annotations

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.schema.formats import fit_formats

KNOWN = frozenset({"date-time"})


def test_only_known_formats_stay() -> None:
    findings = Findings()
    schema = {"type": "array", "items": [{"format": "date-time"}, {"format": "uri", "title": "t"}]}
    fitted = fit_formats(schema, KNOWN, "schema", findings)
    assert fitted == {"type": "array", "items": [{"format": "date-time"}, {"title": "t"}]}
    assert findings.dropped == ("schema format 'uri'",)


def test_names_and_values_of_the_client_are_no_formats() -> None:
    schema = {
        "properties": {"format": {"type": "string"}, "enum": {"format": "uri"}},
        "default": {"format": "uri"},
        "required": ["format"],
    }
    fitted = fit_formats(schema, KNOWN, "schema", Findings())
    assert fitted == {**schema, "properties": {"format": {"type": "string"}, "enum": {}}}
