"""Every row of a Gemini request for an OpenAI node: mapped, left out, refused, 400."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from casedesk_proxy.engines.registry import ENGINES
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import Unsupported
from tests.dialects.asking import (
    FORMATTING,
    HELLO,
    LLAMA,
    LOCAL,
    LOCALAI,
    OLLAMA,
    OPENAI,
    PNG,
    SGLANG,
    TGI,
    VLLM,
    bad,
    chat,
    error,
    refused,
    translated,
    with_config,
    with_parts,
    with_tools,
)
from tests.engines.known import CHATS, known
from tests.fixtures.table import table

BARE = {
    "model": "tiny",
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}


def messages(
    body: dict[str, Any], engine: EngineSpec = VLLM, **changes: Any
) -> list[dict[str, Any]]:
    return chat(body, engine, **changes)["messages"]


@table("engine", ENGINES.values(), ids=str)
def test_the_least_request_adds_nothing_but_the_stream(engine: EngineSpec) -> None:
    request = translated(HELLO, engine)
    assert chat(HELLO, engine) == BARE
    assert request.path == "/v1/chat/completions"
    assert request.streams
    assert request.dropped == ()


# Top level


@table(
    "extra",
    [
        {"model": "models/other"},
        {"safetySettings": [{"category": 7, "threshold": 4}]},
        {"safety_settings": []},
        {"labels": {"team": "x"}},
        {"serviceTier": "priority"},
        {"store": False},
        {"generationConfig": {}},
        {"generation_config": None},
        {"tools": []},
        {"tools": [{}]},
        {"tools": [{"functionDeclarations": []}]},
        {"toolConfig": {"retrievalConfig": {"languageCode": "de"}}},
        {"toolConfig": {"includeServerSideToolInvocations": True}},
        {"cachedContent": ""},
        {"systemInstruction": {"parts": []}},
    ],
)
def test_what_means_nothing_to_a_node_is_left_out(extra: dict[str, Any]) -> None:
    assert chat({**HELLO, **extra}) == BARE


def test_storing_is_left_out_with_a_warning() -> None:
    assert translated({**HELLO, "store": True}).dropped == ("store",)


@table(
    ("extra", "path"),
    [
        ({"cachedContent": "cachedContents/1"}, "cachedContent"),
        ({"cached_content": "cachedContents/1"}, "cachedContent"),
        ({"continuationToken": "t"}, "continuationToken"),
    ],
)
def test_what_lives_at_google_is_refused(extra: dict[str, Any], path: str) -> None:
    assert refused({**HELLO, **extra}) == [path]


@table("name", ["stream", "automaticFunctionCalling", "httpOptions", "Contents"])
def test_unknown_fields(name: str) -> None:
    body = {**HELLO, name: True}
    assert bad(body) == [name]
    assert error(body).message == (
        f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
    )
    request = translated(body, refuse_unknown=False)
    assert request.dropped == (name,)


def test_unknown_fields_deep_down_are_all_named() -> None:
    body = {
        "contents": [{"parts": [{"text": "x", "texts": 1}], "rolle": "user"}],
        "generationConfig": {"topP": 1, "top_kk": 1, "routingConfig": {}},
        "tools": [{"functionDeclarations": [{"name": "f", "paramters": {}}], "search": {}}],
    }
    assert sorted(bad(body)) == [
        "contents[0].parts[0].texts",
        "contents[0].rolle",
        "generationConfig.routingConfig",
        "generationConfig.top_kk",
        "tools[0].functionDeclarations[0].paramters",
        "tools[0].search",
    ]
    assert "Unknown name \"texts\" at 'contents[0].parts[0]'" in error(body).message


# Contents


@table(
    "body",
    [
        {},
        {"contents": []},
        {"contents": None},
        {"contents": [{}]},
        {"contents": [{"parts": []}]},
        {"contents": [{"parts": [{}]}]},
        {"contents": [{"role": "model", "parts": [{"text": "x", "thought": True}]}]},
    ],
)
def test_nothing_to_answer(body: dict[str, Any]) -> None:
    assert bad(body) == ["contents"]


@table(
    ("body", "path"),
    [
        ({"contents": "hello"}, "contents[0]"),
        ({"contents": [{"parts": ["hello"]}]}, "contents[0].parts[0]"),
        ({"contents": [{"parts": [{"text": 7}]}]}, "contents[0].parts[0].text"),
        ({**HELLO, "systemInstruction": "be kind"}, "systemInstruction"),
        (with_parts({"text": "x", "inlineData": {}}), "contents[0].parts[0]"),
        (with_parts({"inlineData": {"data": PNG}}), "contents[0].parts[0].inlineData.mimeType"),
        (
            with_parts({"inlineData": {"mimeType": "image/png"}}),
            "contents[0].parts[0].inlineData.data",
        ),
        (
            with_parts({"inlineData": {"mimeType": "image/png", "data": "*"}}),
            "contents[0].parts[0].inlineData.data",
        ),
        (
            with_parts({"inlineData": {"mimeType": "image/png", "data": "é"}}),
            "contents[0].parts[0].inlineData.data",
        ),
        (
            with_parts({"inlineData": {"mimeType": "text/plain", "data": "/w=="}}),
            "contents[0].parts[0].inlineData.data",
        ),
        (
            with_parts({"functionCall": {"name": "f"}}),
            "contents[0].parts[0].functionCall",
        ),
        (
            with_parts({"functionCall": {}}, role="model"),
            "contents[0].parts[0].functionCall.name",
        ),
    ],
)
def test_contents_of_the_wrong_shape(body: dict[str, Any], path: str) -> None:
    assert path in bad(body)


@table("role", ["system", "assistant", "tool", "USER"])
def test_other_roles(role: str) -> None:
    body = {"contents": [*HELLO["contents"], {"role": role, "parts": [{"text": "x"}]}]}
    assert bad(body) == ["contents[1].role"]
    assert "valid role: user, model" in error(body).message


def test_neighbours_of_one_role_are_one_message() -> None:
    contents = [
        {"parts": [{"text": "a"}, {"text": "b"}]},
        {"role": "user", "parts": [{"text": "c"}]},
        {"role": "model", "parts": [{"text": "d"}]},
        {"role": "model", "parts": [{"text": "thinks", "thought": True}, {"text": "e"}]},
        {"role": "user", "parts": [{"text": "f"}]},
        {"role": "model", "parts": [{"text": "only thinks", "thought": True}]},
        {"role": "user", "parts": [{"text": "g"}]},
    ]
    assert messages({"contents": contents}) == [
        {"role": "user", "content": "abc"},
        {"role": "assistant", "content": "de"},
        {"role": "user", "content": "fg"},
    ]


def test_a_conversation_may_begin_with_the_model() -> None:
    contents = [{"role": "model", "parts": [{"text": "Hi"}]}, *HELLO["contents"]]
    assert [one["role"] for one in messages({"contents": contents})] == ["assistant", "user"]


def test_a_conversation_that_ends_with_the_model_goes_on() -> None:
    contents = [*HELLO["contents"], {"role": "model", "parts": [{"text": "Once"}]}]
    made = chat({"contents": contents})
    assert made["messages"][-1] == {"role": "assistant", "content": "Once"}
    assert made["continue_final_message"] is True
    assert made["add_generation_prompt"] is False
    assert "continue_final_message" not in chat({"contents": contents}, LLAMA)
    contents[-1] = asks(("", "f"))
    assert "continue_final_message" not in chat({"contents": contents})


@table(("engine", "dropped"), [(OPENAI, ("contents[1]",)), (VLLM, ()), (LLAMA, ())])
def test_a_node_that_does_not_continue_is_named(
    engine: EngineSpec, dropped: tuple[str, ...]
) -> None:
    begun = {"role": "model", "parts": [{"text": "{"}]}
    body = {"contents": [*HELLO["contents"], begun]}
    assert translated(body, engine).dropped == dropped
    assert translated({"contents": [*body["contents"], *HELLO["contents"]]}, engine).dropped == ()


def test_system_instruction() -> None:
    instruction = {"role": "user", "parts": [{"text": "Be kind."}, {"text": "Be brief."}]}
    for name in ("systemInstruction", "system_instruction"):
        assert messages({**HELLO, name: instruction})[0] == {
            "role": "system",
            "content": "Be kind.\nBe brief.",
        }
    picture = {"parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}]}
    assert refused({**HELLO, "systemInstruction": picture}) == [
        "systemInstruction.parts[0].inlineData"
    ]


def test_system_instruction_for_templates_without_a_system_role() -> None:
    body = {**HELLO, "systemInstruction": {"parts": {"text": "Be kind."}}}
    assert messages(body, fold_system=True) == [{"role": "user", "content": "Be kind.\n\nHello"}]
    body["contents"] = [{"role": "model", "parts": [{"text": "Hi"}]}, *HELLO["contents"]]
    assert [one["content"] for one in messages(body, fold_system=True)] == [
        "Be kind.",
        "Hi",
        "Hello",
    ]
    body["contents"] = [
        {"parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}, {"text": "x"}]}
    ]
    content = messages(body, fold_system=True)[0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "text"]
    assert content[0]["text"] == "Be kind.\n\n"


# Parts


@table(
    "part",
    [
        {"text": "Hello", "thoughtSignature": "c2ln"},
        {"text": "Hello", "thought_signature": "c2ln"},
        {"text": "Hello", "thought": False},
        {"text": "Hello", "partMetadata": {"a": 1}},
        {"text": "Hello", "videoMetadata": {"fps": 1}},
        {"text": "Hello", "speechMetadata": {}, "documentMetadata": {}},
        {"text": "Hello", "spreadsheetMetadata": {}, "audioMetadata": {}},
        {"text": "Hello", "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}},
    ],
)
def test_what_stands_beside_a_text_is_left_out(part: dict[str, Any]) -> None:
    assert chat(with_parts(part)) == BARE


@table(
    ("part", "field"),
    [
        ({"fileData": {"fileUri": "gs://x/y"}}, "fileData"),
        ({"file_data": {"file_uri": "https://x/y.png", "mime_type": "image/png"}}, "fileData"),
        ({"executableCode": {"code": "1"}}, "executableCode"),
        ({"codeExecutionResult": {}}, "codeExecutionResult"),
        ({"toolCall": {}}, "toolCall"),
        ({"toolResponse": {}}, "toolResponse"),
        ({"audioTranscription": {"text": "x"}}, "audioTranscription"),
        ({"mediaProcessing": {"x": 1}}, "mediaProcessing"),
        ({"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}}, "inlineData"),
        ({"inlineData": {"mimeType": "image/heic", "data": "AAAA"}}, "inlineData"),
        (
            {
                "inlineData": {"mimeType": "video/mp4", "data": "AAAA"},
                "videoMetadata": {"startOffset": "3s"},
            },
            "videoMetadata",
        ),
    ],
)
def test_parts_that_are_refused(part: dict[str, Any], field: str) -> None:
    body = {"contents": [*HELLO["contents"], {"parts": [{"text": "x"}, part]}]}
    assert refused(body) == [f"contents[1].parts[1].{field}"]


def test_media_in_a_turn_of_the_model_is_refused() -> None:
    part = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    contents = [*HELLO["contents"], {"role": "model", "parts": [part]}, *HELLO["contents"]]
    assert refused({"contents": contents}) == ["contents[1].parts[0].inlineData"]


@table("mime", ["text/plain", "text/csv", "TEXT/Markdown; charset=utf-8", "application/json"])
def test_inline_text_is_text(mime: str) -> None:
    data = base64.b64encode("Grüße".encode()).decode()
    body = with_parts({"text": "Say "}, {"inlineData": {"mimeType": mime, "data": data}})
    assert messages(body) == [{"role": "user", "content": "Say Grüße"}]


def test_images_keep_their_place_and_get_plain_base64() -> None:
    raw = bytes(range(240, 256))
    urlsafe = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    assert "-" in urlsafe or "_" in urlsafe
    blob = {"data": urlsafe, "mime_type": "image/png", "displayName": "x.png"}
    body = with_parts({"text": "a"}, {"inline_data": blob}, {"text": "b"})
    assert messages(body)[0]["content"] == [
        {"type": "text", "text": "a"},
        {
            "type": "image_url",
            "image_url": {"url": "data:image/png;base64," + base64.b64encode(raw).decode()},
        },
        {"type": "text", "text": "b"},
    ]


@table(
    ("resolution", "detail"),
    [
        ({"level": "MEDIA_RESOLUTION_LOW"}, "low"),
        ({"level": "MEDIA_RESOLUTION_ULTRA_HIGH"}, "high"),
        ("MEDIA_RESOLUTION_HIGH", "high"),
        (1, "low"),
        ("MEDIA_RESOLUTION_MEDIUM", None),
        ({}, None),
    ],
)
def test_media_resolution(resolution: Any, detail: str | None) -> None:
    part = {"inlineData": {"mimeType": "image/png", "data": PNG}, "mediaResolution": resolution}
    assert messages(with_parts(part))[0]["content"][0]["image_url"].get("detail") == detail
    part.pop("mediaResolution")
    if isinstance(resolution, str):
        body = {**with_parts(part), "generationConfig": {"mediaResolution": resolution}}
        assert messages(body)[0]["content"][0]["image_url"].get("detail") == detail


#: Which of them an engine takes stands in its own test file.
MEDIA = (
    "image/webp", "image/gif", "audio/wav", "audio/x-wav", "audio/mpeg", "audio/flac", "video/mp4",
    "application/pdf",
)  # fmt: skip


@table("engine", CHATS)
def test_which_engine_takes_which_media(engine: EngineSpec) -> None:
    takes = known("MEDIA")[engine]
    assert takes <= {*MEDIA}
    for mime in ("image/png", "image/jpeg", "image/jpg", *MEDIA):
        body = with_parts({"inlineData": {"mimeType": mime, "data": "AAAA"}})
        if mime.startswith(("image/png", "image/jp")) or mime in takes:
            assert len(messages(body, engine)[0]["content"]) == 1
        else:
            assert refused(body, engine) == ["contents[0].parts[0].inlineData"]


def test_audio_and_video_parts() -> None:
    def part(mime: str, engine: EngineSpec) -> Any:
        body = with_parts({"inlineData": {"mimeType": mime, "data": "AAAA"}})
        return messages(body, engine)[0]["content"][0]

    assert part("audio/mp3", VLLM)["input_audio"] == {"data": "AAAA", "format": "mp3"}
    assert part("audio/wave", VLLM)["input_audio"] == {"data": "AAAA", "format": "wav"}
    assert part("video/mp4", VLLM)["video_url"] == {"url": "data:video/mp4;base64,AAAA"}
    assert part("video/mp4", LLAMA)["input_video"] == {"data": "AAAA"}


# Calls and their results


def asks(*calls: tuple[str, str], text: str = "") -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"text": text}] if text else []
    for ident, name in calls:
        call: dict[str, Any] = {"name": name, "args": {"of": ident}}
        if ident and not ident.startswith("-"):
            call["id"] = ident
        parts.append({"functionCall": call})
    return {"role": "model", "parts": parts}


def answers(*results: tuple[str, str], role: str = "user") -> dict[str, Any]:
    parts = []
    for ident, name in results:
        answer: dict[str, Any] = {"name": name, "response": {"for": ident}}
        if ident and not ident.startswith("-"):
            answer["id"] = ident
        parts.append({"functionResponse": answer})
    return {"role": role, "parts": parts}


def test_a_call_and_its_result() -> None:
    body = {"contents": [*HELLO["contents"], asks(("x", "f"), text="Wait."), answers(("x", "f"))]}
    assert messages(body)[1:] == [
        {
            "role": "assistant",
            "content": "Wait.",
            "tool_calls": [
                {
                    "id": "call00001",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"of":"x"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call00001", "content": '{"for":"x"}'},
    ]


@table(("engine", "content"), [(VLLM, None), (TGI, "")])
def test_calls_without_text(engine: EngineSpec, content: str | None) -> None:
    body = {"contents": [*HELLO["contents"], asks(("", "f")), answers(("", "f"))]}
    assert messages(body, engine)[1]["content"] == content


def pairs(*contents: dict[str, Any]) -> list[tuple[str, str]]:
    """For each result the call that it belongs to, and the result, matched by the node's ids."""
    asked: dict[str, str] = {}
    paired = []
    for message in messages({"contents": [*HELLO["contents"], *contents]}):
        for call in message.get("tool_calls", ()):
            assert len(call["id"]) == 9
            assert call["id"].isalnum()
            assert call["id"] not in asked
            asked[call["id"]] = call["function"]["arguments"][7:-2]
        if message["role"] == "tool":
            paired.append((asked[message["tool_call_id"]], message["content"][8:-2]))
    return paired


def test_pairing_by_id_in_any_order() -> None:
    found = pairs(asks(("a", "f"), ("b", "f")), answers(("b", "f"), ("a", "f")))
    assert found == [("b", "b"), ("a", "a")]


def test_pairing_by_name_first_in_first_out() -> None:
    found = pairs(
        asks(("-1", "f"), ("-2", "g"), ("-3", "f")), answers(("-x", "g"), ("-y", "f"), ("-z", "f"))
    )
    assert found == [("-2", "-x"), ("-1", "-y"), ("-3", "-z")]


def test_an_id_goes_before_a_name() -> None:
    found = pairs(asks(("a", "f"), ("b", "f")), answers(("-1", "f"), ("a", "f")))
    assert found == [("b", "-1"), ("a", "a")]


def test_a_foreign_id_is_paired_by_name() -> None:
    assert pairs(asks(("a", "f")), answers(("other", "f"))) == [("a", "other")]


def test_results_in_several_contents_and_in_the_old_role() -> None:
    found = pairs(
        asks(("-1", "f"), ("-2", "g")),
        answers(("-1", "f"), role="function"),
        answers(("-2", "g"), role="function"),
    )
    assert found == [("-1", "-1"), ("-2", "-2")]


def test_several_rounds_have_ids_of_their_own() -> None:
    found = pairs(asks(("a", "f")), answers(("a", "f")), asks(("a", "f")), answers(("a", "f")))
    assert found == [("a", "a"), ("a", "a")]


def test_a_call_without_a_result_is_left_to_the_node() -> None:
    assert pairs(asks(("a", "f"), ("b", "f")), answers(("b", "f"))) == [("b", "b")]


@table(
    "contents",
    [
        [answers(("a", "f"))],
        [asks(("a", "f")), answers(("b", "g"))],
        [asks(("a", "f")), answers(("a", "f"), ("a", "f"))],
        [asks(("a", "f")), HELLO["contents"][0], asks(("b", "g")), answers(("a", "f"))],
    ],
)
def test_a_result_without_a_call(contents: list[dict[str, Any]]) -> None:
    body = {"contents": [*HELLO["contents"], *contents]}
    assert all(path.endswith(".functionResponse") for path in bad(body))


def test_results_come_before_the_rest_of_their_turn() -> None:
    turn = {
        "parts": [
            {"text": "Look: "},
            {"inlineData": {"mimeType": "image/png", "data": PNG}},
            {"functionResponse": {"name": "f", "response": {}}},
        ]
    }
    found = messages({"contents": [*HELLO["contents"], asks(("a", "f")), turn]})
    assert [one["role"] for one in found] == ["user", "assistant", "tool", "user"]
    assert [part["type"] for part in found[3]["content"]] == ["text", "image_url"]


def test_media_in_a_result_follow_as_the_users() -> None:
    picture = {"inlineData": {"mimeType": "image/png", "data": PNG, "displayName": "a.png"}}
    note = {"inlineData": {"mimeType": "text/plain", "data": "aGk="}}
    answered = {"name": "f", "response": {"a": 1}, "parts": [picture, note]}
    turn = {"parts": [{"functionResponse": answered}, {"text": "Well?"}]}
    found = messages({"contents": [*HELLO["contents"], asks(("a", "f")), turn]})
    assert found[2] == {"role": "tool", "tool_call_id": "call00001", "content": '{"a":1}'}
    assert [part["type"] for part in found[3]["content"]] == ["image_url", "text", "text"]
    assert [part["text"] for part in found[3]["content"][1:]] == ["hi", "Well?"]


def test_media_of_the_wrong_shape_in_a_result() -> None:
    answered = {"name": "f", "parts": [{}, {"inlineData": {"mimeType": "image/png"}}]}
    body = {"contents": [asks(("a", "f")), {"parts": [{"functionResponse": answered}]}]}
    assert bad(body) == ["contents[1].parts[0].functionResponse.parts[1].inlineData.data"]


def test_results_of_the_wrong_shape() -> None:
    answered = {"functionResponse": {"name": "f"}}
    body = {"contents": [asks(("a", "f")), {"role": "model", "parts": [answered]}]}
    assert bad(body) == ["contents[1].parts[0].functionResponse"]
    answered["functionResponse"].pop("name")
    body = {"contents": [asks(("a", "f")), {"parts": [answered]}]}
    assert bad(body) == [
        "contents[1].parts[0].functionResponse.name",
        "contents[1].parts[0].functionResponse",
    ]


@table(
    ("part", "path"),
    [
        ({"functionCall": {"name": "f", "willContinue": True}}, "functionCall.willContinue"),
        (
            {"functionResponse": {"name": "f", "willContinue": True}},
            "functionResponse.willContinue",
        ),
        (
            {"functionResponse": {"name": "f", "parts": [{"fileData": {"fileUri": "gs://a/b"}}]}},
            "functionResponse.parts[0].fileData",
        ),
        (
            {
                "functionResponse": {
                    "name": "f",
                    "parts": [{"inlineData": {"mimeType": "image/heic", "data": "AAAA"}}],
                }
            },
            "functionResponse.parts[0].inlineData",
        ),
    ],
)
def test_pieces_and_files_in_calls_are_refused(part: dict[str, Any], path: str) -> None:
    if "functionCall" in part:
        contents = [*HELLO["contents"], {"role": "model", "parts": [part]}]
    else:
        contents = [asks(("a", "f")), {"parts": [part]}]
    assert refused({"contents": contents}) == [f"contents[1].parts[0].{path}"]


def test_what_is_left_out_of_calls() -> None:
    asked = {"name": "f", "partialArgs": [{}], "willContinue": False}
    answer = {"name": "f", "response": {}, "scheduling": "SILENT", "parts": []}
    body = {
        "contents": [
            {"role": "model", "parts": [{"functionCall": asked}]},
            {"role": "user", "parts": [{"functionResponse": answer}]},
        ]
    }
    assert messages(body)[0]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}


# Tools


def test_declarations_of_all_tools_become_one_list() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    body = {
        **HELLO,
        "tools": [
            {
                "functionDeclarations": [
                    {
                        "name": "f",
                        "description": "d",
                        "parameters": {"type": 6, "properties": {"x": {"type": "INTEGER"}}},
                        "response": {"type": "STRING"},
                        "responseJsonSchema": {},
                        "behavior": "NON_BLOCKING",
                    },
                    {"name": "g", "parameters_json_schema": schema},
                ]
            },
            {"function_declarations": {"name": "h", "parameters": {}}},
            {"functionDeclarations": [{"name": "i", "parametersJsonSchema": {}}]},
        ],
    }
    assert chat(body)["tools"] == [
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": schema}},
        {"type": "function", "function": {"name": "g", "parameters": schema}},
        *(
            {
                "type": "function",
                "function": {"name": name, "parameters": {"type": "object", "properties": {}}},
            }
            for name in "hi"
        ),
    ]
    assert "tool_choice" not in chat(body)


@table(
    ("declarations", "path"),
    [
        ([{"description": "d"}], "tools[0].functionDeclarations[0].name"),
        ([{"name": "f"}, {"name": "f"}], "tools[0].functionDeclarations[1].name"),
        (
            [{"name": "f", "parameters": {"type": "OBJECT"}, "parametersJsonSchema": {}}],
            "tools[0].functionDeclarations[0]",
        ),
        (
            [{"name": "f", "parameters": {"type": "OBJECT", "required": ["x"]}}],
            "tools[0].functionDeclarations[0].parameters.required[0]",
        ),
        (
            [{"name": "f", "parameters": {"type": "OBJECT", "oneOf": []}}],
            "tools[0].functionDeclarations[0].parameters.oneOf",
        ),
        (
            [{"name": "f", "parametersJsonSchema": {"type": "strange"}}],
            "tools[0].functionDeclarations[0].parametersJsonSchema.type",
        ),
    ],
)
def test_wrong_declarations(declarations: list[Any], path: str) -> None:
    assert bad(with_tools(*declarations)) == [path]


@table(
    "name",
    [
        "googleSearch",
        "google_search",
        "googleSearchRetrieval",
        "codeExecution",
        "urlContext",
        "computerUse",
        "fileSearch",
        "googleMaps",
        "mcpServers",
        "retrieval",
        "enterpriseWebSearch",
        "parallelAiSearch",
        "exaAiSearch",
    ],
)
def test_googles_own_tools_are_refused_even_when_empty(name: str) -> None:
    found = refused({**HELLO, "tools": [{"functionDeclarations": [{"name": "f"}]}, {name: {}}]})
    assert [path.lower() for path in found] == [f"tools[1].{name.replace('_', '').lower()}"]


F, G = {"name": "f"}, {"name": "g"}


@table("mode", ["AUTO", "auto", 1, 0, "MODE_UNSPECIFIED", None])
def test_mode_auto(mode: Any) -> None:
    made = chat(with_tools(F, G, mode=mode))
    assert len(made["tools"]) == 2
    assert "tool_choice" not in made


@table("mode", ["NONE", "none", 3])
@table("engine", LOCAL)
def test_mode_none_drops_the_tools(mode: Any, engine: EngineSpec) -> None:
    assert chat(with_tools(F, G, mode=mode), engine) == BARE


@table("mode", ["ANY", 2])
def test_mode_any(mode: Any) -> None:
    for engine in (VLLM, SGLANG, LLAMA, TGI, OPENAI):
        made = chat(with_tools(F, G, mode=mode), engine)
        assert made["tool_choice"] == "required"
        assert len(made["tools"]) == 2
    assert refused(with_tools(F, G, mode=mode), OLLAMA) == ["toolConfig.functionCallingConfig.mode"]


def test_mode_any_with_one_name() -> None:
    body = with_tools(F, G, mode="ANY", allowedFunctionNames=["g"])
    for engine in (VLLM, SGLANG, TGI, OPENAI):
        made = chat(body, engine)
        assert made["tool_choice"] == {"type": "function", "function": {"name": "g"}}
    # llama-server would take the named choice for auto.
    made = chat(body, LLAMA)
    assert made["tool_choice"] == "required"
    assert [tool["function"]["name"] for tool in made["tools"]] == ["g"]
    assert refused(body, OLLAMA) == ["toolConfig.functionCallingConfig.mode"]


def test_mode_any_with_several_names_filters() -> None:
    body = with_tools(F, G, {"name": "h"}, mode="ANY", allowedFunctionNames=["h", "f"])
    made = chat(body)
    assert made["tool_choice"] == "required"
    assert [tool["function"]["name"] for tool in made["tools"]] == ["f", "h"]


def test_mode_validated() -> None:
    closed = {
        "type": "object",
        "properties": {"x": {"type": "string"}},
        "required": ["x"],
        "additionalProperties": False,
    }
    strict = {"name": "f", "parametersJsonSchema": closed}
    body = with_tools(strict, G, mode="VALIDATED", allowedFunctionNames=["f"])
    assert [tool["function"]["name"] for tool in chat(body)["tools"]] == ["f"]
    assert "tool_choice" not in chat(body)
    assert "strict" not in chat(body)["tools"][0]["function"]
    assert chat(body, OPENAI)["tools"][0]["function"]["strict"] is True
    loose = with_tools(G, mode=4)
    assert "strict" not in chat(loose, OPENAI)["tools"][0]["function"]


@table(
    ("calling", "path"),
    [
        ({"mode": "AUTO", "allowedFunctionNames": ["f"]}, "allowedFunctionNames"),
        ({"mode": "NONE", "allowedFunctionNames": ["f"]}, "allowedFunctionNames"),
        ({"allowedFunctionNames": "f"}, "allowedFunctionNames"),
        ({"mode": "ANY", "allowedFunctionNames": ["f", "z"]}, "allowedFunctionNames[1]"),
        ({"mode": "SOMETIMES"}, "mode"),
        ({"mode": 9}, "mode"),
        ({"mode": True}, "mode"),
    ],
)
def test_wrong_modes(calling: dict[str, Any], path: str) -> None:
    assert bad(with_tools(F, G, **calling)) == [f"toolConfig.functionCallingConfig.{path}"]


def test_mode_any_without_functions() -> None:
    body = {**HELLO, "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}
    assert bad(body) == ["toolConfig.functionCallingConfig.mode"]


def test_ignored_calling_options() -> None:
    assert "tools" in chat(with_tools(F, streamFunctionCallArguments=True))


def test_names_that_only_google_takes_are_changed() -> None:
    body = with_tools({"name": "a.b"}, {"name": "a:b"}, {"name": "a_b"}, {"name": "x" * 70})
    local = [tool["function"]["name"] for tool in chat(body)["tools"]]
    assert local == ["a.b", "a:b", "a_b", "x" * 70]
    strict = [tool["function"]["name"] for tool in chat(body, OPENAI)["tools"]]
    assert strict == ["a_b_1", "a_b_2", "a_b", "x" * 64]
    body["toolConfig"] = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["a.b"]}}
    made = chat(body, OPENAI)
    assert made["tool_choice"]["function"]["name"] == made["tools"][0]["function"]["name"] == "a_b"
    body["contents"] = [asks(("", "a.b")), answers(("", "a.b"))]
    assert chat(body, OPENAI)["messages"][0]["tool_calls"][0]["function"]["name"] == "a_b"


# Generation config


@table(
    ("config", "made"),
    [
        ({"temperature": 0}, {"temperature": 0}),
        ({"temperature": "0.5"}, {"temperature": 0.5}),
        ({"topP": 0.9}, {"top_p": 0.9}),
        ({"top_p": 1}, {"top_p": 1}),
        ({"topK": 40.0}, {"top_k": 40}),
        ({"top_k": "40"}, {"top_k": 40}),
        ({"candidateCount": 1}, {}),
        ({"candidateCount": 3}, {"n": 3}),
        ({"maxOutputTokens": 7}, {"max_tokens": 7}),
        ({"stopSequences": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"stop_sequences": "a"}, {"stop": ["a"]}),
        ({"stopSequences": []}, {}),
        ({"seed": -5}, {"seed": -5}),
        ({"presencePenalty": -2, "frequencyPenalty": 1.5},
         {"presence_penalty": -2, "frequency_penalty": 1.5}),
        ({"responseLogprobs": True}, {"logprobs": True}),
        ({"responseLogprobs": True, "logprobs": 5}, {"logprobs": True, "top_logprobs": 5}),
        ({"responseLogprobs": False}, {}),
        ({"responseMimeType": "text/plain"}, {}),
        ({"responseModalities": ["TEXT"]}, {}),
        ({"responseModalities": [1], "imageConfig": {}}, {}),
        ({"responseModalities": []}, {}),
        ({"enableEnhancedCivicAnswers": True}, {}),
        ({"audioTimestamp": False}, {}),
        ({"mediaResolution": "MEDIA_RESOLUTION_LOW"}, {}),
        ({"thinkingConfig": {}}, {}),
    ],
)  # fmt: skip
def test_config(config: dict[str, Any], made: dict[str, Any]) -> None:
    assert chat(with_config(**config)) == {**BARE, **made}


@table(
    ("config", "path"),
    [
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "warm"}, "temperature"),
        ({"temperature": "NaN"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"topP": 1.1}, "topP"),
        ({"topK": -1}, "topK"),
        ({"topK": 1.5}, "topK"),
        ({"candidateCount": 0}, "candidateCount"),
        ({"candidateCount": 9}, "candidateCount"),
        ({"maxOutputTokens": 0}, "maxOutputTokens"),
        ({"maxOutputTokens": 1e300}, "maxOutputTokens"),
        ({"stopSequences": list("abcdef")}, "stopSequences"),
        ({"stopSequences": ["a", ""]}, "stopSequences[1]"),
        ({"stopSequences": [7]}, "stopSequences[0]"),
        ({"seed": 2**31}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"presencePenalty": 3}, "presencePenalty"),
        ({"frequencyPenalty": -2.5}, "frequencyPenalty"),
        ({"logprobs": 3}, "logprobs"),
        ({"logprobs": 21, "responseLogprobs": True}, "logprobs"),
        ({"responseLogprobs": 1}, "responseLogprobs"),
        ({"responseMimeType": "image/png"}, "responseMimeType"),
        ({"responseSchema": {"type": "STRING"}}, "responseSchema"),
        ({"responseSchema": [], "responseMimeType": "application/json"}, "responseSchema"),
        ({"responseJsonSchema": {"type": "string"}}, "responseJsonSchema"),
        ({"responseModalities": ["SMELL"]}, "responseModalities[0]"),
        ({"thinkingConfig": {"thinkingBudget": -2}}, "thinkingConfig.thinkingBudget"),
        ({"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "LOW"}}, "thinkingConfig"),
        ({"thinkingConfig": {"thinkingLevel": "DEEP"}}, "thinkingConfig.thinkingLevel"),
        ({"modelSelectionConfig": {}}, "modelSelectionConfig"),
        ({"modelArmorConfig": {}}, "modelArmorConfig"),
        ({"generationOutputConfig": {}}, "generationOutputConfig"),
    ],
)
def test_config_that_google_would_refuse(config: dict[str, Any], path: str) -> None:
    assert bad(with_config(**config)) == [f"generationConfig.{path}"]


@table(
    ("config", "path"),
    [
        ({"speechConfig": {"voiceConfig": {}}}, "speechConfig"),
        ({"imageConfig": {"aspectRatio": "1:1"}}, "imageConfig"),
        ({"audioTranscriptionConfig": {}}, "audioTranscriptionConfig"),
        ({"audioTimestamp": True}, "audioTimestamp"),
        ({"responseModalities": ["TEXT", "IMAGE"]}, "responseModalities[1]"),
        ({"responseModalities": ["AUDIO"]}, "responseModalities[0]"),
    ],
)
def test_config_that_is_refused(config: dict[str, Any], path: str) -> None:
    assert refused(with_config(**config)) == [f"generationConfig.{path}"]


def test_what_engines_differ_in() -> None:
    assert chat(with_config(topP=0))["top_p"] == 1e-6
    assert chat(with_config(topP=0), SGLANG)["top_p"] == 1e-6
    assert chat(with_config(topP=0), LLAMA)["top_p"] == 0
    assert "top_p" not in chat(with_config(topP=1), TGI)
    assert chat(with_config(topK=0), SGLANG)["top_k"] == -1
    assert chat(with_config(topK=0), VLLM)["top_k"] == 0
    for engine in (OLLAMA, TGI, OPENAI):
        request = translated(with_config(topK=5), engine)
        assert request.dropped == ("generationConfig.topK",)
        assert b"top_k" not in request.body
    for engine in (OLLAMA, TGI):
        assert refused(with_config(candidateCount=2), engine) == ["generationConfig.candidateCount"]
    five = with_config(stopSequences=list("abcde"))
    for engine in (VLLM, TGI, OPENAI):
        assert refused(five, engine) == ["generationConfig.stopSequences"]
    assert chat(five, LLAMA)["stop"] == list("abcde")
    many = with_config(responseLogprobs=True, logprobs=6)
    assert refused(many, TGI) == ["generationConfig.logprobs"]
    body = {**with_tools(F), "generationConfig": {"responseLogprobs": True}}
    assert refused(body, LLAMA) == ["generationConfig.responseLogprobs"]
    assert chat(body, VLLM)["logprobs"] is True


# Thinking


@table(
    ("thinking", "engine", "made"),
    [
        ({"includeThoughts": True}, VLLM, {}),
        ({"include_thoughts": False}, LLAMA, {}),
        ({"thinkingBudget": -1}, VLLM, {}),
        ({"thinkingBudget": 0}, VLLM, {"chat_template_kwargs": {"enable_thinking": False}}),
        ({"thinkingBudget": 0}, LLAMA, {"chat_template_kwargs": {"enable_thinking": False}}),
        ({"thinkingBudget": 0}, SGLANG, {"reasoning_effort": "none"}),
        ({"thinkingBudget": 0}, OLLAMA, {"reasoning_effort": "none"}),
        ({"thinkingBudget": 0}, TGI, {}),
        ({"thinking_budget": 100}, VLLM, {"thinking_token_budget": 100}),
        ({"thinkingBudget": 100}, LLAMA, {"thinking_budget_tokens": 100}),
        ({"thinkingBudget": 512}, SGLANG, {"reasoning_effort": "minimal"}),
        ({"thinkingBudget": 1024}, OLLAMA, {"reasoning_effort": "low"}),
        ({"thinkingBudget": 8192}, OLLAMA, {"reasoning_effort": "medium"}),
        ({"thinkingBudget": 24576}, OPENAI, {"reasoning_effort": "high"}),
        ({"thinkingBudget": 100}, TGI, {}),
        ({"thinkingLevel": "LOW"}, VLLM, {"reasoning_effort": "low"}),
        ({"thinkingLevel": "minimal"}, OLLAMA, {"reasoning_effort": "minimal"}),
        ({"thinkingLevel": "THINKING_LEVEL_HIGH"}, LLAMA, {"reasoning_effort": "high"}),
        ({"thinkingLevel": "XHIGH"}, SGLANG, {"reasoning_effort": "xhigh"}),
        ({"thinkingLevel": "LOW"}, TGI, {}),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, VLLM, {}),
    ],
)
def test_thinking(thinking: dict[str, Any], engine: EngineSpec, made: dict[str, Any]) -> None:
    assert chat(with_config(thinkingConfig=thinking), engine) == {**BARE, **made}


def test_thinking_that_cannot_be_set_is_told() -> None:
    for thinking in ({"thinkingBudget": 0}, {"thinkingBudget": 9}, {"thinkingLevel": "LOW"}):
        (dropped,) = translated(with_config(thinkingConfig=thinking), TGI).dropped
        assert dropped == f"generationConfig.thinkingConfig.{next(iter(thinking))}"


# Structured output

JSON = {"responseMimeType": "application/json"}
SHAPE = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}
MADE = {"type": "object", "properties": {"a": {"type": "string"}}}


def test_json_without_a_schema() -> None:
    assert chat(with_config(**JSON))["response_format"] == {"type": "json_object"}
    assert chat(with_config(**JSON, responseSchema=None))["response_format"] == {
        "type": "json_object"
    }


def test_json_without_a_schema_where_only_schemas_are_known() -> None:
    engine = replace(VLLM, profile=replace(VLLM.profile, json_mode=False))
    assert chat(with_config(**JSON), engine)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "response", "schema": {"type": "object"}},
    }


@table(
    ("name", "schema"),
    [
        ("responseSchema", SHAPE),
        ("response_schema", SHAPE),
        ("responseJsonSchema", MADE),
        ("response_json_schema", MADE),
        ("_responseJsonSchema", MADE),
    ],
)
@table("engine", FORMATTING)
def test_json_with_a_schema(name: str, schema: dict[str, Any], engine: EngineSpec) -> None:
    assert chat(with_config(**JSON, **{name: schema}), engine)["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "response", "schema": MADE},
    }


@table("more", [{}, {"responseSchema": SHAPE}])
def test_json_of_a_node_that_ignores_formats(more: dict[str, Any]) -> None:
    """Such a node would answer 200, with prose."""
    paths = refused(with_config(**JSON, **more), LOCALAI, "unsupported_response_format")
    assert paths == [f"generationConfig.{next(iter(more), 'responseMimeType')}"]


def test_one_schema_only() -> None:
    body = with_config(**JSON, responseSchema=SHAPE, responseJsonSchema=MADE)
    assert bad(body) == ["generationConfig"]


def test_strict_only_where_it_is_needed_and_fits() -> None:
    closed = {**MADE, "required": ["a"], "additionalProperties": False}
    fits = with_config(**JSON, responseJsonSchema=closed)
    assert chat(fits, OPENAI)["response_format"]["json_schema"]["strict"] is True
    assert "strict" not in chat(fits)["response_format"]["json_schema"]
    loose = with_config(**JSON, responseJsonSchema=MADE)
    assert "strict" not in chat(loose, OPENAI)["response_format"]["json_schema"]


def test_an_invalid_schema_names_every_place() -> None:
    schema = {**SHAPE, "required": ["a", "b"], "propertyOrdering": ["c"]}
    body = with_config(**JSON, responseSchema=schema)
    assert refused(body, code="invalid_response_format_schema") == [
        "generationConfig.responseSchema.required[1]",
        "generationConfig.responseSchema.propertyOrdering[0]",
    ]
    assert "responseSchema.required[1]: property is not defined" in error(body).message


def test_enum_replies_are_refused() -> None:
    body = with_config(
        responseMimeType="text/x.enum", responseSchema={"type": "STRING", "enum": ["a"]}
    )
    assert refused(body, code="unsupported_response_format") == [
        "generationConfig.responseMimeType"
    ]


@table(
    ("mode", "names", "refusing"),
    [
        ("AUTO", None, {TGI, LLAMA}),
        ("ANY", None, {TGI, LLAMA, SGLANG}),
        ("ANY", ["f"], {TGI, LLAMA, SGLANG, VLLM}),
        ("NONE", None, set()),
    ],
)
def test_a_format_and_tools_at_once(mode: str, names: Any, refusing: set[EngineSpec]) -> None:
    calling = {"mode": mode, **({"allowedFunctionNames": names} if names else {})}
    body = {**with_tools(F, G, **calling), "generationConfig": {**JSON, "responseSchema": SHAPE}}
    for engine in (VLLM, SGLANG, LLAMA, TGI):
        if engine in refusing:
            assert refused(body, engine, "unsupported_response_format") == [
                "generationConfig.responseSchema"
            ]
        else:
            assert "response_format" in chat(body, engine)


def test_formats_that_break_a_grammar_are_dropped() -> None:
    schema = {
        "type": "object",
        "format": "odd",
        "properties": {
            "format": {"type": "string", "format": "date"},
            "default": {"type": "string", "format": "hostname"},
        },
        "default": {"format": "kept"},
    }
    body = with_config(**JSON, responseJsonSchema=schema)
    fitted = chat(body)["response_format"]["json_schema"]["schema"]
    assert fitted == {
        "type": "object",
        "properties": {
            "format": {"type": "string", "format": "date"},
            "default": {"type": "string"},
        },
        "default": {"format": "kept"},
    }
    assert len(translated(body).dropped) == 2
    twice = {"anyOf": [{"format": "odd"}, {"format": "odd"}]}
    assert len(translated(with_config(**JSON, responseJsonSchema=twice)).dropped) == 1
    assert chat(body, LLAMA)["response_format"]["json_schema"]["schema"] == schema


def test_everything_in_the_way_is_named_at_once() -> None:
    body = {
        "contents": [{"parts": [{"fileData": {"fileUri": "gs://a"}}, {"text": "x"}]}],
        "cachedContent": "c",
        "tools": [{"googleSearch": {}}, {"functionDeclarations": [F]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {
            "candidateCount": 2,
            "responseMimeType": "text/x.enum",
            "responseSchema": {"type": "STRING", "enum": ["a"]},
        },
    }
    assert sorted(refused(body, OLLAMA)) == [
        "cachedContent",
        "contents[0].parts[0].fileData",
        "generationConfig.candidateCount",
        "generationConfig.responseMimeType",
        "toolConfig.functionCallingConfig.mode",
        "tools[0].googleSearch",
    ]


def test_faults_come_before_refusals() -> None:
    body = {**HELLO, "cachedContent": "c", "generationConfig": {"temperature": 9}}
    assert bad(body) == ["generationConfig.temperature"]


def test_a_long_list_is_told_in_short() -> None:
    body = {**HELLO, **{f"x{number}": 1 for number in range(9)}}
    found = error(body)
    assert len(found.violations) == 9
    assert found.message.endswith("and 4 more")


def test_a_refusal_says_what_and_why() -> None:
    found = error({**HELLO, "tools": [{"googleSearch": {}}]})
    assert isinstance(found, Unsupported)
    assert found.message == (
        "unsupported_gemini_feature: tools[0].googleSearch: this tool runs on Google's servers"
        " and is not available on a local node; leave it out, or use another model"
    )


def test_json_schemas_keep_the_order_they_ask_for() -> None:
    """Nodes generate properties in their order in the schema; there is no other way to request an
    order."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "propertyOrdering": ["b", "a"],
    }
    asked = chat(with_config(responseMimeType="application/json", responseJsonSchema=schema))
    declared = chat(with_tools({"name": "f", "parametersJsonSchema": schema}))
    for made in (
        asked["response_format"]["json_schema"]["schema"],
        declared["tools"][0]["function"]["parameters"],
    ):
        assert list(made) == ["type", "properties"]
        assert list(made["properties"]) == ["b", "a"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("ids", [True, False])
def test_many_calls_are_paired_in_one_pass(ids: bool) -> None:
    """A body can contain hundreds of thousands of calls, and other streams wait while they are
    paired."""
    numbers = [{"id": str(number)} if ids else {} for number in range(20_000)]
    asks = [{"functionCall": {"name": "f", **one}} for one in numbers]
    answers = [{"functionResponse": {"name": "f", **one}} for one in reversed(numbers)]
    made = messages({"contents": [{"role": "model", "parts": asks}, {"parts": answers}]})
    called = [one["id"] for one in made[0]["tool_calls"]]
    answered = [one["tool_call_id"] for one in made[1:]]
    assert answered == (called[::-1] if ids else called)


@pytest.mark.timeout(20)
def test_many_names_are_read_in_one_pass() -> None:
    odd = [{"name": f"f{chr(0x4E00 + number)}"} for number in range(20_000)]
    names = [one["function"]["name"] for one in chat(with_tools(*odd), OPENAI)["tools"]]
    assert len(set(names)) == len(odd)
    unknown = {f"field{number}": 1 for number in range(20_000)}
    assert len(translated({**HELLO, **unknown}, refuse_unknown=False).dropped) == len(unknown)
