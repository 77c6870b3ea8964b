"""Every field of a Messages request: mapped, left out, refused, or answered 400."""

from __future__ import annotations

import json
from typing import Any

from casedesk_proxy.dialects.anthropic.blocks import Message, TextBlock
from casedesk_proxy.dialects.anthropic.request import read_request
from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.engines.auto import SPEC as AUTO
from casedesk_proxy.engines.spec import EngineSpec
from tests.dialects.anthropic_asking import (
    LLAMA,
    LOCAL,
    OLLAMA,
    OPENAI,
    SGLANG,
    TGI,
    TIME,
    VLLM,
    WEATHER,
    asking,
    assistant,
    bad,
    chat,
    error,
    image,
    messages,
    refused,
    result,
    said,
    text,
    translated,
    used,
    user,
)
from tests.dialects.asking import LOCALAI
from tests.fixtures.table import table

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
PNG = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
DIARY: dict[str, Any] = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "It rained."},
}
BILLING = text("x-anthropic-billing-header: cc_version=2.1; cch=a1b2c;")


def found(*content: Any, **more: Any) -> dict[str, Any]:
    """A search result."""
    where = {"source": "https://diary.example", "title": "Diary"}
    return {"type": "search_result", **where, "content": list(content), **more}


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


# The whole


@table("engine", [*LOCAL, OPENAI, AUTO])
def test_the_least_request(engine: EngineSpec) -> None:
    made = translated(asking(thinking={"type": "adaptive"}), engine)
    assert made.path == "/v1/chat/completions"
    assert made.streams
    assert made.dropped == ()
    assert json.loads(made.body) == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 64,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@table("stream", [True, False, None])
def test_the_node_always_streams(stream: bool | None) -> None:
    made = translated(asking(stream=stream))
    assert json.loads(made.body)["stream"] is True
    assert json.loads(made.body)["stream_options"] == {"include_usage": True}
    wanted = "text/event-stream; charset=utf-8" if stream else "application/json"
    assert made.translator.content_type == wanted


@table(
    "field",
    [
        {"metadata": {"user_id": '{"session_id": "secret"}'}},
        {"service_tier": "auto"},
        {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
        {"inference_geo": "us"},
        {"container": "c1"},
        {"cache_control": {"type": "ephemeral"}},
        {"diagnostics": {}},
        {"speed": "fast"},
        {"user_profile_id": "u"},
        {"mcp_servers": []},
        {"something_new": {"deep": [1]}},
        {"system": None, "tools": None, "stop_sequences": None, "thinking": None},
        {"tool_choice": None, "temperature": None, "output_config": None},
        {"system": "", "tools": [], "stop_sequences": [], "output_config": {}},
        {"system": []},
    ],
    ids=lambda field: next(iter(field)),
)
def test_left_out(field: dict[str, Any]) -> None:
    assert chat(asking(**field)) == chat(asking())


def test_everything_wrong_is_told_at_once() -> None:
    body = asking(user(text("Hi"), {"type": "text"}), temperature="warm", tools=[{}])
    assert bad(body) == ["messages.0.content.1.text", "tools.0.name", "temperature"]


def test_what_is_wrong_comes_before_what_is_not_supported() -> None:
    server_tool = {"type": "web_search_20250305", "name": "web_search"}
    assert bad(asking(tools=[server_tool], top_p="x")) == ["top_p"]


# Limits and sampling


@table("value", ["64", 1.5, -1, True, None])
def test_max_tokens_is_required(value: Any) -> None:
    assert bad(asking(max_tokens=value)) == ["max_tokens"]


def test_a_cache_cannot_be_warmed() -> None:
    assert refused(asking(max_tokens=0)) == ["max_tokens"]


def test_sampling() -> None:
    made = chat(asking(temperature=0, top_p=0.9, top_k=40, stop_sequences=["X", "\n"]))
    assert made["temperature"] == 0
    assert made["top_p"] == 0.9
    assert made["top_k"] == 40
    assert made["stop"] == ["X", "\n"]


@table("engine", [OLLAMA, TGI, OPENAI])
def test_top_k_is_dropped_where_nobody_reads_it(engine: EngineSpec) -> None:
    made = translated(asking(top_k=40), engine)
    assert "top_k" not in json.loads(made.body)
    assert made.dropped == ("top_k",)


def test_what_sglang_and_tgi_take_to_limit_nothing() -> None:
    made = chat(asking(top_p=0, top_k=0), SGLANG)
    assert (made["top_p"], made["top_k"]) == (1e-6, -1)
    assert "top_p" not in chat(asking(top_p=1.0), TGI)


def test_vllm_takes_no_top_p_of_zero() -> None:
    assert chat(asking(top_p=0))["top_p"] > 0
    assert chat(asking(top_p=0), LLAMA)["top_p"] == 0


@table("name", ["temperature", "top_p", "top_k"])
@table("value", ["1", -1, True, [], {}])
def test_numbers(name: str, value: Any) -> None:
    assert bad(asking(**{name: value})) == [name]


@table("stops", ["X", [1], [""], {}])
def test_stop_sequences_are_strings(stops: Any) -> None:
    assert bad(asking(stop_sequences=stops)) == ["stop_sequences"]


@table("engine", [VLLM, TGI, OPENAI])
def test_a_fifth_stop_is_refused_not_cut(engine: EngineSpec) -> None:
    assert len(chat(asking(stop_sequences=list("abcd")), engine)["stop"]) == 4
    assert refused(asking(stop_sequences=list("abcde")), engine) == ["stop_sequences"]
    assert len(chat(asking(stop_sequences=list("abcde")), LLAMA)["stop"]) == 5


# System


@table(
    ("system", "wanted"),
    [
        ("Be kind.", "Be kind."),
        ([text("Be kind.", cache_control={"type": "ephemeral"})], "Be kind."),
        ([text("Be "), text(""), text("kind.")], "Be kind."),
        ([BILLING, text("Be kind.")], "Be kind."),
    ],
)
def test_system(system: Any, wanted: str) -> None:
    first, second = messages(asking(system=system))
    assert first == {"role": "system", "content": wanted}
    assert second["role"] == "user"


def test_a_billing_header_makes_no_system_message() -> None:
    assert [one["role"] for one in messages(asking(system=[BILLING]))] == ["user"]


@table(
    ("system", "path"),
    [(7, "system"), ([{}], "system.0.type"), ([text(None)], "system.0.text")],
)
def test_wrong_system(system: Any, path: str) -> None:
    assert bad(asking(system=system)) == [path]


def test_pictures_are_no_system() -> None:
    assert bad(asking(system=[image()])) == ["system.0"]


def test_system_within_the_conversation() -> None:
    """Claude Code ends its messages with a system message."""
    body = asking("Hi", said("system", text("Mind the gap.")), system="Be kind.")
    assert messages(body) == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "Mind the gap."},
    ]


def test_system_before_the_conversation_is_one() -> None:
    body = asking(said("system", "Mind the gap."), "Hi", system="Be kind.")
    assert messages(body) == [
        {"role": "system", "content": "Be kind.\n\nMind the gap."},
        {"role": "user", "content": "Hi"},
    ]


@table("clear_at", ["next_user_message", "never", None])
def test_system_until_the_user_speaks(clear_at: str | None) -> None:
    """Such a text is shown for the turn that it follows, and for no later one."""
    brief = {**said("system", "Be brief."), "clear_at": clear_at}
    shown = {"role": "system", "content": "Be brief."}
    assert messages(asking("Hi", brief))[1:] == [shown]
    assert messages(asking("Hi", brief, assistant("Ho")))[1] == shown
    later = messages(asking("Hi", brief, assistant("Ho"), "Go"))
    assert (shown in later) is (clear_at != "next_user_message")
    assert [one["content"] for one in later if one != shown] == ["Hi", "Ho", "Go"]


def test_effort_of_a_turn_is_dropped_with_a_warning() -> None:
    effort = {"effort": "low"}
    with_text = translated(asking("Hi", {**said("system", "Be brief."), "output_config": effort}))
    assert with_text.dropped == ("messages.1.output_config.effort",)
    alone = {"role": "system", "output_config": effort}
    made = translated(asking("Hi", alone))
    assert made.dropped == ("messages.1.output_config.effort",)
    assert json.loads(made.body)["messages"] == [{"role": "user", "content": "Hi"}]
    assert (
        translated(asking("Hi", {**said("system", "Be brief."), "output_config": {}})).dropped == ()
    )
    assert bad(asking("Hi", {"role": "system"})) == ["messages.1.content"]
    assert bad(asking("Hi", {"role": "system", "output_config": {}})) == ["messages.1.content"]


def test_system_at_the_front_where_the_template_insists() -> None:
    body = asking("Hi", assistant("Ho"), said("system", "Mind the gap."), system="Be kind.")
    assert messages(body, system_first=True) == [
        {"role": "system", "content": "Be kind.\n\nMind the gap."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Ho"},
    ]


def test_system_folded_where_the_template_knows_none() -> None:
    body = asking("Hi", assistant("Ho"), "Go", said("system", "Mind."), system="Be kind.")
    assert messages(body, fold_system=True) == [
        {"role": "user", "content": "Be kind.\n\nHi"},
        {"role": "assistant", "content": "Ho"},
        {"role": "user", "content": "Go\n\nMind."},
    ]


def test_system_folded_before_an_answer() -> None:
    body = asking(assistant("Ho"), "Go", system="Be kind.")
    assert messages(body, fold_system=True)[0] == {"role": "user", "content": "Be kind."}


# Messages


@table(
    ("content", "wanted"),
    [
        ("Hi", "Hi"),
        ([text("Hi")], "Hi"),
        ([text("H", cache_control={"type": "ephemeral"}), text(""), text("i")], "Hi"),
        ([text("Hi", citations=None)], "Hi"),
        ([text("See"), image(), text("this")], [text("See"), PNG, text("this")]),
        ([image()], [PNG]),
    ],
)
def test_content(content: Any, wanted: Any) -> None:
    assert messages(asking(said("user", content))) == [{"role": "user", "content": wanted}]


def test_messages_of_one_role_are_one_turn() -> None:
    body = asking("Hi", "there", assistant("Ho"), assistant(text("ho")), "Go", user(image()), "on")
    assert messages(body) == [
        {"role": "user", "content": "Hi\n\nthere"},
        {"role": "assistant", "content": "Ho\n\nho"},
        {"role": "user", "content": [text("Go"), PNG, text("on")]},
    ]


@table("empty", ["", [], [text("")]])
def test_empty_messages_are_skipped(empty: Any) -> None:
    body = asking("Hi", said("assistant", empty), said("user", empty), "there")
    assert messages(body) == [{"role": "user", "content": "Hi\n\nthere"}]


@table(
    ("given", "path"),
    [
        (None, "messages"),
        ({}, "messages"),
        ([], "messages"),
        ([user("")], "messages"),
        (["Hi"], "messages.0"),
        ([{"content": "Hi"}], "messages.0.role"),
        ([said("tool", "Hi")], "messages.0.role"),
        ([{"role": ["user"], "content": "Hi"}], "messages.0.role"),
        ([{"role": "user"}], "messages.0.content"),
        ([said("user", 7)], "messages.0.content"),
        ([said("user", ["Hi"])], "messages.0.content.0.type"),
        ([said("user", [{"type": 1}])], "messages.0.content.0.type"),
        ([user({"type": "text", "text": 1})], "messages.0.content.0.text"),
        ([user(used("t"))], "messages.0.content.0"),
        ([assistant(result("t"))], "messages.0.content.0"),
        ([assistant(image())], "messages.0.content.0"),
        ([user({"type": "thinking", "thinking": "x"})], "messages.0.content.0"),
        ([assistant({"type": "thinking"})], "messages.0.content.0.thinking"),
        ([said("system", image())], "messages.0.content.0"),
    ],
)
def test_wrong_messages(given: Any, path: str) -> None:
    assert bad({**asking(), "messages": given}) == [path]


@table(
    "kind",
    [
        "server_tool_use",
        "web_search_tool_result",
        "web_fetch_tool_result",
        "code_execution_tool_result",
        "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
        "mcp_tool_use",
        "mcp_tool_result",
        "container_upload",
        "compaction",
        "something_new",
    ],
)
@table("role", ["user", "assistant"])
def test_blocks_of_anthropics_own_are_refused(kind: str, role: str) -> None:
    body = asking("Hi", said(role, text("a"), {"type": kind}))
    assert refused(body) == ["messages.1.content.1"]


@table(
    "field",
    [
        {"thread": {"type": "continue", "previous_message_id": "msg_1"}},
        {"thread": {"type": "create"}},
        {"compaction": {"type": "summarize"}},
    ],
)
def test_fields_that_make_another_reply_are_refused(field: dict[str, Any]) -> None:
    """A conversation that Anthropic keeps is not in the request, and a compaction is not an
    answer."""
    assert refused(asking(**field)) == list(field)
    if "thread" in field:
        assert refused(asking(user(result("kept elsewhere")), **field)) == ["thread"]
    assert chat(asking(**dict.fromkeys(field))) == chat(asking())
    counted = [read_request(one, Findings(), counts=True) for one in (asking(**field), asking())]
    assert counted[0] == counted[1]


def test_where_another_model_took_over_is_no_part_of_the_prompt() -> None:
    hop = {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}
    with_hop = asking("Hi", assistant(text("Ho"), hop, text("Hum")), "Go")
    assert messages(with_hop) == messages(asking("Hi", assistant(text("Ho"), text("Hum")), "Go"))
    assert bad(asking(user(text("Hi"), hop))) == ["messages.0.content.1"]


def test_every_refusal_is_told() -> None:
    body = asking(
        user({"type": "server_tool_use"}, image("image/tiff")),
        tools=[{"type": "bash_20250124", "name": "bash"}],
        mcp_servers=[{"type": "url", "url": "https://mcp.example"}],
    )
    paths = [
        "messages.0.content.0",
        "messages.0.content.1.source.media_type",
        "mcp_servers",
        "tools.0",
    ]
    assert refused(body) == paths


# Thinking in the history


@table(
    ("engine", "field"),
    [
        (VLLM, "reasoning"),
        (OLLAMA, "reasoning"),
        (LLAMA, "reasoning_content"),
        (SGLANG, "reasoning_content"),
        (TGI, None),
        (OPENAI, None),
    ],
)
def test_earlier_thinking(engine: EngineSpec, field: str | None) -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    redacted = {"type": "redacted_thinking", "data": "x"}
    made = messages(asking("Hi", assistant(thought, redacted, text("Ho")), "Go"), engine)[1]
    wanted = {"role": "assistant", "content": "Ho"}
    assert made == (wanted | {field: "Hm."} if field else wanted)


def test_a_turn_of_thinking_alone() -> None:
    thought = assistant({"type": "thinking", "thinking": "Hm.", "signature": ""})
    body = asking("Hi", thought, "Go")
    assert messages(body)[1] == {"role": "assistant", "content": "", "reasoning": "Hm."}
    assert messages(body, TGI) == [{"role": "user", "content": "Hi\n\nGo"}]


# Prefill


@table(
    ("engine", "fields"),
    [
        (VLLM, {"add_generation_prompt": False, "continue_final_message": True}),
        (SGLANG, {"continue_final_message": True}),
        (TGI, {"continue_final_message": True}),
        (LLAMA, {}),
        (OLLAMA, {}),
    ],
)
def test_the_model_continues_its_own_last_turn(engine: EngineSpec, fields: dict[str, Any]) -> None:
    made = translated(asking("Hi", assistant("{")), engine)
    body = json.loads(made.body)
    names = ("add_generation_prompt", "continue_final_message")
    assert {name: body[name] for name in names if name in body} == fields
    assert made.dropped == ()


def test_an_unknown_node_may_not_continue() -> None:
    made = translated(asking("Hi", assistant("{")), OPENAI)
    assert made.dropped == ("messages.1",)


def test_calls_are_no_prefill() -> None:
    body = chat(asking("Hi", assistant(text("a"), used("t1"))))
    assert "continue_final_message" not in body


# Pictures and documents


@table(
    ("data", "wanted"),
    [
        ("aGk=", "aGk="),
        ("aGk", "aGk="),
        ("-_-_", "+/+/"),
        ("aG\nk=\r\n", "aGk="),
    ],
)
def test_base64_as_data_uris_want_it(data: str, wanted: str) -> None:
    content = messages(asking(user(image(data=data))))[0]["content"]
    assert content[0]["image_url"]["url"] == f"data:image/png;base64,{wanted}"


def test_a_common_misspelling() -> None:
    content = messages(asking(user(image("image/JPG"))))[0]["content"]
    assert content[0]["image_url"]["url"].startswith("data:image/jpeg;base64,")


@table(
    ("engine", "media"),
    [(LLAMA, "image/webp"), (OLLAMA, "image/gif"), (VLLM, "image/tiff"), (TGI, "text/html")],
)
def test_pictures_that_a_node_cannot_read(engine: EngineSpec, media: str) -> None:
    body = asking(user(image(media)))
    assert refused(body, engine) == ["messages.0.content.0.source.media_type"]


@table(
    "source",
    [
        {"type": "url", "url": "https://example.com/a.png"},
        {"type": "url", "url": "file:///etc/passwd"},
        {"type": "file", "file_id": "f"},
        {"type": "new"},
    ],
)
def test_pictures_from_elsewhere(source: Any) -> None:
    body = asking(user({"type": "image", "source": source}))
    assert refused(body) == ["messages.0.content.0.source"]


@table(
    ("source", "path"),
    [
        (None, "source"),
        ({}, "source"),
        ({"type": "base64"}, "source"),
        ({"type": "base64", "media_type": "image/png", "data": ""}, "source"),
        ({"type": "base64", "media_type": "image/png", "data": "!"}, "source.data"),
        ({"type": "base64", "media_type": "image/png", "data": "aGkää"}, "source.data"),
        ({"type": "base64", "media_type": "image/png", "data": "aG=k"}, "source.data"),
    ],
)
def test_broken_pictures(source: Any, path: str) -> None:
    body = asking(user({"type": "image", "source": source}))
    assert bad(body) == [f"messages.0.content.0.{path}"]


def test_text_documents_are_text() -> None:
    document = {**DIARY, "title": "Diary", "context": "May"}
    made = messages(asking(user(document, text("When?"))))
    assert made == [{"role": "user", "content": "Diary\nMay\nIt rained.\n\nWhen?"}]


def test_documents_of_blocks() -> None:
    source = {"type": "content", "content": [text("It rained."), image()]}
    made = messages(asking(user({"type": "document", "source": source}, text("When?"))))
    assert made[0]["content"] == [text("It rained."), PNG, text("\n\nWhen?")]
    source = {"type": "content", "content": "It rained."}
    made = messages(asking(user({"type": "document", "source": source})))
    assert made[0]["content"] == "It rained.\n\n"


@table("block", [DIARY, found(text("It rained."))])
@table("citations", [{"enabled": True}, {"enabled": False}, {}, None])
def test_citations_are_dropped_with_a_warning(
    block: dict[str, Any], citations: dict[str, Any] | None
) -> None:
    made = translated(asking(user({**block, "citations": citations})))
    wanted = ("messages.0.content.0.citations",) if (citations or {}).get("enabled") else ()
    assert made.dropped == wanted


def test_search_results_are_text() -> None:
    block = found(text("It rained."), text(" It poured."), cache_control={"type": "ephemeral"})
    made = messages(asking(user(block, text("When?"))))
    words = "Diary\nhttps://diary.example\nIt rained. It poured.\n\nWhen?"
    assert made == [{"role": "user", "content": words}]
    body = asking("Hi", assistant(used("t1")), user(result("t1", text("See:\n"), block)))
    words = "See:\nDiary\nhttps://diary.example\nIt rained. It poured.\n\n"
    assert messages(body)[2] == {"role": "tool", "content": words, "tool_call_id": "t1"}


def test_a_search_result_stands_apart_also_without_content() -> None:
    head = "Diary\nhttps://diary.example\n"
    block = found(text("It rained."))
    words = f"Look:\n\n{head}It rained.\n\n{head}It rained.\n\n"
    assert messages(asking(user(text("Look:"), block, block)))[0]["content"] == words
    made = messages(asking(user(text("Look:"), found(), text("When?"))))
    assert made[0]["content"] == f"Look:\n\n{head}\n\nWhen?"
    used_before = assistant(used("t1"))
    made = messages(asking("Hi", used_before, user(result("t1", text("See"), found()))))
    assert made[2]["content"] == f"See\n\n{head}\n\n"


@table(
    ("wrong", "path"),
    [
        ({"source": None}, "messages.0.content.0.source"),
        ({"title": 7}, "messages.0.content.0.title"),
        ({"content": "It rained."}, "messages.0.content.0.content"),
        ({"content": ["It rained."]}, "messages.0.content.0.content"),
        ({"content": [image()]}, "messages.0.content.0.content"),
        ({"content": [text(None)]}, "messages.0.content.0.content.0"),
    ],
)
def test_wrong_search_results(wrong: dict[str, Any], path: str) -> None:
    assert bad(asking(user({**found(text("It rained.")), **wrong}))) == [path]
    assert bad(asking("Hi", assistant(found(text("It rained."))))) == ["messages.1.content.0"]


@table(
    "source",
    [
        {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
        {"type": "url", "url": "https://example.com/a.pdf"},
        {"type": "file", "file_id": "f"},
    ],
)
def test_other_documents(source: Any) -> None:
    body = asking(user({"type": "document", "source": source}))
    assert refused(body) == ["messages.0.content.0.source"]


@table(
    ("source", "path"),
    [
        (None, "source"),
        ({"type": "text"}, "source"),
        ({"type": "content", "content": [{"type": "audio"}]}, "source.content.0"),
    ],
)
def test_broken_documents(source: Any, path: str) -> None:
    body = asking(user({"type": "document", "source": source}))
    assert bad(body) == [f"messages.0.content.0.{path}"]


# Calls and results


def test_a_call_and_its_result() -> None:
    body = asking(
        "Weather?",
        assistant(text("Let me see."), used("toolu_1", city="Zürich")),
        user(result("toolu_1", "sunny")),
    )
    assert messages(body)[1:] == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {
                    "id": "toolu_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Zürich"}'},
                }
            ],
        },
        {"role": "tool", "content": "sunny", "tool_call_id": "toolu_1"},
    ]


@table(("engine", "content"), [(VLLM, None), (TGI, "")])
def test_what_stands_beside_calls_without_text(engine: EngineSpec, content: str | None) -> None:
    made = messages(asking("Hi", assistant(used("t1")), user(result("t1"))), engine)
    assert made[1]["content"] == content


def test_results_come_before_all_else_of_their_turn() -> None:
    body = asking(
        "Hi",
        assistant(used("t1"), used("t2", "get_time")),
        user(text("By the way"), result("t2", "noon")),
        said("system", "Mind."),
        user(result("t1", "sunny"), text("so?")),
    )
    assert messages(body)[2:] == [
        {"role": "tool", "content": "noon", "tool_call_id": "t2"},
        {"role": "tool", "content": "sunny", "tool_call_id": "t1"},
        {"role": "user", "content": "By the way"},
        {"role": "system", "content": "Mind."},
        {"role": "user", "content": "so?"},
    ]


def test_calls_of_messages_in_a_row_are_one_turn() -> None:
    body = asking(
        "Hi", assistant(used("t1")), assistant(used("t2")), user(result("t2"), result("t1"))
    )
    made = messages(body)
    assert [one["role"] for one in made] == ["user", "assistant", "tool", "tool"]
    assert [call["id"] for call in made[1]["tool_calls"]] == ["t1", "t2"]


@table(
    ("block", "content"),
    [
        (result("t1"), ""),
        (result("t1", content=None), ""),
        (result("t1", content=[]), ""),
        (result("t1", "sunny"), "sunny"),
        (result("t1", text("sun"), text("ny")), "sunny"),
        (result("t1", "no such city", is_error=True), "Error: no such city"),
        (result("t1", "sunny", is_error=False), "sunny"),
        (result("t1", {"type": "tool_reference", "tool_name": "get_time"}), "get_time"),
    ],
)
def test_results(block: Any, content: str) -> None:
    assert messages(asking("Hi", assistant(used("t1")), user(block)))[2]["content"] == content


def test_pictures_in_a_result_follow_as_the_users() -> None:
    body = asking("Hi", assistant(used("t1")), user(result("t1", text("see"), image()), text("?")))
    assert messages(body)[2:] == [
        {"role": "tool", "content": "see", "tool_call_id": "t1"},
        {"role": "user", "content": [PNG, text("?")]},
    ]


@table("kind", ["browser_state", "something_new"])
def test_results_of_anthropics_own(kind: str) -> None:
    body = asking("Hi", assistant(used("t1")), user(result("t1", {"type": kind})))
    assert refused(body) == ["messages.2.content.0.content.0"]


@table(
    ("turns", "path"),
    [
        ([user(result("t1"))], "messages.1.content.0.tool_use_id"),
        ([assistant(used("t1")), user(result("t2"))], "messages.2.content.0.tool_use_id"),
        (
            [assistant(used("t1")), user(result("t1"), result("t1"))],
            "messages.2.content.1.tool_use_id",
        ),
        (
            [assistant(used("t1")), "no", assistant("ok"), user(result("t1"))],
            "messages.4.content.0.tool_use_id",
        ),
        ([assistant(used("t1")), user(result(None))], "messages.2.content.0.tool_use_id"),
        ([assistant(used("t1"), used("t1"))], "messages.1.content.1.id"),
        ([assistant(used(""))], "messages.1.content.0.id"),
        ([assistant(used("t1", 7))], "messages.1.content.0.name"),
        ([assistant({**used("t1"), "input": "{}"})], "messages.1.content.0.input"),
    ],
)
def test_calls_and_results_that_do_not_fit(turns: list[Any], path: str) -> None:
    assert bad(asking("Hi", *turns)) == [path]


def test_calls_without_a_result_are_left_to_the_node() -> None:
    made = messages(asking("Hi", assistant(used("t1")), "never mind"))
    assert [one["role"] for one in made] == ["user", "assistant", "user"]


# Tools


def test_tools() -> None:
    made = chat(asking(tools=[WEATHER, {**TIME, "type": "custom", "cache_control": {}}]))
    assert made["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "Weather of a city",
                "parameters": WEATHER["input_schema"],
            },
        },
        {
            "type": "function",
            "function": {"name": "get_time", "parameters": {"type": "object"}},
        },
    ]
    assert "tool_choice" not in made


def test_fields_of_tools_that_only_steer_anthropic() -> None:
    more = {
        "defer_loading": True,
        "eager_input_streaming": True,
        "allowed_callers": ["direct"],
        "input_examples": [{}],
        "type": None,
    }
    assert chat(asking(tools=[{**TIME, **more}])) == chat(asking(tools=[TIME]))


def test_a_schema_that_says_nothing() -> None:
    made = chat(asking(tools=[{"name": "f", "input_schema": {}}]))
    assert made["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}


def test_strict_goes_where_it_is_understood() -> None:
    strict = {"name": "f", "input_schema": SCHEMA, "strict": True}
    loose = {**TIME, "strict": True}
    for engine, wanted in ((VLLM, [True, True]), (OPENAI, [True, None])):
        tools = chat(asking(tools=[strict, loose]), engine)["tools"]
        assert [tool["function"].get("strict") for tool in tools] == wanted


@table("odd", [{"required": [{}]}, {"type": ["object", {}]}, {"properties": 7}])
def test_odd_schemas_are_not_strict(odd: dict[str, Any]) -> None:
    tool = {"name": "f", "input_schema": {**SCHEMA, **odd}, "strict": True}
    assert "strict" not in chat(asking(tools=[tool]), OPENAI)["tools"][0]["function"]


@table(
    "kind",
    [
        "web_search_20250305",
        "web_fetch_20250910",
        "bash_20250124",
        "text_editor_20250728",
        "computer_20250124",
        "computer_toolset_20260801",
        "browser_toolset_20260801",
        "code_execution_20250825",
        "memory_20250818",
        "tool_search_tool_bm25_20251119",
        "mcp_toolset",
        "function",
    ],
)
def test_tools_of_anthropics_own(kind: str) -> None:
    assert refused(asking(tools=[TIME, {"type": kind, "name": "x"}])) == ["tools.1"]


@table(
    ("tools", "path"),
    [
        ({}, "tools"),
        (["f"], "tools.0"),
        ([{}], "tools.0.name"),
        ([{"name": "", "input_schema": {}}], "tools.0.name"),
        ([{"name": "f"}], "tools.0.input_schema"),
        ([{"name": "f", "input_schema": "x"}], "tools.0.input_schema"),
        ([TIME, TIME], "tools.1.name"),
    ],
)
def test_wrong_tools(tools: Any, path: str) -> None:
    assert bad(asking(tools=tools)) == [path]


NAMED = {"type": "function", "function": {"name": "get_time"}}


@table(
    ("engine", "choice", "wanted", "kept"),
    [
        (VLLM, {"type": "auto"}, None, 2),
        (VLLM, {"type": "any"}, "required", 2),
        (VLLM, {"type": "tool", "name": "get_time"}, NAMED, 2),
        (SGLANG, {"type": "tool", "name": "get_time"}, NAMED, 2),
        (TGI, {"type": "tool", "name": "get_time"}, NAMED, 2),
        (OPENAI, {"type": "tool", "name": "get_time"}, NAMED, 2),
        (LLAMA, {"type": "any"}, "required", 2),
        (LLAMA, {"type": "tool", "name": "get_time"}, "required", 1),
        (OLLAMA, {"type": "auto"}, None, 2),
    ],
)
def test_tool_choice(engine: EngineSpec, choice: Any, wanted: Any, kept: int) -> None:
    made = chat(asking(tools=[WEATHER, TIME], tool_choice=choice), engine)
    assert made.get("tool_choice") == wanted
    names = [tool["function"]["name"] for tool in made["tools"]]
    assert names == ["get_weather", "get_time"][-kept:]


@table("choice", [{"type": "any"}, {"type": "tool", "name": "get_time"}])
def test_ollama_cannot_be_made_to_call(choice: Any) -> None:
    assert refused(asking(tools=[TIME], tool_choice=choice), OLLAMA) == ["tool_choice"]


@table("engine", LOCAL)
def test_none_needs_no_tools(engine: EngineSpec) -> None:
    body = asking(tools=[TIME], tool_choice={"type": "none"})
    assert chat(body, engine) == chat(asking(), engine)


def test_parallel_calls_forbidden() -> None:
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    body = asking(tools=[TIME], tool_choice=choice)
    assert chat(body)["parallel_tool_calls"] is False
    made = translated(body, OLLAMA)
    assert "parallel_tool_calls" not in json.loads(made.body)
    assert made.dropped == ("tool_choice.disable_parallel_tool_use",)
    allowed = asking(tools=[TIME], tool_choice={**choice, "disable_parallel_tool_use": False})
    assert "parallel_tool_calls" not in chat(allowed)


@table(
    ("choice", "path"),
    [
        ("auto", "tool_choice.type"),
        ({}, "tool_choice.type"),
        ({"type": ["auto"]}, "tool_choice.type"),
        ({"type": "tool"}, "tool_choice.name"),
        ({"type": "tool", "name": {}}, "tool_choice.name"),
        ({"type": "tool", "name": "other"}, "tool_choice.name"),
    ],
)
def test_wrong_tool_choice(choice: Any, path: str) -> None:
    assert bad(asking(tools=[TIME], tool_choice=choice)) == [path]


def test_any_without_tools() -> None:
    assert bad(asking(tool_choice={"type": "any"})) == ["tool_choice"]
    assert chat(asking(tool_choice={"type": "auto"})) == chat(asking())


LONG = "mcp__" + "server_" * 12 + "tool.v2"


def test_names_that_openai_does_not_take_lead_back() -> None:
    tool = {"name": LONG, "input_schema": {"type": "object"}}
    body = asking(
        "Hi",
        assistant(used("t1", LONG)),
        user(result("t1")),
        tools=[tool, TIME],
        tool_choice={"type": "tool", "name": LONG},
    )
    made = chat(body, OPENAI)
    name = made["tools"][0]["function"]["name"]
    assert name != LONG
    assert len(name) <= 64
    assert name.replace("_", "").isalnum()
    assert made["tool_choice"]["function"]["name"] == name
    assert made["messages"][1]["tool_calls"][0]["function"]["name"] == name
    assert made["tools"][1]["function"]["name"] == "get_time"
    assert chat(body, VLLM)["tools"][0]["function"]["name"] == LONG


# Output and thinking


@table("effort", ["low", "medium", "high", "xhigh", "max"])
def test_effort(effort: str) -> None:
    body = asking(output_config={"effort": effort}, thinking={"type": "adaptive"})
    assert chat(body)["reasoning_effort"] == effort
    made = translated(body, TGI)
    assert "reasoning_effort" not in json.loads(made.body)
    assert made.dropped == ("output_config.effort",)


@table(
    ("output", "path"),
    [
        ([], "output_config"),
        ({"effort": "huge"}, "output_config.effort"),
        ({"effort": ["low"]}, "output_config.effort"),
        ({"format": "json"}, "output_config.format"),
    ],
)
def test_wrong_output_config(output: Any, path: str) -> None:
    assert bad(asking(output_config=output)) == [path]


@table(
    "fields",
    [
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
    ],
)
def test_a_format(fields: Any) -> None:
    made = chat(asking(**fields))["response_format"]
    assert made == {"type": "json_schema", "json_schema": {"name": "response", "schema": SCHEMA}}
    made = chat(asking(**fields), OPENAI)["response_format"]
    assert made["json_schema"]["strict"] is True


def test_a_format_that_is_not_strict() -> None:
    loose = {"type": "object", "properties": {"a": {"type": "string"}}}
    output = {"format": {"type": "json_schema", "schema": loose}}
    made = chat(asking(output_config=output), OPENAI)
    assert "strict" not in made["response_format"]["json_schema"]


def test_formats_that_a_grammar_cannot_follow() -> None:
    properties = {
        "format": {"type": "string", "format": "uri"},
        "day": {"type": "string", "format": "date"},
        "odd": {"type": "string", "format": []},
    }
    schema = {"type": "object", "properties": properties, "default": {"format": "uri"}}
    body = asking(output_config={"format": {"type": "json_schema", "schema": schema}})
    made = translated(body)
    fitted = json.loads(made.body)["response_format"]["json_schema"]["schema"]
    assert fitted["properties"] == {
        "format": {"type": "string"},
        "day": {"type": "string", "format": "date"},
        "odd": {"type": "string"},
    }
    assert fitted["default"] == {"format": "uri"}
    assert len(made.dropped) == 2
    assert chat(body, LLAMA)["response_format"]["json_schema"]["schema"] == schema


@table(
    ("schema", "path"),
    [
        (None, ""),
        ({"type": "object", "properties": {}, "required": ["a"]}, ".required[0]"),
        ({"$ref": "https://example.com/schema"}, ".$ref"),
        ({"type": "thing"}, ".type"),
    ],
)
def test_an_invalid_schema(schema: Any, path: str) -> None:
    body = asking(output_config={"format": {"type": "json_schema", "schema": schema}})
    found = refused(body, code="invalid_response_format_schema")
    assert found == [f"output_config.format.schema{path}"]


def test_an_unknown_format() -> None:
    body = asking(output_config={"format": {"type": "regex"}})
    assert refused(body, code="unsupported_response_format") == ["output_config.format.type"]


def test_a_format_for_a_node_that_ignores_formats() -> None:
    body = asking(output_config={"format": {"type": "json_schema", "schema": SCHEMA}})
    found = refused(body, LOCALAI, "unsupported_response_format")
    assert found == ["output_config.format"]


@table(
    ("engine", "choice"),
    [
        (VLLM, {"type": "tool", "name": "get_time"}),
        (SGLANG, {"type": "any"}),
        (TGI, {"type": "auto"}),
    ],
)
def test_a_format_beside_tools(engine: EngineSpec, choice: Any) -> None:
    output = {"format": {"type": "json_schema", "schema": SCHEMA}}
    body = asking(tools=[TIME], tool_choice=choice, output_config=output)
    assert refused(body, engine, "unsupported_response_format") == ["output_config.format"]
    assert "response_format" in chat(without(body, "tools", "tool_choice"), engine)
    assert "response_format" in chat({**body, "tool_choice": {"type": "none"}}, engine)


OFF: dict[EngineSpec, dict[str, Any]] = {
    VLLM: {"chat_template_kwargs": {"enable_thinking": False}},
    LLAMA: {"chat_template_kwargs": {"enable_thinking": False}},
    SGLANG: {"reasoning_effort": "none"},
    OLLAMA: {"reasoning_effort": "none"},
    TGI: {},
    OPENAI: {},
}
BUDGETS: dict[EngineSpec, dict[str, Any]] = {
    VLLM: {"thinking_token_budget": 8000},
    LLAMA: {"thinking_budget_tokens": 8000},
    SGLANG: {"reasoning_effort": "medium"},
    OLLAMA: {"reasoning_effort": "medium"},
    TGI: {},
    OPENAI: {"reasoning_effort": "medium"},
}
THINKING = ("chat_template_kwargs", "reasoning_effort", "thinking_token_budget",
            "thinking_budget_tokens")  # fmt: skip


def thinking(body: dict[str, Any], engine: EngineSpec) -> dict[str, Any]:
    made = chat(body, engine)
    return {name: made[name] for name in THINKING if name in made}


@table("engine", OFF)
def test_thinking(engine: EngineSpec) -> None:
    enabled = {"type": "enabled", "budget_tokens": 8000}
    assert thinking(asking(thinking=enabled), engine) == BUDGETS[engine]
    assert thinking(asking(thinking={"type": "disabled"}), engine) == OFF[engine]
    assert thinking(asking(thinking={"type": "adaptive"}), engine) == {}
    assert thinking(asking(thinking={"type": "between_tools"}), engine) == {}
    assert translated(asking(thinking={"type": "between_tools"})).dropped == ("thinking.type",)


@table("engine", OFF)
def test_leaving_thinking_out_means_none(engine: EngineSpec) -> None:
    assert thinking(asking(), engine) == OFF[engine]


def test_a_budget_that_nobody_reads() -> None:
    body = asking(thinking={"type": "enabled", "budget_tokens": 8000})
    assert translated(body, TGI).dropped == ("thinking.budget_tokens",)


def test_effort_is_more_than_a_budget() -> None:
    enabled = {"type": "enabled", "budget_tokens": 1024}
    body = asking(thinking=enabled, output_config={"effort": "max"})
    assert thinking(body, SGLANG) == {"reasoning_effort": "max"}
    assert thinking(body, VLLM) == {"reasoning_effort": "max", "thinking_token_budget": 1024}


def test_no_thinking_is_more_than_effort() -> None:
    body = asking(thinking={"type": "disabled"}, output_config={"effort": "max"})
    assert thinking(body, SGLANG) == {"reasoning_effort": "none"}


@table(
    ("given", "path"),
    [
        ("enabled", "thinking.type"),
        ({}, "thinking.type"),
        ({"type": 1}, "thinking.type"),
        ({"type": "enabled"}, "thinking.budget_tokens"),
        ({"type": "enabled", "budget_tokens": "many"}, "thinking.budget_tokens"),
        ({"type": "enabled", "budget_tokens": 0}, "thinking.budget_tokens"),
    ],
)
def test_wrong_thinking(given: Any, path: str) -> None:
    assert bad(asking(thinking=given)) == [path]


def test_a_body_is_not_changed() -> None:
    """The same body is translated once for every engine that has the model."""
    body = asking(
        "Hi",
        assistant(used("t1")),
        user(result("t1", text("a"), image())),
        system=[BILLING, text("b")],
        tools=[{"name": LONG, "input_schema": {}}],
        tool_choice={"type": "tool", "name": LONG},
    )
    before = json.dumps(body)
    for engine in (*LOCAL[:2], SGLANG, OPENAI):
        translated(body, engine)
    assert json.dumps(body) == before


def test_refusals_are_not_repeated_by_clients() -> None:
    assert error(asking(max_tokens=0)).status == 400


def test_a_count_needs_no_limit() -> None:
    findings = Findings()
    read = read_request(without(asking(), "max_tokens"), findings, counts=True)
    assert read.messages == (Message("user", (TextBlock("Hello"),)),)
    assert read.max_tokens is None
    assert not findings.faults


def test_a_conversation_of_which_the_node_can_have_nothing() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    assert bad(asking(assistant(thought)), TGI) == ["messages"]
