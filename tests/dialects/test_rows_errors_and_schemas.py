"""Every row about errors and about schemas, and the test that proves it."""

from __future__ import annotations

from tests.dialects.proofs import Row, check, rows_of
from tests.fixtures.table import table

GOOGLE = """
@ surfaces/test_envelopes.py::test_status_and_type
INVALID_ARGUMENT | (400, "INVALID_ARGUMENT")
UNAUTHENTICATED | UNAUTHENTICATED
PERMISSION_DENIED | PERMISSION_DENIED
NOT_FOUND | NOT_FOUND
ABORTED | ABORTED
RESOURCE_EXHAUSTED | RESOURCE_EXHAUSTED
CANCELLED | CANCELLED
INTERNAL | INTERNAL
UNIMPLEMENTED | UNIMPLEMENTED
UNAVAILABLE | UNAVAILABLE
DEADLINE_EXCEEDED | DEADLINE_EXCEEDED
code equals the status line | shown["code"] == reply.status
invalid_request_error | invalid_request_error
authentication_error | authentication_error
permission_error | permission_error
not_found_error | not_found_error
conflict_error | conflict_error
request_too_large | request_too_large
rate_limit_error | rate_limit_error
api_error | api_error
timeout_error | timeout_error
overloaded_error | overloaded_error
server_error | server_error
Anthropic's envelope | "request_id"
OpenAI's envelope | "param", "code"
@ surfaces/test_envelopes.py::test_gemini_details
BadRequest | fieldViolations
ErrorInfo, reason in upper case | UNSUPPORTED_GEMINI_FEATURE
RetryInfo | retryDelay
@ surfaces/test_envelopes.py::test_headers
Retry-After | retry-after
request-id | request-id
@ surfaces/test_envelopes.py::test_openai_param_and_code
codes of OpenAI's | invalid_api_key
@ dialects/pairs/gemini_openai/test_request.py::test_unknown_fields
unknown name in Google's words | Cannot find field
@ dialects/pairs/gemini_openai/test_request.py::test_an_invalid_schema_names_every_place
schema faults name path and index | property is not defined
@ dialects/pairs/gemini_openai/test_request.py::test_a_refusal_says_what_and_why
the refusal's message | unsupported_gemini_feature:
@ e2e/test_translated_examples.py::test_a_refused_request_leaves_no_trace_at_any_node
the refusal's details | fieldViolations
"""

NODES = """
@ dialects/node_errors/test_mapping.py::test_where_a_reason_stands
words of vLLM and llama-server | {"error": {"message"
words of SGLang, at the top | "object": "error"
words of TGI and Ollama's own API | {"error": "why"}
words of FastAPI | "detail": [
words in plain text | b"why"
@ dialects/node_errors/test_mapping.py::test_places_are_cut_out_of_a_reason
addresses are cut out | 10.0.0.7
@ dialects/node_errors/test_mapping.py::test_a_long_reason_is_cut
the cap | MAX_REASON
@ dialects/node_errors/test_mapping.py::test_without_a_reason_there_is_still_an_answer
HTML | <html
@ dialects/node_errors/test_mapping.py::test_recorded_errors
image to a text model (500) is the client's | llama-server.error-image
missing messages (500) is the client's | llama-server.messages-error-empty
loading | llama-server.loading
the node's key | llama-server.error-key
"""

STATUSES = """
@ dialects/node_errors/test_mapping.py::test_status
node says 400 | (400, 400, 400, 400)
node says 405 | (405, 400, 400, 400)
node says 415 | (415, 400, 400, 400)
node says 422 | (422, 400, 400, 400)
node says 401 | (401, 500, 500, 500)
node says 403 | (403, 500, 500, 500)
node says 404 | (404, 404, 404, 404)
node says 408 | (408, 504, 504, 504)
node says 409 | (409, 409, 409, 409)
node says 413 | (413, 400, 413, 413)
node says 424 | (424, 500, 500, 500)
node says 429 | (429, 429, 429, 429)
node says 500 | (500, 500, 500, 500)
node says 501 | (501, 501, 400, 501)
node says 502 | (502, 503, 529, 503)
node says 503 | (503, 503, 529, 503)
node says 504 | (504, 504, 504, 504)
node says 529 | (529, 503, 529, 503)
@ dialects/node_errors/test_mapping.py::test_a_long_prompt_in_the_words_of_each_surface
context too long, llama-server and SGLang | sglang-0.5.23.error-context
context too long, in Anthropic's words | prompt is too long
context too long, OpenAI's code | context_length_exceeded
@ dialects/node_errors/test_mapping.py::test_other_words_for_a_long_prompt
context too long, vLLM | maximum context length
context too long, TGI | must have less than
@ dialects/node_errors/test_mapping.py::test_retry_after
429 with the node's own pause | retry_after == 7
503 with a pause of ours | fault(503).retry_after == 3
@ dialects/pairs/gemini_openai/test_reply.py::test_a_body_that_is_no_completion
a reply that is no JSON or has no choices | b"{}"
@ server/test_app.py::test_nobody_listens
connection refused | 502
@ server/test_app.py::test_a_node_that_never_answers_times_out
first byte too late | 504
@ server/test_failover.py::test_another_node_takes_the_same_bytes
another node is tried first | answering(529)
another node for a 404 | answering(404)
@ e2e/test_translated_broken.py::test_google_genai
after the first byte: error and abort
@ dialects/pairs/anthropic_openai/test_request.py::test_refusals_are_not_repeated_by_clients
a refusal is never 5xx | 400
"""

CONVERSION = """
@ dialects/schema/test_gemini.py::test_conversion
types in upper case or by number | {"type": 7}
TYPE_UNSPECIFIED | TYPE_UNSPECIFIED
snake_case words | max_items
nullable | "nullable": True
nullable with enum | ["a", None]
nullable with anyOf | {"type": "null"}
int64 words as text | "minLength": "2"
enum of numbers | [1.5, 2]
formats of storage | "double"
formats that stay | date-time
example, title, description, default | "example"
defs and ref | #/defs/a
nothing added | {"type": "OBJECT"}, {"type": "object"}
@ dialects/schema/test_gemini.py::test_property_names_that_look_like_words_are_names
property names are no words | "nullable"
@ dialects/schema/test_gemini.py::test_properties_come_in_the_order_asked_for
propertyOrdering | property_ordering
@ dialects/schema/test_gemini.py::test_faults_of_the_message
oneOf, allOf, const, $ref are unknown names | s?oneOf
1 a schema is an object | "properties": {"a": 7}
2 type known and there | {"type": "STRUCT"}
3 required is in properties | s.required[1]
4 propertyOrdering has known names | propertyOrdering[2]
5 enum | s.enum
6 ARRAY has items | s.items
7 min up to max | s.minimum
8 ref resolves inside | https://example.com
9 pattern | MAX_PATTERN
10 limits | MAX_DEPTH
11 unknown words | s?const
@ dialects/schema/test_checks.py::test_json_schemas_with_faults
1 a JSON Schema is an object | (7, ["s"])
2 types of JSON Schema | "type": "STRING"
3 required of JSON Schema | s.required[3]
5 enum of JSON Schema | s.enum
7 pairs of JSON Schema | minItems
8 $ref and recursion | s.properties.a.$ref
@ dialects/schema/test_checks.py::test_json_schemas_that_pass
11 unknown words of JSON Schema pass | "strange"
recursion through properties that are not required | "next"
@ dialects/schema/test_gemini.py::test_names_that_are_let_in_otherwise
names from anyOf and additionalProperties | additionalProperties
@ dialects/pairs/gemini_openai/test_request.py::test_one_schema_only
1 not both dialects | responseJsonSchema
@ dialects/schema/test_checks.py::test_strict
strict: additionalProperties and required | additionalProperties
strict: root is an object | "array"
@ dialects/schema/test_checks.py::test_strict_is_not_deep
strict: depth | range(11)
@ dialects/pairs/gemini_openai/test_request.py::test_json_with_a_schema
name of a schema | "response"
@ dialects/pairs/gemini_openai/test_request.py::test_strict_only_where_it_is_needed_and_fits
strict never made by rewriting
"""

LEFT_OUT = {
    "ALREADY_EXISTS, FAILED_PRECONDITION, OUT_OF_RANGE, DATA_LOSS": "nothing here comes to them",
    "QuotaFailure, Help, LocalizedMessage, DebugInfo, ResourceInfo": "no SDK needs them, and"
    " DebugInfo must never leak",
    "billing_error": "a node's 402 is our affair, told as 500",
    "503 for a refused connection": "502 with UNAVAILABLE: google-generativeai hammers on at a 503",
    "paths in snake_case": "paths are those of the request as its documentation has them",
    "array without items becomes items: {}": "refused before, as Google does, by check 6",
    "size limits of Google's own grammar": "ours are told apart, see check 10",
    "checking the reply against the schema": "a limit of tokens may cut JSON, as at Google",
    "towards a real Gemini node": "relayed untouched, so never converted",
}


@table("row", rows_of(GOOGLE, NODES, STATUSES, CONVERSION))
def test_a_row_has_its_test(row: Row) -> None:
    check(row)


@table("row", LEFT_OUT)
def test_a_row_without_a_test_says_why(row: str) -> None:
    assert LEFT_OUT[row].strip()
