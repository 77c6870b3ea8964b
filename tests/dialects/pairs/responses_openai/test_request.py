"""Each part of a Responses request, translated for a node that speaks chat."""

from __future__ import annotations

import base64
import json
from typing import Any

from casedesk_proxy.engines.spec import EngineSpec
from tests.dialects.anthropic_asking import LLAMA, OLLAMA, OPENAI, SGLANG, TGI, VLLM
from tests.dialects.asking import LOCALAI
from tests.dialects.responses_asking import (
    FREEFORM,
    MCP,
    SHELL,
    WEATHER,
    WEB_SEARCH,
    asking,
    called,
    chat,
    places,
    refused,
    result,
    said,
    translated,
)
from tests.fixtures.table import table

PNG = "data:image/png;base64,aGk="
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


def messages(*items: Any, **fields: Any) -> Any:
    return chat(asking(*items, **fields))["messages"]


def test_a_string() -> None:
    assert messages() == [{"role": "user", "content": "Hello"}]


def test_instructions_and_developers_are_the_system() -> None:
    developer = said("developer", [{"type": "input_text", "text": "Be kind."}])
    made = messages(developer, "Hi", instructions="Be brief.")
    assert made == [
        {"role": "system", "content": "Be brief.\n\nBe kind."},
        {"role": "user", "content": "Hi"},
    ]


def test_a_system_message_in_the_middle() -> None:
    items = ("Hi", said("assistant", "Ho"), said("developer", "Now French."), "Go on")
    roles = [one["role"] for one in messages(*items)]
    assert roles == ["user", "assistant", "system", "user"]
    made = chat(asking(*items), system_first=True)["messages"]
    assert made[0] == {"role": "system", "content": "Now French."}
    folded = chat(asking(*items, instructions="A"), fold_system=True)["messages"]
    assert [one["role"] for one in folded] == ["user", "assistant", "user"]
    assert folded[0]["content"] == "A\n\nHi"


def test_calls_and_their_results() -> None:
    made = messages(
        "Hi",
        called("c1", arguments='{"city":"Rome"}'),
        called("c2"),
        result("c2", [{"type": "input_text", "text": "two"}]),
        result("c1", "one"),
        "Thanks",
    )
    assert [one["role"] for one in made] == ["user", "assistant", "tool", "tool", "user"]
    first, second = made[1]["tool_calls"]
    assert first["function"] == {"name": "get_weather", "arguments": '{"city":"Rome"}'}
    assert second["id"] == "c2"
    assert [one["tool_call_id"] for one in made[2:4]] == ["c2", "c1"]
    assert [one["content"] for one in made[2:4]] == ["two", "one"]


@table(
    "items",
    [
        [called("c1"), said("assistant", "Wait."), result("c1")],
        [said("assistant", "Wait."), called("c1"), result("c1")],
        [called("c1"), called("c2"), result("c1"), said("assistant", "Wait."), result("c2")],
    ],
)
def test_words_between_a_call_and_its_result_belong_to_the_call(items: list[Any]) -> None:
    made = messages("Hi", *items)
    assert made[1]["content"] == "Wait."
    assert all(one["role"] == "tool" for one in made[2:])


def test_a_user_who_speaks_before_the_result() -> None:
    made = messages("Hi", called("c1"), "Hurry", result("c1"))
    assert [one["role"] for one in made] == ["user", "assistant", "tool", "user"]


def test_steps_one_after_another_are_turns_of_their_own() -> None:
    made = messages("Hi", called("c1"), result("c1"), called("c2"), result("c2"))
    assert [one["role"] for one in made] == ["user", "assistant", "tool", "assistant", "tool"]


def test_a_picture_as_a_result() -> None:
    picture = {"type": "input_image", "image_url": PNG}
    made = messages("Hi", called("c1"), result("c1", [picture]))
    assert made[2]["content"] == ""
    assert made[3] == {
        "role": "user",
        "content": [{"type": "image_url", "image_url": {"url": PNG}}],
    }


def test_thoughts_go_back() -> None:
    thought = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "Hm."}],
    }
    asked = asking("Hi", thought, called("c1"), result("c1"))
    assert chat(asked)["messages"][1]["reasoning"] == "Hm."
    assert chat(asked, LLAMA)["messages"][1]["reasoning_content"] == "Hm."
    plain = translated(asked, OPENAI)
    assert plain.dropped == ("input[1]",)
    assert "Hm." not in plain.body.decode()


def test_what_stands_on_both_sides_of_thoughts_alone_is_one_turn() -> None:
    thought = {"type": "reasoning", "summary": [], "content": [
        {"type": "reasoning_text", "text": "Hm."},
    ]}  # fmt: skip
    asked = asking({"role": "user", "content": "a"}, thought, {"role": "user", "content": "b"})
    assert chat(asked)["messages"] == [{"role": "user", "content": "a\n\nb"}]


def test_thoughts_that_only_openai_can_read_are_dropped() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}
    made = translated(asking("Hi", thought, "Well?"))
    assert made.dropped == ("input[1]",)
    assert json.loads(made.body)["messages"] == [{"role": "user", "content": "Hi\n\nWell?"}]


def test_messages_without_content() -> None:
    assert places(refused(asking(said("user", [])))) == ["input"]


def test_pictures() -> None:
    picture = {"type": "input_image", "image_url": PNG, "detail": "low"}
    made = messages(said("user", [picture, {"type": "input_text", "text": "What?"}]))
    assert made[0]["content"] == [
        {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
        {"type": "text", "text": "What?"},
    ]


@table(
    ("part", "place"),
    [
        ({"type": "input_image", "image_url": "https://x.test/a.png"}, ".image_url"),
        ({"type": "input_image", "file_id": "file_1"}, ".file_id"),
        ({"type": "input_image"}, ".image_url"),
        ({"type": "input_image", "image_url": "data:image/tiff;base64,aGk="}, ".image_url"),
        ({"type": "input_file", "file_url": "https://x.test/a.pdf"}, ".file_url"),
        ({"type": "input_file", "file_data": "data:application/pdf;base64,aGk="}, ".file_data"),
        ({"type": "input_audio", "input_audio": {"data": "x", "format": "ogg"}}, ".input_audio"),
        ({"type": "input_video"}, ""),
    ],
)
def test_parts_that_the_node_cannot_have(part: dict[str, Any], place: str) -> None:
    fault = refused(asking(said("user", [part])))
    assert places(fault) == [f"input[0].content[0]{place}"]


def test_a_file_of_text() -> None:
    data = base64.b64encode("é;\n".encode()).decode()
    part = {
        "type": "input_file",
        "filename": "a.csv",
        "file_data": f"data:text/csv;base64,{data}",
    }
    made = messages(said("user", [part, {"type": "input_text", "text": "What?"}]))
    assert made[0]["content"] == "a.csv\né;\n\n\nWhat?"


@table("data", ["data:text/csv;base64,a", "data:text/csv,%ff"])
def test_a_file_of_text_that_is_none(data: str) -> None:
    fault = refused(asking(said("user", [{"type": "input_file", "file_data": data}])))
    assert places(fault) == ["input[0].content[0].file_data"]


def test_sound() -> None:
    sound = {"data": "aGk=", "format": "wav"}
    made = messages(said("user", [{"type": "input_audio", "input_audio": sound}]))
    assert made[0]["content"] == [{"type": "input_audio", "input_audio": sound}]


def test_functions() -> None:
    tool = chat(asking(tools=[WEATHER]))["tools"][0]
    assert tool == {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather of a city",
            "parameters": WEATHER["parameters"],
        },
    }


def test_a_namespace_becomes_flat_names() -> None:
    history = called("c1", namespace="mcp__weather")
    made = chat(asking("Hi", history, result("c1"), tools=[MCP, WEATHER]))
    names = [one["function"]["name"] for one in made["tools"]]
    assert names == ["mcp__weather__get_weather", "get_weather"]
    assert made["messages"][1]["tool_calls"][0]["function"]["name"] == names[0]


def test_two_functions_that_become_one_name_are_refused() -> None:
    flat = WEATHER | {"name": "mcp__weather__get_weather"}
    fault = refused(asking(tools=[MCP, flat]))
    assert "tools[1].name" in places(fault)
    fault = refused(asking("Hi", called("c1", flat["name"]), result("c1"), tools=[MCP]))
    assert places(fault) == ["input[1].name"]


def test_a_long_namespace_is_shortened_the_same_way_everywhere() -> None:
    long = MCP | {"name": "mcp__" + "ü" * 80}
    history = called("c1", namespace=long["name"])
    made = chat(asking("Hi", history, result("c1"), tools=[long]))
    name = made["tools"][0]["function"]["name"]
    assert len(name) <= 64
    assert name.isascii()
    assert made["messages"][1]["tool_calls"][0]["function"]["name"] == name


def test_a_freeform_tool_is_a_function_with_one_text() -> None:
    free = {**SHELL, "format": {"type": "text"}}
    history = {"type": "custom_tool_call", "call_id": "c1", "name": "shell", "input": "ls"}
    body = asking("Hi", history, {**result("c1"), "type": "custom_tool_call_output"}, tools=[free])
    made = translated(body, refuse_tools=True)
    assert made.dropped == ()
    sent = json.loads(made.body)
    parameters = {
        "type": "object",
        "properties": {"input": {"type": "string"}},
        "required": ["input"],
    }
    function = {"name": "shell", "description": "Runs a script", "parameters": parameters}
    assert sent["tools"] == [{"type": "function", "function": function}]
    called_before = sent["messages"][1]["tool_calls"][0]["function"]
    assert called_before == {"name": "shell", "arguments": '{"input":"ls"}'}
    inside = {"type": "namespace", "name": "n", "tools": [SHELL]}
    assert chat(asking(tools=[inside]))["tools"][0]["function"]["name"] == "n__shell"


@table(
    "choice",
    [
        {"type": "custom", "name": "shell"},
        {
            "type": "allowed_tools",
            "mode": "required",
            "tools": [{"type": "custom", "name": "shell"}],
        },
    ],
)
def test_a_freeform_tool_may_be_chosen(choice: dict[str, Any]) -> None:
    made = chat(asking(tools=[WEATHER, SHELL], tool_choice=choice))
    assert [one["function"]["name"] for one in made["tools"]] == ["shell"]
    named = {"type": "function", "function": {"name": "shell"}}
    assert made["tool_choice"] == (named if choice["type"] == "custom" else "required")


@table(
    ("reasoning", "dropped"),
    [
        ({"context": "all_turns", "mode": "pro"}, ("reasoning.context", "reasoning.mode")),
        ({"context": "auto", "mode": "standard", "summary": "auto"}, ()),
        ({"context": None, "mode": None}, ()),
    ],
)
def test_what_reasoning_is_kept_at_openai(
    reasoning: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    assert translated(asking(reasoning=reasoning)).dropped == dropped


@table(
    ("tools", "kept", "left_out"),
    [
        ([SHELL, {**WEATHER, "name": "shell"}], {"shell": "city"}, 0),
        ([{**WEATHER, "name": "shell"}, SHELL], {"shell": "city"}, 1),
        ([SHELL, WEATHER, SHELL], {"shell": "input", "get_weather": "city"}, 2),
        ([WEATHER, {"type": "custom"}], {"get_weather": "city"}, 1),
        ([WEATHER, {"type": "custom", "custom": {"name": "sh"}}], {"get_weather": "city"}, 1),
    ],
)
def test_a_freeform_tool_without_a_name_of_its_own_is_left_out(
    tools: list[Any], kept: dict[str, str], left_out: int
) -> None:
    made = translated(asking(tools=tools))
    sent = [one["function"] for one in json.loads(made.body)["tools"]]
    assert {one["name"]: next(iter(one["parameters"]["properties"])) for one in sent} == kept
    assert made.dropped == (f"tools[{left_out}]:custom",)
    assert places(refused(asking(tools=tools), refuse_tools=True))


def test_a_freeform_tool_in_a_namespace_has_a_name_of_its_own() -> None:
    made = translated(asking(tools=[SHELL, {"type": "namespace", "name": "n", "tools": [SHELL]}]))
    sent = [one["function"]["name"] for one in json.loads(made.body)["tools"]]
    assert (sent, made.dropped) == (["shell", "n__shell"], ())


def test_a_tool_with_a_grammar_cannot_be_chosen() -> None:
    name = {"type": "custom", "name": FREEFORM["name"]}
    assert places(refused(asking(tools=[WEATHER, FREEFORM], tool_choice=name))) == ["tool_choice"]
    allowed = {
        "type": "allowed_tools",
        "tools": [name, {"type": "function", "name": "get_weather"}],
    }
    made = translated(asking(tools=[WEATHER, FREEFORM], tool_choice=allowed))
    assert made.dropped == ("tools[1]:custom", "tool_choice.tools[0]")


def test_tools_that_no_node_has_are_dropped() -> None:
    made = translated(asking(tools=[WEATHER, WEB_SEARCH, FREEFORM]))
    assert made.dropped == ("tools[1]:web_search", "tools[2]:custom")
    assert len(json.loads(made.body)["tools"]) == 1


def test_or_refused() -> None:
    fault = refused(asking(tools=[WEB_SEARCH, WEATHER, FREEFORM]), refuse_tools=True)
    assert places(fault) == ["tools[0]", "tools[2]"]
    assert fault.code == "unsupported_responses_feature"


@table(
    ("choice", "sent"),
    [
        ("auto", None),
        ("required", "required"),
        ({"type": "function", "name": "get_weather"}, {"name": "get_weather"}),
        (
            {"type": "function", "name": "get_weather", "namespace": "mcp__weather"},
            {"name": "mcp__weather__get_weather"},
        ),
    ],
)
def test_choices(choice: Any, sent: Any) -> None:
    made = chat(asking(tools=[WEATHER, MCP], tool_choice=choice))
    told = made.get("tool_choice")
    assert (told["function"] if isinstance(told, dict) else told) == sent


def test_no_tool() -> None:
    assert "tools" not in chat(asking(tools=[WEATHER], tool_choice="none"))


def test_some_tools() -> None:
    time = WEATHER | {"name": "get_time"}
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [time]}
    made = chat(asking(tools=[WEATHER, time], tool_choice=allowed))
    assert [one["function"]["name"] for one in made["tools"]] == ["get_time"]
    assert made["tool_choice"] == "required"


@table(
    ("engine", "format", "sent"),
    [
        (VLLM, {"type": "text"}, None),
        (VLLM, {"type": "json_object"}, {"type": "json_object"}),
        (
            OPENAI,
            {"type": "json_schema", "name": "A", "schema": SCHEMA, "strict": True},
            {
                "type": "json_schema",
                "json_schema": {"name": "A", "schema": SCHEMA, "strict": True},
            },
        ),
    ],
)
def test_formats(engine: EngineSpec, format: Any, sent: Any) -> None:
    assert chat(asking(text={"format": format}), engine).get("response_format") == sent


@table(
    ("engine", "effort", "sent"),
    [
        (VLLM, "high", {"reasoning_effort": "high"}),
        (VLLM, "none", {"chat_template_kwargs": {"enable_thinking": False}}),
        (SGLANG, "none", {"reasoning_effort": "none"}),
        (TGI, "high", {}),
    ],
)
def test_efforts(engine: EngineSpec, effort: str, sent: dict[str, Any]) -> None:
    made = chat(asking(reasoning={"effort": effort, "summary": "auto"}), engine)
    names = ("reasoning_effort", "chat_template_kwargs")
    assert {name: made[name] for name in names if name in made} == sent


def test_numbers() -> None:
    made = chat(asking(max_output_tokens=9, temperature=0.5, top_p=1, top_logprobs=3, seed=7))
    assert made["max_tokens"] == 9
    assert made["temperature"] == 0.5
    assert made["top_logprobs"] == 3
    assert made["seed"] == 7


def test_one_call_at_a_time() -> None:
    asked = asking(tools=[WEATHER], parallel_tool_calls=False)
    assert chat(asked)["parallel_tool_calls"] is False
    assert translated(asked, TGI).dropped == ("parallel_tool_calls",)


def test_a_duty_that_the_node_does_not_know_is_refused() -> None:
    asked = asking(tools=[WEATHER], tool_choice="required")
    assert places(refused(asked, OLLAMA)) == ["tool_choice"]


def test_a_number_of_tokens_to_choose_from_that_the_node_does_not_know() -> None:
    assert chat(asking(top_k=5))["top_k"] == 5
    assert translated(asking(top_k=5), OPENAI).dropped == ("top_k",)


def test_log_probabilities_that_the_node_does_not_tell() -> None:
    assert places(refused(asking(top_logprobs=1), LOCALAI)) == ["top_logprobs"]
    assert places(refused(asking(top_logprobs=9), TGI)) == ["top_logprobs"]
    with_tools = asking(top_logprobs=1, tools=[WEATHER])
    assert places(refused(with_tools, LLAMA)) == ["top_logprobs"]
    assert chat(with_tools)["logprobs"] is True


@table(
    ("engine", "tools", "place"),
    [(LOCALAI, [], "text.format"), (LLAMA, [WEATHER], "text.format")],
)
def test_a_format_to_which_the_node_cannot_be_held(
    engine: EngineSpec, tools: list[Any], place: str
) -> None:
    fault = refused(asking(tools=tools, text={"format": {"type": "json_object"}}), engine)
    assert fault.code == "unsupported_response_format"
    assert places(fault) == [place]


def test_a_schema_that_is_none() -> None:
    wrong = {"type": "json_schema", "name": "A", "schema": {"type": "object", "properties": []}}
    fault = refused(asking(text={"format": wrong}))
    assert fault.code == "invalid_response_format_schema"
    assert places(fault)[0].startswith("text.format.schema")


def test_a_format_may_be_described() -> None:
    asked = {"type": "json_schema", "name": "A", "description": "d", "schema": SCHEMA}
    made = chat(asking(text={"format": asked}))["response_format"]["json_schema"]
    assert made["description"] == "d"


def test_what_lives_at_openai_is_refused_by_name() -> None:
    fault = refused(
        asking(
            previous_response_id="resp_1",
            conversation="conv_1",
            prompt={"id": "p"},
            background=True,
            truncation="auto",
        )
    )
    wanted = {"previous_response_id", "conversation", "prompt", "background", "truncation"}
    assert set(places(fault)) == wanted


def test_every_fault_is_named_at_once() -> None:
    fault = refused(
        {
            "model": "gpt",
            "input": [{"type": "message", "role": "nobody", "content": 7}, 7, result("c9")],
            "tools": [{"type": "function"}, {}],
            "temperature": "hot",
            "text": {"format": {"type": "xml"}},
            "reasoning": {"effort": "huge"},
        }
    )
    assert places(fault) == [
        "input[0].role",
        "input[1]",
        "input[2].call_id",
        "tools[0].name",
        "tools[1].type",
        "temperature",
        "reasoning.effort",
        "text.format.type",
    ]


def test_what_codex_always_sends() -> None:
    made = translated(
        asking(
            said("developer", [{"type": "input_text", "text": "You are Codex."}]),
            "Hi",
            tools=[WEATHER, MCP, WEB_SEARCH],
            tool_choice="auto",
            parallel_tool_calls=True,
            reasoning={"summary": "auto"},
            store=False,
            stream=True,
            include=["reasoning.encrypted_content"],
            prompt_cache_key="01a2",
            client_metadata={"x": "y"},
        )
    )
    assert made.dropped == ("tools[2]:web_search",)
    assert made.path == "/v1/chat/completions"


def test_unknown_fields_are_dropped_with_a_warning() -> None:
    assert translated(asking(store=True, shiny=1)).dropped == ("store", "shiny")


def test_items_that_are_no_traces_of_tools_are_refused() -> None:
    assert places(refused(asking({"type": "item_reference", "id": "msg_1"}))) == ["input[0]"]
    trace = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    assert translated(asking("Hi", trace)).dropped == ("input[1]:web_search_call",)
    assert places(refused(asking("Hi", trace), refuse_tools=True)) == ["input[1]"]
