"""Every request that was captured from a real client is recognised."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from casedesk_proxy.auth.credentials import find_credential
from casedesk_proxy.errors import ProxyError
from casedesk_proxy.surfaces.anthropic import require_version
from casedesk_proxy.surfaces.bodies import read_body, rename_model
from casedesk_proxy.surfaces.paths import guess_surface, read_call
from casedesk_proxy.terms import Dialect, Framing, RawHeaders
from casedesk_proxy.wire.headers import forward_request_headers
from tests.fixtures.table import table

CORPUS = Path(__file__).parent.parent / "corpus" / "clients"
CAPTURES = sorted(CORPUS.glob("*.json"))


def raw(lines: list[str]) -> RawHeaders:
    pairs = (line.partition(":") for line in lines)
    return tuple((name.encode(), value.strip().encode()) for name, _, value in pairs)


def requests() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path in CAPTURES:
        for entry in json.loads(path.read_text()):
            if "target" in entry:
                yield entry["method"], entry["target"], entry
            else:
                method, target = entry["sent"].split(" ", 1)
                yield method, target, {"label": f"{entry['client']} {entry['model_given']}"}


ALL = list(requests())
WHOLE = [entry for _, _, entry in ALL if "headers" in entry]


def expected() -> dict[str, str]:
    lines = (CORPUS / "calls.txt").read_text().splitlines()
    pairs = (line.split(" => ", 1) for line in lines if not line.startswith("#"))
    return dict(pairs)


EXPECTED = expected()


def meaning(method: str, target: str, headers: RawHeaders) -> str:
    try:
        call = read_call(method, target, headers)
    except ProxyError as error:
        return f"{error.status} {error.code}"
    model = json.dumps(call.model, ensure_ascii=False) if call.model else "-"
    words = [call.surface, call.action, call.deployment or "-", model]
    return " ".join([*words, call.version or "-", call.query or "-", call.framing])


def test_corpus_is_there() -> None:
    assert len(CAPTURES) > 30
    assert len(ALL) > 140
    assert {f"{method} {target}" for method, target, _ in ALL} == set(EXPECTED)


@table(
    ("method", "target", "entry"), ALL, ids=[f"{one[2]['label']}-{i}" for i, one in enumerate(ALL)]
)
def test_captured_target(method: str, target: str, entry: dict[str, Any]) -> None:
    assert meaning(method, target, raw(entry.get("headers", []))) == EXPECTED[f"{method} {target}"]


@table("entry", WHOLE, ids=lambda entry: entry["label"])
def test_captured_mount_is_guessed(entry: dict[str, Any]) -> None:
    mount = entry["target"].split("/")[3].partition("?")[0]
    assert guess_surface(entry["target"], raw(entry["headers"])) == mount


@table("entry", WHOLE, ids=lambda entry: entry["label"])
def test_no_captured_credential_is_forwarded(entry: dict[str, Any]) -> None:
    headers = raw(entry["headers"])
    names = {name.lower() for name, _ in forward_request_headers(headers)}
    assert names.isdisjoint(
        {b"authorization", b"x-api-key", b"x-goog-api-key", b"cookie", b"host", b"accept-encoding"}
    )
    google = {name.lower() for name, _ in headers if name.lower().startswith(b"x-goog-")}
    assert google - {b"x-goog-api-key"} <= names


@table(
    ("label", "winner"),
    [
        ("py-google-genai-3.4.0/generate_content", "test-key"),
        ("py-google-genai-3.4.0/extra-headers", "tok"),
        ("py-google-genai-3.4.0/base-with-query", "test-key"),
        ("py-google-genai-3.4.0/vertex-project/generate_content", "fake-oauth"),
        ("py-google-genai-3.4.0/vertex-no-auth/generate_content", None),
        ("py-google-generativeai-0.8.6/generate_content", "not-needed"),
        ("py-google-generativeai-0.8.6/default_metadata", "tok"),
        ("node-google-genai-3.1.0/headers-bearer", "tok"),
        ("py-anthropic-2.11.0/messages.create", "not-needed"),
        ("py-anthropic-2.11.0/auth_token", "tok"),
        ("py-anthropic-2.11.0/default_headers", "not-needed"),
        ("py-anthropic-1.17.0/messages.create", "not-needed"),
        ("py-anthropic-1.17.0/env-both", "env-tok"),
        ("node-anthropic-0.137.0/messages.create", "not-needed"),
        ("py-openai-3.52.0/chat.completions", "not-needed"),
        ("docs-curl/percent-encoded", "abc"),
        ("docs-curl/streamGenerateContent", None),
    ],
)
def test_captured_credential(label: str, winner: str | None) -> None:
    entry = next(entry for entry in WHOLE if entry["label"] == label)
    query = entry["target"].partition("?")[2]
    assert find_credential(raw(entry["headers"]), query) == winner


BODIES = [
    entry
    for entry in WHOLE
    if isinstance(entry["body"], dict)
    and EXPECTED[f"{entry['method']} {entry['target']}"][0].isalpha()
]


@table("entry", BODIES, ids=lambda entry: entry["label"])
@table("indent", [None, 2])
def test_captured_body(entry: dict[str, Any], indent: int | None) -> None:
    headers = raw(entry["headers"])
    call = read_call(entry["method"], entry["target"], headers)
    sent = json.dumps(entry["body"], indent=indent).encode()
    body = read_body(call, sent)
    assert body.value == entry["body"]
    if call.surface is Dialect.GEMINI:
        assert body.stream == (call.framing is not Framing.UNARY)
        renamed = rename_model(call, sent, body.value, "other:1")
        assert renamed == sent.replace(b'"models/gemma2:9b"', b'"models/other:1"')
    else:
        assert body.model == entry["body"]["model"]
        assert body.stream == bool(entry["body"].get("stream"))
        renamed = rename_model(call, sent, body.value, "other:1")
        assert json.loads(renamed) == {**entry["body"], "model": "other:1"}
    if call.surface is Dialect.ANTHROPIC:
        require_version(headers)
