"""The image's recipe and the example for Kubernetes, as far as they can be checked without
either."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from casedesk_proxy import __version__
from casedesk_proxy.config.load import load_config
from tests.suites.pythons import read_versions
from tests.systemd.machine import ROOT

RECIPE = (ROOT / "packages/Containerfile").read_text()


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    text = (ROOT / "packages/kubernetes.yaml").read_text()
    return {one["kind"]: one for one in yaml.safe_load_all(text)}


def test_the_image_is_built_from_what_is_there_and_runs_as_nobody_in_particular() -> None:
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", RECIPE, re.MULTILINE)
    assert copied
    assert [one for one in " ".join(copied).split() if not (ROOT / one).exists()] == []
    assert re.findall(r"^USER (\d+):(\d+)$", RECIPE, re.MULTILINE) == [("65532", "65532")]


def test_its_python_is_one_that_the_package_names() -> None:
    named = re.findall(r"^ARG BASE=python:([\d.]+)-slim$", RECIPE, re.MULTILINE)
    assert len(named) == 1
    assert named[0] in read_versions()


def test_its_configuration_is_accepted(objects: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "key").write_text("key")
    text = objects["ConfigMap"]["data"]["config.yaml"]
    loaded = load_config(text.replace("/etc/casedesk-keys/vllm", str(tmp_path / "key")), "k.yaml")
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    server = loaded.config.server
    assert (str(server.listen), str(server.admin)) == (
        f"0.0.0.0:{ports['public']}", f"0.0.0.0:{ports['admin']}",
    )  # fmt: skip
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > server.drain_timeout + pause
    assert container["image"] == f"casedesk-proxy:{__version__}"


def test_its_labels_and_volumes_meet(objects: dict[str, Any]) -> None:
    template = objects["Deployment"]["spec"]["template"]
    labels = template["metadata"]["labels"]
    assert objects["Service"]["spec"]["selector"] == labels
    assert objects["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    (container,) = template["spec"]["containers"]
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in template["spec"]["volumes"]}
