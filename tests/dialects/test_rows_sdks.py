"""What each SDK does with a real llama-server, and the test that runs it."""

from __future__ import annotations

from tests.dialects.proofs import Row, check, rows_of
from tests.fixtures.table import table

SDKS = """
@ e2e/test_translated_google_genai.py::test_text
google-genai: text | MODEL
@ e2e/test_translated_google_genai.py::test_a_stream_comes_in_pieces_and_ends_in_one_chunk
google-genai: stream | stream(ai
@ e2e/test_translated_google_genai.py::test_async
google-genai: async
@ e2e/test_translated_google_genai.py::test_a_system_instruction_is_part_of_the_prompt
google-genai: system prompt
@ e2e/test_translated_google_genai.py::test_a_call_comes_whole
google-genai: forced call | calling("ANY"
@ e2e/test_translated_google_genai.py::test_a_response_schema_is_kept
google-genai: JSON schema | SCHEMA
@ e2e/test_translated_google_genai.py::test_thoughts_are_shown_when_asked_for
google-genai: thinking on | include_thoughts
@ e2e/test_translated_google_genai.py::test_a_thinking_budget_of_none_switches_it_off
google-genai: thinking off | "thinking_budget": 0
@ e2e/test_translated_google_genai.py::test_embed_one_and_many
google-genai: embeddings | embed_content
@ e2e/test_translated_google_genai.py::test_token_counts_are_the_nodes
google-genai: token counts | count_tokens
@ e2e/test_translated_google_genai.py::test_stop_strings
google-genai: stop strings | stop_sequences
@ e2e/test_translated_google_genai.py::test_a_limit_on_the_reply
google-genai: max tokens | max_output_tokens
@ e2e/test_translated_google_genai.py::test_an_image_is_refused_where_the_model_cannot_see
google-genai: images | image/png
@ e2e/test_translated_google_generativeai.py::test_text
google-generativeai: text and system prompt | system_instruction
@ e2e/test_translated_google_generativeai.py::test_a_stream_is_an_array
google-generativeai: stream | stream=True
@ e2e/test_translated_google_generativeai.py::test_a_forced_call
google-generativeai: forced call
@ e2e/test_translated_google_generativeai.py::test_a_response_schema_is_kept
google-generativeai: JSON schema
@ e2e/test_translated_google_generativeai.py::test_thoughts_are_kept_from_a_client_that_knows_none
google-generativeai: a model that thinks
@ e2e/test_translated_google_generativeai.py::test_embed_one_and_many
google-generativeai: embeddings | embed_content
@ e2e/test_translated_google_generativeai.py::test_token_counts_are_the_nodes
google-generativeai: token counts | count_tokens
@ e2e/test_translated_google_generativeai.py::test_stop_strings_and_limits
google-generativeai: stop strings | stop_sequences
google-generativeai: max tokens | max_output_tokens
@ e2e/test_translated_google_generativeai.py::test_an_image_is_refused_where_the_model_cannot_see
google-generativeai: images | image/png
@ e2e/test_translated_anthropic.py::test_text
anthropic: text | create
anthropic: stream | stream
@ e2e/test_translated_anthropic.py::test_a_system_prompt_is_part_of_the_prompt
anthropic: system prompt
@ e2e/test_translated_anthropic.py::test_a_tool_is_used
anthropic: forced call | "any"
@ e2e/test_translated_anthropic.py::test_a_schema_is_kept
anthropic: JSON schema
@ e2e/test_translated_anthropic.py::test_thinking_comes_first
anthropic: thinking on
@ e2e/test_translated_anthropic.py::test_without_thinking
anthropic: thinking off | disabled
@ e2e/test_translated_anthropic.py::test_token_counts_are_the_nodes
anthropic: token counts | count_tokens
@ e2e/test_translated_anthropic.py::test_stop_strings
anthropic: stop strings | stop_sequences
@ e2e/test_translated_anthropic.py::test_a_long_stream_loses_nothing
anthropic: max tokens | max_tokens
@ e2e/test_translated_anthropic.py::test_what_the_node_cannot_see_is_refused
anthropic: images | PICTURE
@ e2e/test_openai.py::test_real_node
openai: text and stream | REPLY
@ e2e/test_openai.py::test_real_node_with_tools_and_schema
openai: JSON schema | json_schema
@ e2e/test_openai_real_node.py::test_a_system_prompt_is_part_of_the_prompt
openai: system prompt | "system"
@ e2e/test_openai_real_node.py::test_a_forced_call_in_a_stream
openai: forced call | "required"
@ e2e/test_openai_real_node.py::test_thinking_on_and_off
openai: thinking on and off | enable_thinking
@ e2e/test_openai_real_node.py::test_embeddings
openai: embeddings | base64
@ e2e/test_openai_real_node.py::test_stop_strings_and_limits
openai: stop strings | stop=
openai: max tokens | max_tokens
@ e2e/test_openai_real_node.py::test_an_image_is_refused_where_the_model_cannot_see
openai: images | image_url
"""

EXAMPLES = """
@ e2e/test_translated_examples.py::test_generate_by_curl
example: gemma2:9b | gemma2:9b
example: an alias of Google's name | gemini-2.5-flash
@ e2e/test_translated_examples.py::test_a_stream_without_alt_is_an_array
example: stream without alt=sse | b"["
@ e2e/test_translated_examples.py::test_a_stream_of_events
example: stream with alt=sse | alt=sse
@ e2e/test_translated_examples.py::test_a_system_instruction
example: systemInstruction | systemInstruction
@ e2e/test_translated_examples.py::test_json
example: JSON mode and response schema | responseSchema
@ e2e/test_translated_examples.py::test_multiple_turns
example: turns
@ e2e/test_translated_examples.py::test_embeddings_and_counts
example: embeddings and counts | embedContent
@ e2e/test_translated_examples.py::test_a_refused_message_leaves_no_trace
example: an Anthropic refusal leaves no trace | node.connections == []
@ dialects/pairs/test_gemini_properties.py::test_a_valid_request_is_one_for_openai_or_refused
any valid request is one for OpenAI or refused | check_openai
@ dialects/pairs/test_gemini_properties.py::test_any_object_is_made_over_or_refused
any object is made over or refused | @given
@ dialects/pairs/test_gemini_properties.py::test_any_bytes_give_frames_or_the_one_error
any bytes give frames or the one error | @given
@ dialects/pairs/anthropic_openai/test_properties.py::test_a_valid_request_is_made_over_or_refused
any Messages request is made over or refused | @given
"""

LEFT_OUT = {
    "google-generativeai: thinking on and off": "its GenerationConfig has no field for it",
    "openai: token counts": "its API has none",
    "images that a node can see": "the tiny model has no eyes; what is sent for them is compared in"
    " test_images_keep_their_place_and_get_plain_base64",
}


@table("row", rows_of(SDKS, EXAMPLES))
def test_a_row_has_its_test(row: Row) -> None:
    check(row)


@table("row", LEFT_OUT)
def test_a_row_without_a_test_says_why(row: str) -> None:
    assert LEFT_OUT[row].strip()
