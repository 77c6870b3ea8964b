"""Every row of an OpenAI node's reply for a Gemini client, and the test that proves it."""

from __future__ import annotations

from tests.dialects.proofs import Row, check, rows_of
from tests.fixtures.table import table

FIELDS = """
@ dialects/pairs/gemini_openai/test_reply.py::test_text_with_thoughts
content with role model in every chunk | "role": "model"
index | "index": 0
responseId | chat-1
modelVersion | "tiny"
@ dialects/reading.py::parts
parts, modelVersion and responseId in every chunk | responseId
@ dialects/pairs/gemini_openai/test_reply.py::test_only_the_last_chunk_has_a_finish_reason_and_usage
finishReason only in the last chunk | [False, False, True]
usageMetadata in the last chunk | usageMetadata
@ dialects/pairs/gemini_openai/test_reply.py::test_arguments_that_are_no_object
finishMessage | finishMessage
@ dialects/pairs/gemini_openai/test_reply.py::test_logprobs_stand_with_their_text
avgLogprobs | avgLogprobs
logprobsResult, chosen and id | tokenId
topCandidates, likeliest first | topCandidates
logProbabilitySum | logProbabilitySum
sentinels such as -9999 | -9999
@ dialects/pairs/gemini_openai/test_reply.py::test_missing_index_and_names
modelVersion and responseId of our own | gemma2:9b
"""

UNARY = """
@ dialects/pairs/gemini_openai/test_reply.py::test_unary_candidates_are_sorted
choices by index | [0, 1]
@ dialects/pairs/gemini_openai/test_reply.py::test_unary_collects
reasoning first, as a thought | "thought": True
content | "bc"
tool_calls in order | called("f"
@ dialects/pairs/gemini_openai/test_reply.py::test_unary_without_a_word_still_has_a_part
empty content and no calls | {"text": ""}
@ dialects/pairs/gemini_openai/test_reply.py::test_content_as_a_list
content as a list | "type": "text"
@ dialects/pairs/gemini_openai/test_reply.py::test_a_missing_id_is_made_up
arguments "" | {}
@ dialects/pairs/gemini_openai/test_reply.py::test_a_node_that_ignores_stream
arguments that are an object already | {"y": 1}
audio, annotations | annotations
@ dialects/pairs/gemini_openai/test_reply.py::test_the_legacy_call_has_no_id
function_call | function_call
@ dialects/pairs/gemini_openai/test_reply.py::test_refusal
refusal | SAFETY
@ dialects/pairs/gemini_openai/test_reply.py::test_arguments_that_are_no_object
arguments that are no object | MALFORMED_FUNCTION_CALL
@ dialects/pairs/gemini_openai/test_reply.py::test_no_empty_text_stands_beside_a_call
no empty text beside a call | [called("f", {}, "a")]
"""

FINISH = """
@ dialects/pairs/gemini_openai/test_reply.py::test_finish_reasons
stop | ("stop", "STOP")
eos_token | eos_token
stop_sequence | stop_sequence
tool_calls | tool_calls
function_call (finish) | function_call
length | MAX_TOKENS
content_filter | SAFETY
repetition | repetition
@ dialects/pairs/gemini_openai/test_reply.py::test_any_other_finish_reason_ends_no_answer
abort | "abort"
@ dialects/pairs/gemini_openai/test_reply.py::test_a_call_is_a_call_whatever_the_finish_says
stop although there are calls | "stop"
@ dialects/pairs/gemini_openai/test_reply.py::test_an_end_is_never_invented
error as a finish | finish="error"
null until the end | [delta("a"), DONE]
"""

USAGE = """
@ dialects/pairs/gemini_openai/test_reply.py::test_usage
promptTokenCount | promptTokenCount
candidatesTokenCount without thoughts | (5, 4, 3, None, 12)
thoughtsTokenCount | thoughtsTokenCount
thoughtsTokenCount by SGLang | reasoning_tokens=3, completion_tokens_details=None
cachedContentTokenCount | cached_tokens": 4
cachedContentTokenCount 0 is left out | cached_tokens": 0
totalTokenCount | totalTokenCount
@ dialects/pairs/gemini_openai/test_reply.py::test_running_usage_is_not_added_up
usage is cumulative
@ dialects/pairs/test_gemini_recorded.py::test_usage
n=2: outputs summed, prompt once | chat-stream-n2
"""

STREAM = """
@ dialects/pairs/gemini_openai/test_reply.py::test_events_without_content_send_nothing
comment | b": ping
event and id lines | b"event: x
SGLang's own events | sglext
first delta with role only | ROLE
empty delta | delta("")
choices missing | event(),
@ dialects/pairs/gemini_openai/test_reply.py::test_both_names_of_reasoning
reasoning delta | "reasoning"
thought and text in one delta | delta("b", **{name: "a"})
@ dialects/pairs/gemini_openai/test_reply.py::test_text_with_thoughts
content delta | "Hel"
@ dialects/pairs/gemini_openai/test_reply.py::test_parallel_calls_come_whole_in_the_last_chunk
tool_calls gathered, whole at the end | PARALLEL
@ dialects/pairs/gemini_openai/test_reply.py::test_ollamas_parallel_calls_all_have_the_same_index
a new id at a used index | "id": "b"
@ dialects/openai/test_chunks.py::test_calls
missing index | fragments
@ dialects/pairs/gemini_openai/test_reply.py::test_refusal
refusal delta
@ dialects/pairs/gemini_openai/test_reply.py::test_logprobs_stand_with_their_text
logprobs beside a delta | LOGGED
@ dialects/pairs/gemini_openai/test_reply.py::test_the_finish_waits_for_the_usage_and_text_does_not
finish is held, text is not | usageMetadata
usage chunk ends n=1 | reader.complete
after [DONE]
@ engines/test_tgi.py::STREAM
usage chunk of TGI without id | id=""
@ dialects/pairs/gemini_openai/test_reply.py::test_candidates_have_chunks_of_their_own
usage amid the stream of n=2 | usage(12, 3)
one candidate a chunk | (1, None), (0, None)
@ dialects/pairs/gemini_openai/test_reply.py::test_an_end_is_never_invented
[DONE] without finish | [delta("a"), DONE]
end without finish | [delta("a")],
error object | error={"message"
SGLang's flat error | object="error"
invalid JSON | nonsense
error with empty choices is no usage | choices=[], error=
error behind the finish | error="late"
@ dialects/pairs/gemini_openai/test_reply.py::test_the_end_of_a_node_without_done
end behind the finish without [DONE] | STOP
@ dialects/pairs/gemini_openai/test_reply.py::test_text_in_the_finish_chunk_goes_out_with_the_finish
text or call in the finish chunk | tool_calls
@ dialects/openai/test_chunks.py::test_calls_are_bounded
calls without end | MAX_HELD_BYTES
@ dialects/pairs/gemini_openai/test_reply.py::test_usage
usage in the finish chunk, or never | ([DONE], None)
@ dialects/pairs/test_gemini_recorded.py::test_every_split_gives_the_same
several events a read, one event over two | range(len(body))
@ wire/test_headers.py::test_not_to_client
CORS headers of nodes | access-control
"""

ENGINES = """
@ engines/test_vllm.py::STREAM
vLLM: role and empty content first, reasoning, stop with calls | choice("stop", tool_calls
@ engines/test_sglang.py::STREAM
SGLang: reasoning_content, events of its own | sglext_cached_tokens
@ engines/test_llama_server.py::STREAM
llama-server: null content, comments, timings | timings=
@ engines/test_ollama.py::STREAM
Ollama: whole calls, role in each delta | role="assistant", content="a"
@ engines/test_tgi.py::STREAM
TGI: ids "0", arguments as an object, usage without id | "arguments": {"y": 1}
@ engines/test_vllm.py::FAILS
error in the stream of vLLM | event(error
@ engines/test_sglang.py::FAILS
error in the stream of SGLang | event(error
@ engines/test_llama_server.py::FAILS
error in the stream of llama-server, without [DONE] | event(error
@ engines/test_ollama.py::FAILS
error in the stream of Ollama: an empty chunk, then the end | choice(
@ engines/test_tgi.py::FAILS
error in the stream of TGI: a text | event(error
@ engines/test_profile.py::test_finish_words_of_one_engine_alone
finish words of vLLM | "repetition"
finish words of SGLang | "content_filter"
finish words of TGI | "eos_token"
@ dialects/pairs/anthropic_openai/test_reply.py::test_stop_strings
matched stop of vLLM | stop_reason
matched stop of SGLang | matched_stop
@ wire/test_sse.py::test_whole_and_byte_by_byte
line ends
@ e2e/test_translated_errors.py::test_a_node_of_another_protocol_is_mapped
error before the first byte | 503
"""

WIRE = """
@ wire/test_sse.py::test_frames_decode_to_themselves
frame of an event stream
@ dialects/reading.py::frames
frames as Google's and nothing else | \\r\\n\\r\\n
@ dialects/pairs/gemini_openai/test_reply.py::test_content_types
content types | text/event-stream
@ dialects/pairs/gemini_openai/test_reply.py::test_array_is_framed_as_googles
array mode | }\\n,\\r\\n{
@ wire/test_jsonarray.py::test_the_layout_is_googles
array borders | ArrayWriter
@ e2e/test_translated_google_generativeai.py::test_refusals
errors before an array, as the old SDK reads them | stream=stream
@ dialects/pairs/gemini_openai/test_reply.py::test_the_last_text_is_kept_for_the_finish
clients that lose a turn without text | genai-js
@ server/test_heartbeat_sdks.py::test_every_sdk_reads_the_whole_answer
signs of life that every SDK bears
@ dialects/pairs/gemini_openai/test_reply.py::test_beats_are_invisible
signs of life inside an open frame or array | keepalive()
@ dialects/pairs/gemini_openai/test_reply.py::test_an_error_fits_the_place_in_an_event_stream
error first, framed | ENVELOPE
@ dialects/pairs/gemini_openai/test_reply.py::test_an_error_fits_the_place_in_an_array
error as an element | ENVELOPE
@ e2e/test_translated_broken.py::test_an_event_stream_ends_in_an_error_and_early
error frame, then no last chunk
@ e2e/test_translated_broken.py::test_an_array_gets_an_error_element_and_no_end
error element, no bracket
@ e2e/test_translated_broken.py::test_google_genai
google-genai notices
@ e2e/test_translated_broken.py::test_google_genai_async
google-genai notices, async
@ e2e/test_translated_broken.py::test_google_generativeai
google-generativeai notices
@ e2e/test_translated_broken.py::test_one_body_is_a_plain_error
before the first byte: the real status
@ surfaces/test_envelopes.py::test_gemini_frame
error is the first key
"""

WORKED = """
@ dialects/pairs/gemini_openai/test_reply.py::test_thoughts_not_asked_for_are_counted_only
worked stream A without thoughts | THINKING
@ dialects/pairs/gemini_openai/test_reply.py::test_text_with_thoughts
worked stream A | THINKING
@ dialects/pairs/gemini_openai/test_reply.py::test_parallel_calls_come_whole_in_the_last_chunk
worked stream B | PARALLEL
@ dialects/pairs/gemini_openai/test_reply.py::test_no_half_call_is_shown
worked stream B cut | PARALLEL[:4]
worked stream B cut by length | finish="length"
"""

LEFT_OUT = {
    "candidates[].tokenCount": "usageMetadata tells it, and nodes tell one sum for all choices",
    "safetyRatings, citationMetadata, groundings": "no node has any",
    "promptFeedback": "only for a prompt that the proxy blocks, and it blocks none",
    "createTime, modelStatus, trafficType": "Vertex or Google's own; no SDK reads them",
    "toolUsePromptTokenCount, promptTokensDetails": "no node tells them",
    "usage in chunks before the last": "clients keep the last numbers, and nodes tell them once",
    "finishMessage beside calls": "optional text of Google's own",
    "NaN and infinite log probabilities": "no JSON, so the node's event is an error, see the rows"
    " on broken streams",
    "Content-Disposition, nosniff, Vary of Google's frontend": "no SDK looks at them",
    "a stream of one chunk with promptFeedback, or without content": "a node never says so",
    "errors before an array inside one": "google-generativeai, the client that asks for arrays,"
    " loses the message then, and its plain calls die of it (measured); the error stands alone",
    "function calls before the last chunk": "an option; SDKs expect them together with the finish",
    "a filler chunk without candidates": "the spaces inside an open frame serve all SDKs",
    "SDKs of Node.js": "not among what the tests install; their habits were measured once and are"
    " kept by the framing that is tested",
}


@table("row", rows_of(FIELDS, UNARY, FINISH, USAGE, STREAM, ENGINES, WIRE, WORKED))
def test_a_row_has_its_test(row: Row) -> None:
    check(row)


@table("row", LEFT_OUT)
def test_a_row_without_a_test_says_why(row: str) -> None:
    assert LEFT_OUT[row].strip()
