"""The findings about a request stay short, even if it has many mistakes."""

from __future__ import annotations

import json

import pytest

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.errors import BadRequest, ProxyError, Unsupported, Violation
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.surfaces.envelopes import error_reply
from casedesk_proxy.terms import Dialect
from tests.dialects.asking import HELLO, error
from tests.fixtures.table import table

LONG = "x" * 1_000_000


def bodies(fault: ProxyError) -> list[bytes]:
    return [error_reply(surface, fault, "r").body for surface in Dialect]


def test_many_unknown_fields() -> None:
    fault = error({**HELLO, **{f"field{number}": 1 for number in range(300_000)}})
    assert fault.message.endswith("and 299995 more")
    assert len(fault.violations) == 20
    assert all(len(body) < 8192 for body in bodies(fault))


@table(
    "body",
    [
        {**HELLO, LONG: 1},
        {**HELLO, "generationConfig": {LONG: {LONG: 1}}},
        {"contents": [{"role": LONG, "parts": [{"text": "a"}]}]},
        {**HELLO, "generationConfig": {"responseMimeType": LONG}},
        {**HELLO, "tools": [{"functionDeclarations": [{"name": LONG}, {"name": LONG}]}]},
        {**HELLO, "tools": [{"functionDeclarations": [
            {"name": "f", "parametersJsonSchema": {"properties": {LONG[:200_000]: 7}}}]}]},
        {"contents": [{"parts": [{"inlineData": {"mimeType": f"image/{LONG}", "data": "AAAA"}}]}]},
    ],
)  # fmt: skip
def test_hostile_names(body: dict[str, object]) -> None:
    assert all(len(one) < 20_000 for one in bodies(error(body)))


@table("kind", [BadRequest, Unsupported])
def test_every_envelope_is_bounded(kind: type[ProxyError]) -> None:
    fault = kind(LONG, violations=tuple(Violation(LONG, LONG) for _ in range(1000)))
    assert all(len(body) < 40_000 for body in bodies(fault))
    told = json.loads(bodies(fault)[0])["error"]["details"][1]["fieldViolations"]
    assert len(told) == 20


def test_features_and_formats_share_the_bound() -> None:
    findings = Findings()
    for number in range(30):
        findings.refuse(f"a{number}", "no")
        findings.refuse_format(f"b{number}", "no")
    with pytest.raises(Unsupported, match="and 55 more") as caught:
        findings.raise_refusals()
    assert len(caught.value.violations) == 20


def test_the_log_names_some_of_what_was_dropped() -> None:
    dropped = (LONG, *(f"field{number}" for number in range(1000)))
    told = ExchangeRecord(request_id="r", started=0.0, dropped=dropped).facts()["dropped"]
    assert told.endswith("field48,and 951 more")
    assert len(told) < 1000
