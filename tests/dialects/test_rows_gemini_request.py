"""Every row of a Gemini request for an OpenAI node, and the test that proves it."""

from __future__ import annotations

from tests.dialects.proofs import Row, check, rows_of
from tests.fixtures.table import table

BASICS = """
@ surfaces/test_paths.py::test_post
method generateContent | generateContent
method streamGenerateContent | streamGenerateContent
method countTokens | countTokens
method embedContent | embedContent
method batchEmbedContents | batchEmbedContents
resource tunedModels | tunedModels
version v1 | /v1/models/
version v1beta | v1beta
model with slashes, cut at the last colon | /v1beta/google/g:
colon as %3A | %3A
@ surfaces/test_paths.py::test_get
model resource | v1beta/models/
@ auth/test_credentials.py::test_precedence_whatever_the_order
credential: which of four | x-goog-api-key
@ surfaces/test_gemini_paths.py::test_framing
framing alt=sse | alt=sse
framing by Accept | Text/Event-Stream
framing $alt of the old SDK | %24alt
framing array otherwise | JSON_ARRAY
@ dialects/pairs/test_gemini_clients.py::test_all_spellings_of_one_request
enums as numbers | "mode": 2
enums in any case | "any"
field names in both spellings | system_instruction
a single value for a list | {"parts": {"text": "Be brief"}}
base64 in the URL-safe alphabet | iVBOR__-
float for an integer | 40.0
integers as text | "topK": "40"
@ dialects/schema/test_gemini.py::test_conversion
int64 as text in a schema | "minItems": "1"
@ dialects/pairs/gemini_openai/test_request.py::test_what_means_nothing_to_a_node_is_left_out
null is absent | "generation_config": None
@ dialects/pairs/gemini_openai/test_request.py::test_unknown_fields
unknown name in Google's words | Cannot find field
stream in a generateContent body | "stream"
@ dialects/pairs/test_gemini_clients.py::test_what_sdks_send_is_taken
what each SDK really sends | captured()
"""

TOP_LEVEL = """
@ dialects/pairs/gemini_openai/test_request.py::test_what_means_nothing_to_a_node_is_left_out
top: model | "model"
top: safetySettings | safetySettings
top: labels | labels
top: serviceTier | serviceTier
top: store false | "store": False
top: tools empty | "tools": []
top: Tool object without anything | "tools": [{}]
@ dialects/pairs/gemini_openai/test_request.py::test_nothing_to_answer
top: contents empty | "contents": []
@ dialects/pairs/gemini_openai/test_request.py::test_system_instruction
top: systemInstruction joined, its role ignored | Be kind.\\nBe brief.
top: systemInstruction that is no text | "systemInstruction": picture
@ dialects/pairs/gemini_openai/test_request.py::test_declarations_of_all_tools_become_one_list
top: tools | "tools"
@ dialects/pairs/gemini_openai/test_request.py::test_mode_any_with_one_name
top: toolConfig | allowedFunctionNames
@ dialects/pairs/gemini_openai/test_request.py::test_config
top: generationConfig | with_config
@ dialects/pairs/gemini_openai/test_request.py::test_what_lives_at_google_is_refused
top: cachedContent | "cachedContent"
top: continuationToken | continuationToken
@ dialects/pairs/gemini_openai/test_request.py::test_storing_is_left_out_with_a_warning
top: store true | "store": True
@ dialects/pairs/gemini_openai/test_request.py::test_unknown_fields
top: automaticFunctionCalling | automaticFunctionCalling
top: httpOptions | httpOptions
"""

CONTENTS = """
@ dialects/pairs/gemini_openai/test_request.py::test_neighbours_of_one_role_are_one_message
role user or absent | "parts": [{"text": "a"}
role model | "model"
neighbours of one role | "fg"
several text parts, no separator | "abc"
text with thought in the history | "thought": True
@ dialects/pairs/gemini_openai/test_request.py::test_results_in_several_contents_and_in_the_old_role
role function | role="function"
@ dialects/pairs/gemini_openai/test_request.py::test_other_roles
role system | "system"
any other role | valid role: user, model
@ dialects/pairs/gemini_openai/test_request.py::test_a_conversation_may_begin_with_the_model
model first | "assistant", "user"
@ planning/test_translation.py::test_a_system_message_stands_where_the_template_takes_one
template without a system role | "gemma": ["user"]
@ dialects/pairs/gemini_openai/test_request.py::test_the_least_request_adds_nothing_but_the_stream
one text part is a plain string | BARE
@ dialects/pairs/gemini_openai/test_request.py::test_images_keep_their_place_and_get_plain_base64
text and media in order | "text": "b"
base64 made standard | urlsafe_b64encode
inlineData.displayName | displayName
@ dialects/pairs/gemini_openai/test_request.py::test_nothing_to_answer
empty parts | "parts": []
part without a data field | "parts": [{}]
@ dialects/pairs/gemini_openai/test_request.py::test_what_stands_beside_a_text_is_left_out
thoughtSignature | thoughtSignature
partMetadata | partMetadata
speechMetadata | speechMetadata
documentMetadata | documentMetadata
spreadsheetMetadata | spreadsheetMetadata
audioMetadata | audioMetadata
videoMetadata beside no video | videoMetadata
@ dialects/pairs/gemini_openai/test_request.py::test_which_engine_takes_which_media
image/png | image/png
image/jpeg | image/jpeg
image/webp | image/webp
image/gif | image/gif
audio/wav | audio/wav
audio/x-wav | audio/x-wav
audio/mpeg | audio/mpeg
video | video/mp4
application/pdf | application/pdf
@ dialects/pairs/gemini_openai/test_request.py::test_audio_and_video_parts
audio/mp3 | audio/mp3
video_url and input_video | input_video
@ dialects/pairs/gemini_openai/test_request.py::test_inline_text_is_text
inlineData text | text/csv
inlineData json | application/json
@ dialects/pairs/gemini_openai/test_request.py::test_parts_that_are_refused
fileData | fileUri
executableCode | executableCode
codeExecutionResult | codeExecutionResult
toolCall | toolCall
toolResponse | toolResponse
videoMetadata on a video | startOffset
audioTranscription alone | audioTranscription
mediaProcessing alone | mediaProcessing
other inlineData | image/heic
@ dialects/pairs/gemini_openai/test_request.py::test_a_call_and_its_result
functionCall | tool_calls
functionResponse | tool_call_id
a turn with text and calls | Wait.
@ dialects/pairs/gemini_openai/test_request.py::test_what_is_left_out_of_calls
functionCall without args | "arguments": "{}"
functionCall.partialArgs | partialArgs
functionResponse.scheduling | scheduling
@ dialects/pairs/gemini_openai/test_request.py::test_pieces_and_files_in_calls_are_refused
functionCall.willContinue | "functionCall.willContinue"
functionResponse.willContinue | "functionResponse.willContinue"
functionResponse.parts with a file | "functionResponse.parts[0].fileData"
@ dialects/pairs/gemini_openai/test_request.py::test_media_in_a_result_follow_as_the_users
functionResponse.parts | image/png
@ dialects/pairs/gemini_openai/test_request.py::test_results_come_before_the_rest_of_their_turn
results before text and media | "user", "assistant", "tool", "user"
@ dialects/pairs/gemini_openai/test_request.py::test_media_resolution
part mediaResolution | ULTRA_HIGH
@ dialects/pairs/gemini_openai/test_request.py::test_contents_of_the_wrong_shape
two data fields in a part | "text": "x", "inlineData"
@ dialects/pairs/gemini_openai/test_request.py::test_calls_without_text
calls alone: null, or empty for TGI | (TGI, "")
"""

IDS = """
@ dialects/pairs/gemini_openai/test_request.py::pairs
ids: nine letters and digits | len(call["id"]) == 9
ids: a fresh one for each call | not in asked
@ dialects/pairs/gemini_openai/test_request.py::test_pairing_by_id_in_any_order
ids: paired by id | ("b", "b"), ("a", "a")
@ dialects/pairs/gemini_openai/test_request.py::test_pairing_by_name_first_in_first_out
ids: else first in first out by name | ("-1", "-y")
@ dialects/pairs/gemini_openai/test_request.py::test_a_result_without_a_call
ids: a result of nothing | .functionResponse
@ dialects/pairs/gemini_openai/test_request.py::test_a_call_without_a_result_is_left_to_the_node
ids: a call without result | ("b", "b")
@ dialects/pairs/gemini_openai/test_request.py::test_a_call_and_its_result
ids: the client's never go out | "call00001"
@ dialects/pairs/gemini_openai/test_reply.py::test_parallel_calls_come_whole_in_the_last_chunk
ids: the node's go to the client | {"x": 1}, "a"
@ dialects/pairs/gemini_openai/test_reply.py::test_a_missing_id_is_made_up
ids: made up only where missing | r1-0
"""

TOOLS = """
@ dialects/pairs/gemini_openai/test_request.py::test_declarations_of_all_tools_become_one_list
tools: functionDeclarations flattened | "function_declarations"
tools: parameters | "type": 6
tools: parametersJsonSchema | parameters_json_schema
tools: neither | "parametersJsonSchema": {}
tools: response | "response"
tools: responseJsonSchema | "responseJsonSchema"
tools: behavior | NON_BLOCKING
@ dialects/pairs/gemini_openai/test_request.py::test_names_that_only_google_takes_are_changed
tools: name | "a:b"
@ dialects/pairs/gemini_openai/test_request.py::test_wrong_declarations
tools: duplicate names | {"name": "f"}, {"name": "f"}
tools: both schemas | "parametersJsonSchema": {}
@ dialects/pairs/gemini_openai/test_request.py::test_what_means_nothing_to_a_node_is_left_out
tools: nothing to declare | "functionDeclarations": []
@ dialects/pairs/gemini_openai/test_request.py::test_googles_own_tools_are_refused_even_when_empty
tools: googleSearch | "googleSearch"
tools: googleSearchRetrieval | "googleSearchRetrieval"
tools: codeExecution | "codeExecution"
tools: urlContext | "urlContext"
tools: computerUse | "computerUse"
tools: fileSearch | "fileSearch"
tools: googleMaps | "googleMaps"
tools: mcpServers | "mcpServers"
tools: retrieval | "retrieval"
tools: enterpriseWebSearch | "enterpriseWebSearch"
tools: parallelAiSearch | "parallelAiSearch"
tools: exaAiSearch | "exaAiSearch"
tools: an empty object is on | {name: {}}
@ dialects/pairs/gemini_openai/test_request.py::test_mode_auto
mode unspecified | MODE_UNSPECIFIED
mode AUTO | "AUTO"
@ dialects/pairs/gemini_openai/test_request.py::test_mode_any
mode ANY without names | "required"
@ dialects/pairs/gemini_openai/test_request.py::test_mode_any_with_one_name
mode ANY with one name | "function": {"name": "g"}
mode ANY with one name on llama-server | LLAMA
mode ANY on Ollama | OLLAMA
@ dialects/pairs/gemini_openai/test_request.py::test_mode_any_with_several_names_filters
mode ANY with several names | ["h", "f"]
@ dialects/pairs/gemini_openai/test_request.py::test_mode_none_drops_the_tools
mode NONE | BARE
@ dialects/pairs/gemini_openai/test_request.py::test_mode_validated
mode VALIDATED | "strict"
@ dialects/pairs/gemini_openai/test_request.py::test_wrong_modes
names with AUTO or NONE | "mode": "AUTO", "allowedFunctionNames"
a name that is not declared | "f", "z"
@ dialects/pairs/gemini_openai/test_request.py::test_ignored_calling_options
streamFunctionCallArguments | streamFunctionCallArguments
@ dialects/pairs/gemini_openai/test_request.py::test_what_means_nothing_to_a_node_is_left_out
retrievalConfig | retrievalConfig
includeServerSideToolInvocations | includeServerSideToolInvocations
@ engines/test_profile.py::test_what_is_sent_to_whom
choice per node: auto | tool_choice auto
choice per node: none | tool_choice none
choice per node: required | tool_choice required
choice per node: named | tool_choice named
"""

CONFIG = """
@ dialects/pairs/gemini_openai/test_request.py::test_config
temperature | "temperature": 0
topP | "topP"
topK | "topK": 40.0
candidateCount 1 | "candidateCount": 1
maxOutputTokens | maxOutputTokens
stopSequences | stopSequences
seed | "seed"
presencePenalty, frequencyPenalty | presencePenalty
responseLogprobs | responseLogprobs
logprobs | "logprobs": 5
responseMimeType text/plain | text/plain
responseModalities TEXT | ["TEXT"]
imageConfig with TEXT only | imageConfig
mediaResolution | mediaResolution
enableEnhancedCivicAnswers | enableEnhancedCivicAnswers
@ dialects/pairs/gemini_openai/test_request.py::test_config_that_google_would_refuse
temperature out of range | 2.1
topP out of range | 1.1
candidateCount out of range | "candidateCount": 9
a sixth stop | list("abcdef")
seed beyond int32 | 2**31
penalties out of range | "presencePenalty": 3
logprobs without responseLogprobs | {"logprobs": 3}
logprobs beyond 20 | "logprobs": 21
other mime types | image/png
responseSchema without a mime type | "responseSchema": {"type": "STRING"}
responseJsonSchema without a mime type | "responseJsonSchema"
level and budget at once | "thinkingBudget": 1, "thinkingLevel"
modelSelectionConfig | modelSelectionConfig
modelArmorConfig | modelArmorConfig
generationOutputConfig | generationOutputConfig
@ dialects/pairs/gemini_openai/test_request.py::test_unknown_fields_deep_down_are_all_named
routingConfig | routingConfig
unknown key | top_kk
@ dialects/pairs/gemini_openai/test_request.py::test_config_that_is_refused
speechConfig | speechConfig
imageConfig | imageConfig
audioTranscriptionConfig | audioTranscriptionConfig
audioTimestamp | audioTimestamp
responseModalities AUDIO or IMAGE | ["AUDIO"]
@ engines/test_profile.py::test_what_is_sent_to_whom
candidateCount above 1 | "n"
a fifth stop | five stops
top_k and its takers | top_k
topP 0 and 1 | top_p of zero
logprobs on TGI | top_logprobs
logprobs and tools on llama-server | logprobs beside tools
format and tools | format and tools
@ dialects/pairs/gemini_openai/test_request.py::test_json_without_a_schema
JSON without schema | json_object
@ dialects/pairs/gemini_openai/test_request.py::test_json_with_a_schema
JSON with schema | json_schema
responseSchema | "responseSchema"
responseJsonSchema | "responseJsonSchema"
_responseJsonSchema | "_responseJsonSchema"
@ dialects/pairs/gemini_openai/test_request.py::test_strict_only_where_it_is_needed_and_fits
strict only where it fits | "strict"
@ dialects/pairs/gemini_openai/test_request.py::test_enum_replies_are_refused
responseMimeType text/x.enum | text/x.enum
@ dialects/pairs/gemini_openai/test_request.py::test_one_schema_only
two schemas | responseJsonSchema
@ dialects/pairs/gemini_openai/test_request.py::test_a_format_and_tools_at_once
combinations: TGI, SGLang, vLLM, llama-server | SGLANG, VLLM
@ e2e/test_translated_google_genai.py::test_a_list_at_the_root
a root that is no object
"""

THINKING = """
@ dialects/pairs/gemini_openai/test_request.py::test_thinking
includeThoughts | includeThoughts
budget 0 | {"thinkingBudget": 0}, VLLM
budget -1 | {"thinkingBudget": -1}
budget N on vLLM | thinking_token_budget
budget N on llama-server | thinking_budget_tokens
budget N on SGLang | {"thinkingBudget": 512}, SGLANG
budget N on Ollama | {"thinkingBudget": 8192}, OLLAMA
budget on TGI | {"thinkingBudget": 100}, TGI
level | {"thinkingLevel": "XHIGH"}
@ dialects/pairs/gemini_openai/test_request.py::test_thinking_that_cannot_be_set_is_told
what TGI cannot be told | thinkingLevel
@ dialects/pairs/gemini_openai/test_reply.py::test_thoughts_not_asked_for_are_counted_only
thoughts not wanted are counted | candidatesTokenCount
@ engines/test_profile.py::test_effort_of_a_budget
buckets | 24576
@ e2e/test_translated_google_genai.py::test_a_thinking_budget_of_none_switches_it_off
budget 0 on a real node
"""

ENGINES = """
@ engines/test_profile.py::test_what_is_sent_to_whom
takes: top_k | "top_k"
takes: max_completion_tokens | "max_completion_tokens"
takes: n | "n"
takes: stop | stop is a list
takes: seed | "seed"
takes: chat_template_kwargs | "chat_template_kwargs"
takes: reasoning_effort | effort for a level
takes: thinking budget | thinking_token_budget
takes: json_object | response_format json_object
takes: tools, tool_choice | tool_choice required
takes: logprobs | top_logprobs
takes: include_usage | include_usage
@ engines/test_profile.py::test_what_is_never_sent
takes: hide reasoning | separate_reasoning
takes: guided_json and friends | guided_
takes: logit_bias, user | logit_bias
@ engines/test_profile.py::test_one_call_at_a_time
takes: parallel_tool_calls | parallel_tool_calls
@ dialects/pairs/gemini_openai/test_request.py::test_json_with_a_schema
takes: json_schema | FORMATTING
@ dialects/pairs/gemini_openai/test_reply.py::test_usage
tells: cached tokens | cached_tokens
tells: reasoning tokens | completion_tokens_details
tells: SGLang's reasoning tokens | reasoning_tokens=3, completion_tokens_details=None
@ dialects/pairs/gemini_openai/test_reply.py::test_both_names_of_reasoning
tells: reasoning by either name | "reasoning", "reasoning_content"
@ catalog/test_names.py::test_not_found
unknown model name | NotFound
@ dialects/pairs/gemini_openai/test_request.py::test_formats_that_break_a_grammar_are_dropped
formats that a grammar cannot follow | hostname
"""

OWN = """
@ dialects/pairs/gemini_openai/test_request.py::test_the_least_request_adds_nothing_but_the_stream
adds: stream and include_usage, nothing else | include_usage
@ planning/test_translation.py::test_what_stands_before_a_node_hears_what_google_would
adds: Content-Type | application/json
adds: Accept-Encoding identity | identity
@ engines/test_profile.py::test_what_is_never_sent
adds: no user | "user"
@ planning/test_plan.py::test_a_body_is_the_clients_own_when_the_name_stays
order: a node that speaks the protocol judges by itself | sent == body
@ dialects/pairs/gemini_openai/test_request.py::test_faults_come_before_refusals
order: faults before features | temperature
@ dialects/pairs/gemini_openai/test_request.py::test_an_invalid_schema_names_every_place
order: schemas next, by their code | invalid_response_format_schema
@ dialects/pairs/gemini_openai/test_request.py::test_everything_in_the_way_is_named_at_once
order: every path at once | cachedContent
@ e2e/test_translated_examples.py::test_a_refused_request_leaves_no_trace_at_any_node
order: a refusal touches no node | node.connections == []
"""

#: Rows without a test, and why.
LEFT_OUT = {
    "thoughts in the history as reasoning of the assistant": "dropped by default, as Google does;"
    " only Anthropic's clients are meant to send thinking back",
    "fileData by an allowlist of hosts": "the node would fetch it from inside the operator's"
    " network; every fileData is refused, which is tested",
    "refusing calls without a result": "an option that nobody asked for; the node decides",
    "text/x.enum by grammar": "refused, which is tested: no engine answers with the bare value"
    " in a way that all share",
    "n beyond llama-server's slots": "only the node knows its slots; its 400 is passed on",
    "tool parser missing on vLLM and SGLang": "only the node knows; its 400 is told in our words,"
    " see the errors",
    "unknown keys towards a node": "none are sent: the body is made from known fields alone",
    "vLLM's grammar and multipleOf, uniqueItems, contains": "dropping them would loosen what the"
    " client asked for; the node's 400 is passed on",
    "min_p": "no field of Gemini's leads to it",
    "tool names beyond Google's own rules": "local nodes check nothing; strict ones get names made"
    " to fit, which is tested",
    "Ollama's own sampling defaults": "the request stays without what the client left out; a"
    " Modelfile's values are Ollama's affair",
    "enum names of safetySettings": "ignored whole, so a wrong name harms nothing",
}


@table("row", rows_of(BASICS, TOP_LEVEL, CONTENTS, IDS, TOOLS, CONFIG, THINKING, ENGINES, OWN))
def test_a_row_has_its_test(row: Row) -> None:
    check(row)


@table("row", LEFT_OUT)
def test_a_row_without_a_test_says_why(row: str) -> None:
    assert LEFT_OUT[row].strip()
