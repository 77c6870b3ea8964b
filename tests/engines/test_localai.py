"""LocalAI with the answers of its source and documentation: no package of it runs here."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.engines.localai import SPEC, read_models
from casedesk_proxy.engines.registry import ENGINES
from casedesk_proxy.errors import Unsupported
from casedesk_proxy.terms import Ability, Dialect, ModelInfo
from tests.dialects.asking import chat, with_config, with_tools
from tests.engines.answers import look_at
from tests.engines.known import REFUSED
from tests.fixtures.recorded_nodes import NOT_FOUND, reply
from tests.fixtures.table import table

VISION, AUDIO, EMBEDDING = Ability.VISION, Ability.AUDIO, Ability.EMBEDDING
LISTED = reply('{"object":"list","data":[{"id":"m","object":"model"}]}')
LOCKED = reply('{"error":{"message":"no key"}}', "401 Unauthorized")


def described(version: str = "v4.9.0 (a1b2c3d4)") -> bytes:
    return reply(
        f'{{"version":"{version}","endpoints":{{"models":"/v1/models",'
        '"chat_completions":"/v1/chat/completions"},"capabilities":{}}'
    )


REPLIES = {
    "GET /v1/models": LISTED,
    "GET /.well-known/localai.json": described(),
    "GET /v1/models/capabilities": reply(
        '{"object":"list","data":[{"id":"m","object":"model","capabilities":["chat","tools"],'
        '"input_modalities":["text","image"],"output_modalities":["text"]}]}'
    ),
}
HEARD = (REPLIES, NOT_FOUND)
SENT: dict[str, Any] = {
    "one call at a time": False,
    "n": REFUSED,
    "effort to switch thinking off": "none",
    "response_format json_object": REFUSED,
    "tool_choice required": REFUSED,
    "tool_choice named": REFUSED,
    "top_logprobs": REFUSED,
    "logprobs beside tools": REFUSED,
    "format and tools": REFUSED,
}
MEDIA = {"image/webp", "image/gif", "audio/wav", "audio/x-wav", "audio/mpeg", "video/mp4"}


def test_it_is_known_by_its_description_of_itself() -> None:
    found, asked = look_at(SPEC, REPLIES)
    assert found is not None
    assert (found.engine, found.version, found.needs_key) == (SPEC, "v4.9.0", False)
    assert found.models == (ModelInfo("m", lacks=frozenset({AUDIO, EMBEDDING})),)
    assert [one.path for together in asked for one in together] == [
        "/.well-known/localai.json",
        "/v1/models/capabilities",
    ]


@table(
    ("version", "dialects"),
    [
        ("v3.9.0 (x)", (Dialect.OPENAI,)),
        ("v3.10.0", (Dialect.OPENAI, Dialect.ANTHROPIC)),
        ("v4.9.0 (a1b2c3d4)", (Dialect.OPENAI, Dialect.ANTHROPIC)),
        ("built from source", (Dialect.OPENAI,)),
    ],
)
def test_newer_ones_speak_anthropic(version: str, dialects: tuple[Dialect, ...]) -> None:
    found, _ = look_at(SPEC, {**REPLIES, "GET /.well-known/localai.json": described(version)})
    assert found is not None
    assert found.dialects == dialects


def test_an_older_one_tells_names_only() -> None:
    replies = {name: one for name, one in REPLIES.items() if "capabilities" not in name}
    found, _ = look_at(SPEC, replies)
    assert found is not None
    assert found.models == (ModelInfo("m"),)


def test_one_that_wants_a_key() -> None:
    replies = {**dict.fromkeys(REPLIES, LOCKED), "GET /.well-known/localai.json": described()}
    found, _ = look_at(SPEC, replies)
    assert found is not None
    assert (found.models, found.needs_key) == ((), True)


def test_it_imitates_ollama_and_looks_before_it() -> None:
    ollama = ENGINES["ollama"]
    imitated = {
        **REPLIES,
        "GET /api/version": reply('{"version":"0.9.0"}'),
        "GET /api/tags": reply('{"models":[]}'),
        "GET /api/ps": reply('{"models":[]}'),
    }
    assert look_at(ollama, imitated)[0] is not None
    assert SPEC.fingerprint is not None
    assert ollama.fingerprint is not None
    assert SPEC.fingerprint.turn < ollama.fingerprint.turn


@table(
    "description", [reply("{}"), reply('{"version":"1"}'), reply('{"version":1,"endpoints":{}}')]
)
def test_another_server_is_not_taken_for_it(description: bytes) -> None:
    assert look_at(SPEC, {**REPLIES, "GET /.well-known/localai.json": description})[0] is None


@table(
    ("able", "takes", "embeds", "also", "lacks"),
    [
        (["chat", "vision"], ["text", "image"], False, False, {AUDIO, EMBEDDING}),
        (["chat", "embeddings"], ["text", "audio"], False, True, {VISION}),
        (["embeddings"], ["text"], True, False, {VISION, AUDIO, Ability.COMPLETION}),
        (["tts"], [], False, False, {Ability.COMPLETION, EMBEDDING}),
        ([], [], False, False, set()),
        (None, "text", False, False, set()),
    ],
)
def test_what_models_can_do(
    able: object, takes: object, embeds: bool, also: bool, lacks: set[Ability]
) -> None:
    entry = {"id": "m", "capabilities": able, "input_modalities": takes}
    (model,) = read_models({"data": [{"id": "m"}]}, {"data": [entry]})
    assert (model.embeds, model.also_embeds, model.lacks) == (embeds, also, lacks)


@table(
    "body",
    [
        with_config(candidateCount=2),
        with_config(responseLogprobs=True),
        with_config(responseMimeType="application/json"),
        with_tools({"name": "f"}, {"name": "g"}, mode="ANY"),
    ],
)
def test_what_does_not_hold_for_every_backend_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(Unsupported):
        chat(body, SPEC)


def test_thinking_is_switched_off_by_an_effort() -> None:
    sent = chat(with_config(thinkingConfig={"thinkingBudget": 0}), SPEC)
    assert sent["reasoning_effort"] == "none"
