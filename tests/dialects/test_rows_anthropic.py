"""Every row of the mapping that has Anthropic on one side, and the test that proves it."""

from __future__ import annotations

from casedesk_proxy.dialects.registry import find_translations
from casedesk_proxy.terms import Action, Call, Dialect
from tests.dialects.proofs import Row, check, rows_of
from tests.fixtures.table import table

SURFACE = """
@ surfaces/test_paths.py::test_post
surface: messages | /proxy/d/anthropic/v1/messages"
surface: count_tokens | count_tokens
@ surfaces/test_paths.py::test_get
surface: models | anthropic
@ planning/test_plan.py::test_anthropic_version_is_required
surface: anthropic-version | anthropic-version
@ e2e/test_anthropic.py::test_every_credential_it_can_send
surface: credentials
@ dialects/pairs/anthropic_openai/test_request.py::test_max_tokens_is_required
surface: max_tokens is required
@ surfaces/test_envelopes.py::test_status_and_type
surface: 413 | request_too_large
@ dialects/pairs/anthropic_openai/test_reply.py::test_usage_may_come_in_many_ways
surface: input leaves out the cached | cache_read_input_tokens
"""

GEMINI_REQUEST = """
@ dialects/pairs/gemini_anthropic/test_request.py::test_the_least_request
g→a: model | "model"
@ dialects/pairs/gemini_anthropic/test_request.py::test_system_instruction
g→a: systemInstruction
@ dialects/pairs/gemini_anthropic/test_request.py::test_a_conversation_begins_with_the_user
g→a: the user begins | "contents[0]
@ dialects/pairs/gemini_anthropic/test_request.py::test_turns_are_merged_and_empty_parts_left_out
g→a: roles merged | ("user", ["a", "b"])
g→a: empty text | "text": ""
g→a: thoughts | "thought"
@ dialects/pairs/gemini_anthropic/test_request.py::test_images
g→a: images | "base64"
@ dialects/pairs/gemini_anthropic/test_request.py::test_documents_and_other_media
g→a: pdf | application/pdf
g→a: other media | audio/wav
g→a: fileData | fileUri
@ dialects/pairs/gemini_anthropic/test_request.py::test_calls_and_results
g→a: functionCall | tool_use
g→a: functionResponse first | tool_result
@ dialects/pairs/gemini_anthropic/test_request.py::test_tools
g→a: declarations | input_schema
@ dialects/pairs/gemini_anthropic/test_request.py::test_modes
g→a: AUTO and VALIDATED | VALIDATED
g→a: ANY | "any"
g→a: ANY with one name | "tool"
@ dialects/pairs/gemini_anthropic/test_request.py::test_mode_none_with_calls_in_the_history
g→a: NONE with calls in the history | "none"
@ dialects/pairs/gemini_anthropic/test_request.py::test_how_much_may_be_written
g→a: maxOutputTokens and its default | 4096
@ dialects/pairs/gemini_anthropic/test_request.py::test_config
g→a: topP, topK, stopSequences | stop_sequences
@ dialects/pairs/gemini_anthropic/test_request.py::test_a_temperature_above_anthropics
g→a: temperature above 1
@ dialects/pairs/gemini_anthropic/test_request.py::test_what_has_no_equivalent_is_dropped_or_refused
g→a: candidates | candidateCount
g→a: seed and penalties | seed
g→a: log probabilities | responseLogprobs
g→a: a stop of blanks | stopSequences
@ dialects/pairs/gemini_anthropic/test_request.py::test_thinking
g→a: budget | budget_tokens
g→a: budget 0 | disabled
g→a: level
@ dialects/pairs/gemini_anthropic/test_request.py::test_formats
g→a: JSON with and without schema | json_schema
"""

GEMINI_REPLY = """
@ dialects/pairs/gemini_anthropic/test_reply.py::test_text
a→g: text | text_delta
a→g: message_start | BEGIN
a→g: ping | "ping"
a→g: content_block_stop | content_block_stop
@ dialects/pairs/gemini_anthropic/test_reply.py::test_thoughts
a→g: thinking | thinking_delta
a→g: redacted_thinking | redacted_thinking
a→g: signature_delta, citations_delta | citations_delta
a→g: a block that begins with text | text="first"
@ dialects/pairs/gemini_anthropic/test_reply.py::test_calls
a→g: tool_use | functionCall
a→g: start without input | tool_use
a→g: input_json_delta | input_json_delta
@ dialects/pairs/gemini_anthropic/test_reply.py::test_stop_reasons
a→g: end_turn | end_turn
a→g: stop_sequence | stop_sequence
a→g: stop with tool_use | ("tool_use", "STOP")
a→g: max_tokens | max_tokens
a→g: context window | model_context_window_exceeded
a→g: refusal | finishMessage
a→g: pause_turn | pause_turn
@ dialects/pairs/gemini_anthropic/test_reply.py::test_usage_adds_up_what_anthropic_tells_apart
a→g: input, cache read and created | cache_creation_input_tokens
a→g: output without thinking | "candidatesTokenCount": 5
a→g: thinking_tokens | thinking_tokens
a→g: message_delta is cumulative | output_tokens=9
@ dialects/pairs/gemini_anthropic/test_reply.py::test_an_end_is_never_invented
a→g: error event | event("error"
a→g: error event without wrapper | b'event: error
a→g: end without message_stop | [BEGIN, text("a")]
@ dialects/pairs/gemini_anthropic/test_reply.py::test_recorded_streams_at_every_split
a→g: blocks that overlap (llama-server) | STREAMS
"""

OPENAI_REQUEST = """
@ dialects/pairs/anthropic_openai/test_request.py::test_system
a→o: system | Be kind.
a→o: the billing header | BILLING
@ dialects/pairs/anthropic_openai/test_request.py::test_system_within_the_conversation
a→o: system within the messages | Mind the gap.
@ planning/test_translation.py::test_a_system_message_stands_where_the_template_takes_one
a→o: system where the template insists | "qwen": ["system", "user"]
@ dialects/pairs/anthropic_openai/test_request.py::test_left_out
a→o: cache_control | cache_control
a→o: metadata.user_id | user_id
a→o: service_tier | service_tier
a→o: context_management | context_management
a→o: inference_geo | inference_geo
a→o: unknown | something_new
@ dialects/pairs/anthropic_openai/test_request.py::test_content
a→o: text blocks
@ dialects/pairs/anthropic_openai/test_request.py::test_base64_as_data_uris_want_it
a→o: image base64
@ dialects/pairs/anthropic_openai/test_request.py::test_pictures_from_elsewhere
a→o: image url | "url"
a→o: image file | "file"
@ dialects/pairs/anthropic_openai/test_request.py::test_text_documents_are_text
a→o: text document
@ dialects/pairs/anthropic_openai/test_request.py::test_search_results_are_text
a→o: search_result
@ dialects/pairs/anthropic_openai/test_request.py::test_other_documents
a→o: other documents | application/pdf
@ dialects/pairs/anthropic_openai/test_request.py::test_blocks_of_anthropics_own_are_refused
a→o: server tool blocks | server_tool_use
a→o: mcp blocks | mcp_tool_use
a→o: container_upload | container_upload
@ dialects/pairs/anthropic_openai/test_request.py::test_a_call_and_its_result
a→o: tool_use | tool_calls
a→o: tool_result | "tool_call_id"
@ dialects/pairs/anthropic_openai/test_request.py::test_results_come_before_all_else_of_their_turn
a→o: results first | "tool"
@ dialects/pairs/anthropic_openai/test_request.py::test_results
a→o: is_error | Error:
a→o: empty result | result("t1")
@ dialects/pairs/anthropic_openai/test_request.py::test_pictures_in_a_result_follow_as_the_users
a→o: images of a result | image()
@ dialects/pairs/anthropic_openai/test_request.py::test_earlier_thinking
a→o: thinking in the history | reasoning_content
@ dialects/pairs/anthropic_openai/test_request.py::test_earlier_thinking
a→o: redacted_thinking | redacted_thinking
@ dialects/pairs/anthropic_openai/test_request.py::test_tools
a→o: input_schema | parameters
@ dialects/pairs/anthropic_openai/test_request.py::test_strict_goes_where_it_is_understood
a→o: strict
@ dialects/pairs/anthropic_openai/test_request.py::test_tools_of_anthropics_own
a→o: server tools, bash, text_editor, memory | bash_
@ dialects/pairs/anthropic_openai/test_request.py::test_tool_choice
a→o: auto, any, tool | "required"
@ dialects/pairs/anthropic_openai/test_request.py::test_none_needs_no_tools
a→o: none
@ dialects/pairs/anthropic_openai/test_request.py::test_parallel_calls_forbidden
a→o: disable_parallel_tool_use | disable_parallel_tool_use
@ dialects/pairs/anthropic_openai/test_request.py::test_the_least_request
a→o: max_tokens | max_tokens
@ dialects/pairs/anthropic_openai/test_request.py::test_a_fifth_stop_is_refused_not_cut
a→o: stop_sequences | stop_sequences
@ dialects/pairs/anthropic_openai/test_request.py::test_sampling
a→o: temperature, top_p, top_k | top_k
@ dialects/pairs/anthropic_openai/test_request.py::test_thinking
a→o: budget_tokens | budget_tokens
a→o: thinking disabled | "disabled"
a→o: thinking adaptive | "adaptive"
@ dialects/pairs/anthropic_openai/test_request.py::test_leaving_thinking_out_means_none
a→o: thinking absent | OFF[engine]
@ dialects/pairs/anthropic_openai/test_reply.py::test_thinking_that_nobody_asked_for_is_not_shown
a→o: display omitted
@ dialects/pairs/anthropic_openai/test_request.py::test_effort
a→o: effort | reasoning_effort
@ dialects/pairs/anthropic_openai/test_request.py::test_a_format
a→o: format | json_schema
@ dialects/pairs/anthropic_openai/test_request.py::test_the_node_always_streams
a→o: stream | include_usage
"""

OPENAI_REPLY = """
@ dialects/pairs/anthropic_openai/test_reply.py::test_a_message
o→a: one message | collected
@ dialects/pairs/anthropic_openai/test_reply.py::test_an_id_is_made_where_the_node_has_none
o→a: id | msg_
@ dialects/pairs/anthropic_openai/test_reply.py::test_thinking_comes_first_and_is_signed
o→a: reasoning with a signature | signature
@ dialects/pairs/anthropic_openai/test_reply.py::test_an_empty_reply_is_an_empty_text
o→a: an empty reply
@ dialects/pairs/anthropic_openai/test_reply.py::test_a_call_streams
o→a: tool_calls | partial_json
@ dialects/pairs/anthropic_openai/test_reply.py::test_broken_streams
o→a: arguments that cannot be read | calls(
@ dialects/pairs/anthropic_openai/test_reply.py::test_the_limit_always_wins
o→a: length always wins
@ dialects/pairs/anthropic_openai/test_reply.py::test_calls_tell_that_tools_are_used
o→a: calls complete | tool_use
@ dialects/pairs/anthropic_openai/test_reply.py::test_stop_strings
o→a: a matched stop | stop_sequence
@ dialects/pairs/anthropic_openai/test_reply.py::test_a_call_cut_by_a_stop_string_is_not_offered
o→a: a call cut by a stop
@ dialects/pairs/anthropic_openai/test_reply.py::test_finish_reasons
o→a: content_filter | content_filter
@ dialects/pairs/anthropic_openai/test_reply.py::test_any_other_reason_ends_no_answer
o→a: everything else | something_new
@ dialects/pairs/anthropic_openai/test_reply.py::test_a_refusal
o→a: refusal
@ dialects/pairs/anthropic_openai/test_reply.py::test_usage_may_come_in_many_ways
o→a: input without cached | input_tokens
o→a: cached | cache_read_input_tokens
o→a: completion | output_tokens
@ dialects/pairs/anthropic_openai/test_reply.py::test_a_stream_byte_for_byte
o→a stream: message_start | message_start
o→a stream: text | text_delta
o→a stream: message_delta with usage, message_stop | message_delta
o→a stream: created is 0 | cache_creation_input_tokens
o→a stream: event equals type, LF LF | event:
@ dialects/pairs/anthropic_openai/test_reply.py::test_thinking_between_words
o→a stream: change of kind
@ dialects/pairs/anthropic_openai/test_reply.py::test_mixed_fragments_never_overlap
o→a stream: fragments of a second call wait | calls(
@ dialects/pairs/anthropic_openai/test_reply.py::test_words_behind_a_call
o→a stream: text behind a call | CALL
@ dialects/pairs/anthropic_openai/test_reply.py::test_the_name_may_come_late
o→a stream: the name comes late
@ dialects/pairs/anthropic_openai/test_reply.py::test_pings
o→a stream: ping
@ dialects/pairs/anthropic_openai/test_reply.py::test_an_error_in_the_midst_of_events
o→a stream: failure | error_behind
@ e2e/test_translated_prompt_counts.py::test_the_tokenizer_is_asked_beside
o→a stream: input_tokens from the first byte | input_tokens
@ dialects/pairs/anthropic_openai/test_sdk.py::test_recorded_replies
tolerance: the SDK reads what we write | Proxy(
@ dialects/pairs/anthropic_openai/test_sdk.py::test_a_broken_stream_is_noticed
tolerance: anthropic notices
@ e2e/test_openai.py::test_a_broken_stream_is_noticed
tolerance: openai notices
@ e2e/test_translated_broken.py::test_anthropic
tolerance: anthropic notices on the wire
"""

ROUTES = """
@ dialects/test_registry.py::test_preference
the OpenAI route goes before a node's Anthropic one | [O, A]
@ replying/test_node_errors.py::test_recorded
error bodies out of shape are rewritten
@ e2e/test_translated_errors.py::test_a_real_nodes_messages_route
llama-server's 500 without messages | llama_node
@ dialects/pairs/gemini_anthropic/test_request.py::test_modes
llama-server's route has no named choice | LLAMA
@ dialects/pairs/gemini_anthropic/test_request.py::test_formats
llama-server's and Ollama's route have no format | LLAMA
@ dialects/pairs/gemini_anthropic/test_request.py::test_thinking_that_cannot_be_set_is_told
llama-server's route does not stop thinking | LLAMA
@ dialects/pairs/gemini_anthropic/test_request.py::test_estimates
Ollama's route counts nothing | OLLAMA
@ dialects/gemini/test_counts.py::test_anthropic_messages
count_tokens by the node's tokenizer | "/tokenize"
@ dialects/gemini/test_counts.py::test_anthropic_estimate_and_media
count_tokens by estimate
"""

LEFT_OUT = {
    "every call needs a result in the next turn": "the gap is the client's; the node"
    " says so in its own 400",
    "cache_creation_input_tokens from a node": "no OpenAI node tells it; 0 is sent",
    "thinking with a temperature or a forced tool at Anthropic": "Anthropic's own 400 says it best",
    "OpenAI clients on nodes that speak only Anthropic (3.8)": "no pair of this gateway; refused as"
    " unsupported_dialect, see the test below",
    "Anthropic clients on nodes that speak only Gemini (3.9)": "no pair of this gateway; refused as"
    " unsupported_dialect, see the test below",
    "frames without event:, skipped indexes, no usage in message_delta": "SDKs break on them and"
    " the writer cannot write them; its bytes are compared whole in test_a_stream_byte_for_byte",
    "SGLang's refusal of redacted_thinking, vLLM's random signature": "habits of a node's own"
    " route, which is relayed untouched",
}


@table(
    "row",
    rows_of(SURFACE, GEMINI_REQUEST, GEMINI_REPLY, OPENAI_REQUEST, OPENAI_REPLY, ROUTES),
)
def test_a_row_has_its_test(row: Row) -> None:
    check(row)


@table("row", LEFT_OUT)
def test_a_row_without_a_test_says_why(row: str) -> None:
    assert LEFT_OUT[row].strip()


@table(
    ("surface", "action"),
    [(Dialect.OPENAI, Action.CHAT), (Dialect.OPENAI, Action.EMBEDDINGS),
     (Dialect.OPENAI, Action.COMPLETE)],
)  # fmt: skip
def test_openai_clients_have_no_pair(surface: Dialect, action: Action) -> None:
    assert find_translations(Call(surface, action, None)) == ()


def test_anthropic_clients_have_no_pair_with_gemini() -> None:
    pairs = find_translations(Call(Dialect.ANTHROPIC, Action.MESSAGES, None))
    assert [dialect for dialect, _ in pairs] == [Dialect.OPENAI]
