"""Each alert is raised by what it is about, and by nothing less: tried by Prometheus' own rule
tests."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import yaml

from tests.systemd.machine import ROOT
from tests.systemd.promtool import promtool

ALERTS = ROOT / "config" / "grafana" / "alerts.yaml"
#: When the rules are looked at, in minutes: longer than any of them waits.
MINUTES = 100

Series = dict[str, str]


def buckets(name: str, at_most: str, *, within: int, of: int) -> Series:
    """A histogram that counts so many each minute."""
    metric = f"casedesk_{name}_seconds_bucket"
    return {
        f'{metric}{{deployment="d", le="{at_most}"}}': f"0+{within}x{MINUTES}",
        f'{metric}{{deployment="d", le="1000"}}': f"0+{of}x{MINUTES}",
        f'{metric}{{deployment="d", le="+Inf"}}': f"0+{of}x{MINUTES}",
    }


def ends(**counts: int) -> Series:
    return {
        f'casedesk_exchanges_total{{deployment="d", end="{end}"}}': f"0+{count}x{MINUTES}"
        for end, count in counts.items()
    }


def always(**values: float) -> Series:
    """Gauges."""
    return {name: f"{value}x{MINUTES}" for name, value in values.items()}


def once(name: str) -> Series:
    """A counter that has just become 1."""
    return {name: f"0x{MINUTES - 2} 1x2"}


def never(name: str) -> Series:
    return {name: f"7x{MINUTES}"}


def expiring(days: float) -> Series:
    """A certificate with so many days to go at the end."""
    return always(casedesk_certificate_expiry_timestamp_seconds=MINUTES * 60 + days * 86400)


BUILD = always(casedesk_build_info=1)
REFUSALS = 'casedesk_limit_refusals_total{kind="key", name="k", limit="parallel"}'
#: By alert: what raises it, and what is just not enough.
CAUSES: dict[str, tuple[Series, Series]] = {
    "CaseDeskProxyDown": (always(up=0) | BUILD, always(up=0)),
    "CaseDeskNoNode": (
        {'casedesk_node_healthy{node="a"}': f"0x{MINUTES}"},
        {'casedesk_node_healthy{node="a"}': f"0x{MINUTES}",
         'casedesk_node_healthy{node="b"}': f"1x{MINUTES}"},
    ),
    "CaseDeskNodeDown": (
        {'casedesk_node_healthy{node="a"}': f"0x{MINUTES}",
         'casedesk_node_healthy{node="b"}': f"1x{MINUTES}"},
        {'casedesk_node_healthy{node="a"}': f"1x{MINUTES - 4} 0x4"},
    ),
    "CaseDeskStreamsBreak": (ends(completed=98, node_broke=2), ends(completed=199, node_broke=1)),
    "CaseDeskQueueLong": (
        buckets("queue_wait", "30", within=8, of=10), buckets("queue_wait", "30", within=19, of=20),
    ),
    "CaseDeskFirstByteSlow": (
        buckets("first_byte", "60", within=9, of=10), buckets("first_byte", "60", within=49, of=50),
    ),
    "CaseDeskConfigRefused": (
        always(casedesk_config_refused=1), {"casedesk_config_refused": f"0x{MINUTES - 3} 1x3"},
    ),
    "CaseDeskCertificateExpires": (expiring(13), expiring(15)),
    "CaseDeskCertificateExpired": (expiring(0), expiring(1)),
    "CaseDeskLoopLags": (
        buckets("loop_lag", "0.1", within=9, of=10), buckets("loop_lag", "0.1", within=199, of=200),
    ),
    "CaseDeskLogLinesLost": (
        once("casedesk_log_lines_dropped_total"), never("casedesk_log_lines_dropped_total"),
    ),
    "CaseDeskNodeHung": (
        {'casedesk_node_hung{node="a"}': f"1x{MINUTES}"},
        {'casedesk_node_hung{node="a"}': f"0x{MINUTES - 1} 1"},
    ),
    "CaseDeskDescriptorsExhausted": (
        once("casedesk_descriptors_exhausted_total"), never("casedesk_descriptors_exhausted_total"),
    ),
    "CaseDeskDescriptorsRunOut": (
        always(process_open_fds=81, process_max_fds=100) | BUILD,
        always(process_open_fds=79, process_max_fds=100) | BUILD,
    ),
    "CaseDeskLimitRefuses": ({REFUSALS: f"0+2x{MINUTES}"}, {REFUSALS: f"0+1x{MINUTES}"}),
    "CaseDeskLimitNearlyUsed": (
        {'casedesk_limit_used_ratio{limit="tokens_per_day"}': f"0.91x{MINUTES}"},
        {'casedesk_limit_used_ratio{limit="requests_per_minute"}': f"1x{MINUTES}"},
    ),
    "CaseDeskStateUnwritable": (
        always(casedesk_state_writable=0), {"casedesk_state_writable": f"1x{MINUTES - 3} 0x3"},
    ),
    "CaseDeskLedgerLosesRows": (
        once("casedesk_state_rows_dropped_total"), never("casedesk_state_rows_dropped_total"),
    ),
    "CaseDeskLedgerBehind": (
        always(casedesk_ledger_rows_behind=10001), always(casedesk_ledger_rows_behind=10000),
    ),
}  # fmt: skip


def test_every_alert_is_tried() -> None:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    assert [one["alert"] for one in group["rules"]] == list(CAUSES)


def test_each_is_raised_by_its_cause_and_by_nothing_less(tmp_path: Path) -> None:
    tests = [
        {
            "name": f"{alert}: {'raised' if raised else 'quiet'}",
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {
                    "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})',
                    "eval_time": f"{MINUTES}m",
                    "exp_samples": [{"labels": "{}", "value": 1}] if raised else [],
                }
            ],
        }
        for alert, both in CAUSES.items()
        for raised, series in zip((True, False), both, strict=True)
    ]
    path = tmp_path / "causes.json"
    file = {"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests}
    path.write_text(json.dumps(file))
    done = subprocess.run(
        [promtool(), "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_an_alert_says_has_each_label_that_it_names() -> None:
    """A label that a query sums away would be an empty place in a sentence."""
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    summed = {one["alert"]: one for one in rules if "sum by" in one["expr"]}
    assert "CaseDeskStreamsBreak" in summed
    for alert, rule in summed.items():
        named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        for kept in re.findall(r"sum by \(([^)]*)\)", rule["expr"]):
            assert named <= set(kept.split(", ")), alert
