"""Metrics of several instances become one text that Prometheus reads."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from casedesk_proxy.telemetry.merged_metrics import merge_metrics

A = b"""\
# HELP casedesk_events_total Pieces.
# TYPE casedesk_events_total counter
casedesk_events_total{deployment="d",node="a b{"} 3.0
# HELP casedesk_streams Streams.
# TYPE casedesk_streams gauge
casedesk_streams 2.0
"""
B = b"""\
# HELP casedesk_streams Streams.
# TYPE casedesk_streams gauge
casedesk_streams 5.0
# HELP casedesk_more More.
# TYPE casedesk_more gauge
casedesk_more{x="y"} 1.0
"""


def test_each_sample_says_whose_it_is() -> None:
    merged = merge_metrics({"a": A, 'b"\\': B}).decode()
    assert merged.count("# TYPE casedesk_streams gauge") == 1
    found = {
        (sample.name, sample.labels["instance"]): (sample.value, sample.labels)
        for family in text_string_to_metric_families(merged)
        for sample in family.samples
    }
    assert found["casedesk_streams", "a"][0] == 2
    assert found["casedesk_streams", 'b"\\'][0] == 5
    assert found["casedesk_more", 'b"\\'][1]["x"] == "y"
    assert found["casedesk_events_total", "a"][1]["node"] == "a b{"


def test_nothing_is_nothing() -> None:
    assert merge_metrics({}) == b""
