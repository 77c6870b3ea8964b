"""The dashboard and the alerts use metrics that exist, in queries that Prometheus accepts."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import trustme

from casedesk_proxy.config.load import load_config
from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.store.file import FILE_NAME
from casedesk_proxy.store.writer import StoreWriter
from casedesk_proxy.terms import Usage
from tests.systemd.machine import ROOT
from tests.systemd.promtool import promtool

FOLDER = ROOT / "config" / "grafana"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
ALERTS = (FOLDER / "alerts.yaml").read_text()
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
CONFIG = """
server: {admin: null, tls: {cert: %s/cert, key: %s/key}}
nodes: {n: {url: "http://127.0.0.1:1", models: [m], max_streams: 1}}
deployments: {d: {nodes: [n], auth: none, limits: {tokens_per_day: 5}}}
"""


def check_rules(path: Path) -> None:
    done = subprocess.run(
        [promtool(), "check", "rules", "--lint=all", "--lint-fatal", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_alerts() -> None:
    check_rules(FOLDER / "alerts.yaml")


def test_the_scrape_example() -> None:
    command = [promtool(), "check", "config", "--lint=all", "--lint-fatal"]
    done = subprocess.run(
        [*command, str(FOLDER / "prometheus.yaml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


#: A proxy, under a job name of the operator's own, and something else that is down and full too.
RULE_TEST = """
rule_files: ["{alerts}"]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {{series: 'up{{job="mine", instance="a"}}', values: "1 1 1 0x20"}}
      - {{series: 'casedesk_build_info{{job="mine", instance="a"}}', values: "1 1 1 stale"}}
      - {{series: 'up{{job="other", instance="b"}}', values: "0x20"}}
      - {{series: 'casedesk_build_info{{job="mine", instance="c"}}', values: "1x20"}}
      - {{series: 'process_open_fds{{job="mine", instance="c"}}', values: "90x20"}}
      - {{series: 'process_max_fds{{job="mine", instance="c"}}', values: "100x20"}}
      - {{series: 'process_open_fds{{job="other", instance="b"}}', values: "90x20"}}
      - {{series: 'process_max_fds{{job="other", instance="b"}}', values: "100x20"}}
    alert_rule_test:
      - eval_time: 10m
        alertname: CaseDeskProxyDown
        exp_alerts:
          - exp_labels: {{job: mine, instance: a, severity: critical}}
            exp_annotations:
              summary: a does not answer
              description: >-
                The admin listener cannot be scraped. See journalctl -u casedesk-proxy.
      - eval_time: 10m
        alertname: CaseDeskDescriptorsRunOut
        exp_alerts:
          - exp_labels: {{job: mine, instance: c, severity: warning}}
            exp_annotations:
              summary: c uses most of its descriptors
              description: Each stream takes two. Raise LimitNOFILE in the unit.
"""


def test_alerts_name_proxies_alone_whatever_their_job_is_named(tmp_path: Path) -> None:
    path = tmp_path / "test.yaml"
    path.write_text(RULE_TEST.format(alerts=FOLDER / "alerts.yaml"))
    done = subprocess.run(
        [promtool(), "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "job=" not in ALERTS + "".join(QUERIES)


def test_the_dashboard_s_queries(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:query_{number}:rate", "expr": re.sub(r"\$__rate_interval", "5m", query)}
        for number, query in enumerate(QUERIES)
    ]
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    check_rules(path)


async def test_every_metric_that_is_asked_for_is_told(tmp_path: Path) -> None:
    made = trustme.CA().issue_cert("localhost")
    made.private_key_pem.write_to_path(tmp_path / "key")
    made.cert_chain_pems[0].write_to_path(tmp_path / "cert")
    store = StoreWriter(tmp_path / FILE_NAME)
    gateway = Gateway(load_config(CONFIG % (tmp_path, tmp_path), "t").config, {}, store=store)
    outcome = ExchangeRecord(
        request_id="r", started=0, surface="openai", deployment="d", node="n", attempts=2,
        status=200, terminal=Terminal.COMPLETED, first_byte=1, ended=2, received=1, sent=1,
        events=9, queued=0.1, overhead=0.1, cancel=0.1, usage=Usage(1, 1, 1, 1),
    )  # fmt: skip
    gateway.metrics.count(outcome)
    gateway.key_use.count(outcome)
    for counts in (gateway.limiter.refused, gateway.limiter.warned):
        counts["deployment", "d", "tokens_per_day"] += 1
    gateway.metrics.observe_lag(0.1)
    text = gateway.metrics.render().decode()
    told = set(re.findall(r"^(\w+)[{ ]", text, re.MULTILINE))
    asked = set(re.findall(r"\b(?:casedesk|process)_\w+", " ".join([ALERTS, *QUERIES])))
    assert asked - told == set()
    ours = {name for name in told if name.startswith("casedesk_")}
    ours = {re.sub("_(sum|count|bucket)$", "", name) for name in ours}
    shown = {re.sub("_bucket$", "", name) for name in asked}
    unseen = ours - shown
    assert unseen == {
        "casedesk_bytes_total", "casedesk_events_total", "casedesk_node_full",
    }  # fmt: skip
    labels = re.findall(r'end="(\w+)"', ALERTS)
    assert labels
    assert set(labels) <= set(Terminal)
    await gateway.stop()


def test_the_dashboard_can_be_imported() -> None:
    """Grafana asks for the data source; panels without an id of their own overwrite each other."""
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "instance", "deployment"]
    source = {"type": "prometheus", "uid": "${datasource}"}
    used = [DASHBOARD["panels"], [variables["instance"], variables["deployment"]]]
    used += [panel["targets"] for panel in DASHBOARD["panels"]]
    assert all(one["datasource"] == source for several in used for one in several)
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    asked = set(re.findall(r"\$(\w+)", " ".join(QUERIES)))
    assert asked == {"instance", "deployment", "__rate_interval"}


@pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=lambda panel: panel["title"])
def test_each_line_of_a_panel_has_a_name_of_its_own(panel: dict) -> None:  # type: ignore[type-arg]
    refs = [target["refId"] for target in panel["targets"]]
    assert len(set(refs)) == len(refs)
    for target in panel["targets"]:
        kept = re.findall(r"(?:sum|min|max) by \(([^)]*)\)", target["expr"])
        shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        summed = {label for one in kept for label in one.split(", ")} - {"le"}
        if kept:
            assert shown == summed


@pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=lambda panel: panel["title"])
def test_panels_do_not_overlap(panel: dict) -> None:  # type: ignore[type-arg]
    place = panel["gridPos"]
    assert place["x"] + place["w"] <= 24
    for other in DASHBOARD["panels"]:
        there = other["gridPos"]
        if other is not panel:
            assert (
                place["x"] + place["w"] <= there["x"] or there["x"] + there["w"] <= place["x"]
                or place["y"] + place["h"] <= there["y"] or there["y"] + there["h"] <= place["y"]
            )  # fmt: skip
