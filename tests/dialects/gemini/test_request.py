"""A whole request is read at once, so that all of its faults are named."""

from __future__ import annotations

import pytest

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.gemini.request import (
    function_names,
    read_count_request,
    read_request,
)
from casedesk_proxy.errors import BadRequest
from tests.dialects.asking import HELLO


def test_a_request() -> None:
    findings = Findings()
    system = {"parts": [{"text": "be brief"}, {"text": "and kind"}]}
    read = read_request({**HELLO, "systemInstruction": system, "store": True}, findings)
    assert read.system == "be brief\nand kind"
    assert [(turn.role, [one.text for one in turn.texts()]) for turn in read.turns] == [
        ("user", ["Hello"])
    ]
    assert findings.dropped == ("store",)


def test_all_faults_are_named_at_once() -> None:
    body = {
        "contents": [],
        "generationConfig": {"topP": 2},
        "tools": [{"functionDeclarations": [{}]}],
    }
    with pytest.raises(BadRequest) as caught:
        read_request(body, Findings())
    paths = [one.path for one in caught.value.violations]
    assert {"generationConfig.topP", "tools[0].functionDeclarations[0].name"} < set(paths)


def test_both_forms_of_a_request_for_a_count() -> None:
    plain = read_count_request(HELLO, Findings())
    wrapped = read_count_request({"generateContentRequest": HELLO}, Findings())
    assert plain.turns[0].texts()[0].text == wrapped.turns[0].texts()[0].text == "Hello"
    with pytest.raises(BadRequest) as caught:
        read_count_request({**HELLO, "generateContentRequest": HELLO}, Findings())
    assert caught.value.violations[0].path == "generateContentRequest"


def test_names_that_a_strict_node_would_refuse_are_replaced() -> None:
    tools = [{"functionDeclarations": [{"name": "good_1"}, {"name": "files.read"}]}]
    names = function_names(read_request({**HELLO, "tools": tools}, Findings()))
    assert names.keys() == {"files.read"}
    assert names["files.read"].replace("_", "").isalnum()
