"""Fifty known failures of similar software, by number, and the tests that prevent them here."""

from __future__ import annotations

import json

from casedesk_proxy.dialects.registry import find_translations
from casedesk_proxy.terms import Action, Call, Dialect, Framing
from tests.dialects.asking import (
    HELLO,
    LLAMA,
    LOCAL,
    OLLAMA,
    SGLANG,
    VLLM,
    chat,
    refused,
    with_config,
    with_parts,
    with_tools,
)
from tests.dialects.proofs import Row, check, rows_of
from tests.dialects.reading import DONE, breaks, delta, event, frames, parts, play, usage
from tests.fixtures.table import table

#: More than one test may keep a pitfall away; each has a line of its own.
PITFALLS = """
@ dialects/pairs/gemini_openai/test_request.py::pairs
1 ids are nine letters and digits | len(call["id"]) == 9
@ dialects/pairs/anthropic_openai/test_reply.py::test_ids_that_name_nothing_are_made
1 ids made for an Anthropic client too
@ dialects/pairs/gemini_openai/test_request.py::test_pairing_by_id_in_any_order
2 two calls of one function keep apart | ("b", "f")
@ dialects/pairs/gemini_openai/test_reply.py::test_ollamas_parallel_calls_all_have_the_same_index
3 a new id at a used index is a new call | "index": 0, "id": "b"
@ dialects/pairs/anthropic_openai/test_reply.py::test_parallel_calls_even_of_one_index
3 for an Anthropic client | (0, 0)
@ dialects/pairs/gemini_openai/test_request.py::test_images_keep_their_place_and_get_plain_base64
4 URL-safe base64 | urlsafe_b64encode
@ dialects/pairs/gemini_openai/test_request.py::test_declarations_of_all_tools_become_one_list
5 parametersJsonSchema | parameters_json_schema
6 types in upper case or by number | "type": 6
@ dialects/pairs/gemini_openai/test_reply.py::test_parallel_calls_come_whole_in_the_last_chunk
7 arguments are read once they are whole | PARALLEL
@ dialects/pairs/gemini_openai/test_request.py::test_a_call_and_its_result
8 text beside calls stays (request) | Wait.
@ dialects/pairs/gemini_openai/test_reply.py::test_no_empty_text_stands_beside_a_call
8 text beside calls stays (reply) | Wait.
36 no empty text beside a call | found ==
@ dialects/pairs/gemini_openai/test_request.py::test_results_come_before_the_rest_of_their_turn
9 results before text | "tool", "user"
@ dialects/pairs/gemini_openai/test_request.py::test_system_instruction
10 every part of the system instruction | Be kind.\\nBe brief.
@ dialects/pairs/gemini_openai/test_reply.py::test_an_end_is_never_invented
11 null is no STOP | "finish_reason": None
13 nothing that raises looks like an end | breaks(
@ dialects/pairs/gemini_openai/test_reply.py::test_text_in_the_finish_chunk_goes_out_with_the_finish
11 a finish beside content | finish="stop"
@ dialects/pairs/gemini_openai/test_reply.py::test_candidates_have_chunks_of_their_own
11 candidates have their own index | index=1
30 a usage chunk is not the end | usage(12, 3)
49 one candidate a chunk | told ==
@ dialects/pairs/gemini_openai/test_reply.py::test_both_names_of_reasoning
11 reasoning by either name | "reasoning", "reasoning_content"
12 reasoning reaches the client | "thought": True
15 vLLM's newer name | "reasoning"
@ dialects/pairs/gemini_openai/test_request.py::test_what_engines_differ_in
14 a stop list is refused, never cut | stopSequences
@ engines/test_profile.py::test_what_is_never_sent
16 guided_json is never sent | guided_
@ engines/test_profile.py::test_what_is_sent_to_whom
17 a named choice on llama-server | tool_choice named
18 no tool_choice for Ollama | tool_choice required
20 max_tokens, which Ollama knows | max_completion_tokens
@ dialects/pairs/gemini_openai/test_reply.py::test_calls_announced_and_never_made
19 a finish of calls without calls | finish="tool_calls"
@ dialects/pairs/gemini_openai/test_reply.py::test_events_without_content_send_nothing
21 comments in a node's stream | b": ping
@ dialects/reading.py::frames
22 nothing but frames on a Gemini stream | startswith(b"data: ")
23 data: with its space | b"data: "
@ server/test_heartbeat_sdks.py::test_every_sdk_reads_the_whole_answer
22 signs of life that SDKs bear
@ surfaces/test_envelopes.py::test_gemini_frame
24 error is the first key
@ e2e/test_translated_broken.py::test_an_event_stream_ends_in_an_error_and_early
25 a cut stream does not end cleanly
@ e2e/test_translated_broken.py::test_google_genai
25 google-genai raises
@ e2e/test_translated_broken.py::test_anthropic
25 anthropic raises
@ e2e/test_openai.py::test_a_broken_stream_is_noticed
25 openai raises
@ e2e/test_translated_broken.py::test_google_generativeai
24 the old SDK raises in array mode
@ dialects/pairs/gemini_openai/test_reply.py::test_array_is_framed_as_googles
26 nothing before [ and nothing after ] | endswith
@ e2e/test_translated_google_generativeai.py::test_refusals
27 errors before an array keep their message | stream=stream
@ dialects/pairs/gemini_openai/test_reply.py::test_running_usage_is_not_added_up
28 usage is cumulative
@ dialects/pairs/test_gemini_recorded.py::test_usage
31 n=2: every choice's tokens | llama-server.chat-stream-n2
@ catalog/test_names.py::test_not_found
32 names are checked here | NotFound
@ dialects/node_errors/test_mapping.py::test_recorded_errors
33 bad requests answered with 500 | llama-server.messages-error-empty
@ wire/test_headers.py::test_not_to_client
34 CORS headers of nodes | access-control
@ dialects/pairs/gemini_openai/test_request.py::test_neighbours_of_one_role_are_one_message
35 roles alternate | "abc"
@ planning/test_translation.py::test_a_system_message_stands_where_the_template_takes_one
35 no system role | "gemma": ["user"]
@ dialects/pairs/gemini_openai/test_request.py::test_a_foreign_id_is_paired_by_name
37 ids of results may be missing or foreign | "other"
@ dialects/pairs/anthropic_openai/test_reply.py::test_mixed_fragments_never_overlap
38 interleaved fragments | calls(
@ dialects/pairs/gemini_anthropic/test_reply.py::test_recorded_streams_at_every_split
39 tool_use without input, as recorded
@ dialects/pairs/anthropic_openai/test_recorded.py::test_what_the_model_said
40 a stop string on llama-server
@ e2e/test_translated_google_genai.py::test_a_thinking_budget_of_none_switches_it_off
40 thinking off by the chat route
@ e2e/test_translated_examples.py::test_a_refused_request_leaves_no_trace_at_any_node
41 required without property, before any node | a required name without property
@ dialects/pairs/gemini_openai/test_request.py::test_googles_own_tools_are_refused_even_when_empty
42 an empty object is on | {name: {}}
@ surfaces/test_paths.py::test_bare_models_by_headers
43 the shared /v1/models
@ surfaces/test_paths.py::test_model_survives_encoding
44 slashes and colons in names
@ dialects/node_errors/test_mapping.py::test_where_a_reason_stands
46 SGLang's errors at the top | "object": "error"
@ surfaces/test_envelopes.py::test_status_and_type
47 code equals status | shown["code"] == reply.status
@ dialects/pairs/gemini_openai/test_reply.py::test_thoughts_not_asked_for_are_counted_only
50 thoughts only when asked for | len(chunks) == 3
"""

#: Those that the functions below exercise.
HERE = {29, 45}
#: Those that no test can show, and why.
LEFT_OUT = {48: "tells of another project: it has no translator of that kind to learn from"}


@table("row", rows_of(PITFALLS))
def test_a_pitfall_is_kept_away(row: Row) -> None:
    check(row)


def test_each_of_the_fifty_is_spoken_of() -> None:
    told = {int(case.values[0].name.split()[0]) for case in rows_of(PITFALLS)}
    assert told | HERE | LEFT_OUT.keys() == set(range(1, 51))
    assert not told & LEFT_OUT.keys()


def test_29_an_error_without_choices_is_no_usage() -> None:
    failed = event(choices=[], error={"message": "x"}, usage={"prompt_tokens": 1})
    assert "finishReason" not in breaks(delta("a"), delta(finish="stop"), failed, DONE)


def test_45_ollama() -> None:
    several = with_parts({"text": "a"}, {"text": "b"})
    assert chat(several, OLLAMA)["messages"] == [{"role": "user", "content": "ab"}]
    assert not chat(HELLO, OLLAMA).keys() & {"temperature", "top_p"}
    empty = event(choices=[{"delta": {"content": ""}, "finish_reason": None}])
    assert "finishReason" not in breaks(delta("a"), empty)


# The ones that cost a client most, once more and together


@table("engine", LOCAL)
def test_a_request_with_half_of_them(engine: object) -> None:
    body = {
        **with_tools({"name": "f", "parametersJsonSchema": {"type": "object"}}, mode="AUTO"),
        "systemInstruction": {"parts": [{"text": "a"}, {"text": "b"}]},
        "generationConfig": {"maxOutputTokens": 9, "stopSequences": ["x"]},
        "contents": [
            *HELLO["contents"],
            {"role": "model", "parts": [{"text": "t"}, *[{"functionCall": {"name": "f"}}] * 2]},
            {"parts": [{"text": "q"}, *[{"functionResponse": {"name": "f"}}] * 2]},
        ],
    }
    made = chat(body, engine)
    roles = [one["role"] for one in made["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "tool", "user"]
    ids = [one["id"] for one in made["messages"][2]["tool_calls"]]
    assert ids == [one["tool_call_id"] for one in made["messages"][3:5]]
    assert len(set(ids)) == 2
    assert made["messages"][2]["content"] == "t"
    assert (made["max_tokens"], made["stop"]) == (9, ["x"])


def test_a_stream_with_half_of_them() -> None:
    def piece(ident: str, arguments: str) -> bytes:
        call = {"index": 0, "id": ident, "function": {"name": "f", "arguments": arguments}}
        return delta(tool_calls=[call])

    stream = [
        b": ping\n\n",
        delta("a", reasoning="t"),
        piece("x", '{"y":1}'),
        piece("z", '{"y":2}'),
        delta("b", finish="stop"),
        usage(1, 2),
        DONE,
    ]
    assert parts(*stream) == [
        [{"text": "a"}],
        [
            {"text": "b"},
            {"functionCall": {"id": "x", "name": "f", "args": {"y": 1}}},
            {"functionCall": {"id": "z", "name": "f", "args": {"y": 2}}},
        ],
    ]
    assert frames(play(*stream))[-1]["usageMetadata"]["totalTokenCount"] == 3
    assert json.loads(play(*stream, framing=Framing.JSON_ARRAY))


def test_refusals_by_engine() -> None:
    assert refused(with_tools({"name": "f"}, mode="ANY"), OLLAMA)
    assert refused(with_config(stopSequences=list("abcde")), VLLM)
    assert chat(with_config(stopSequences=list("abcde")), SGLANG)["stop"] == list("abcde")
    assert chat(with_tools({"name": "f"}, mode="ANY"), LLAMA)["tool_choice"] == "required"


def test_the_openai_route_is_preferred() -> None:
    pairs = find_translations(Call(Dialect.GEMINI, Action.GENERATE, None))
    assert [dialect for dialect, _ in pairs] == [Dialect.OPENAI, Dialect.ANTHROPIC]
