"""Every row about embeddings, counts of tokens and lists of models, and the test that proves it."""

from __future__ import annotations

from tests.dialects.proofs import Row, check, rows_of
from tests.fixtures.table import table

EMBEDDINGS = """
@ dialects/pairs/gemini_openai/test_embeddings.py::test_one
embedContent | "input"
encoding_format float | encoding_format
@ dialects/pairs/gemini_openai/test_embedding_reply.py::test_many
batchEmbedContents in order | "embeddings"
@ dialects/pairs/gemini_openai/test_embeddings.py::test_wrong_batches
each model is the path's
@ dialects/pairs/gemini_openai/test_embeddings.py::test_parts_make_one_text
several parts are one text
@ dialects/pairs/gemini_openai/test_embeddings.py::test_refused
parts that are no text | inlineData
@ dialects/pairs/gemini_openai/test_embeddings.py::test_dimensions
outputDimensionality
sizes that differ in a batch | "requests[2].outputDimensionality"
@ dialects/pairs/gemini_openai/test_embeddings.py::test_wrong_requests
autoTruncate and the rest of Vertex's | autoTruncate
@ dialects/pairs/gemini_openai/test_embedding_reply.py::test_vectors_in_base64_are_read
vectors in base64
@ dialects/pairs/gemini_openai/test_embedding_reply.py::test_vectors_are_put_in_order
data by index
@ dialects/pairs/gemini_openai/test_embedding_reply.py::test_recorded
vLLM, llama-server and Ollama | llama-server.embeddings
@ dialects/pairs/gemini_openai/test_embedding_reply.py::test_a_node_without_embeddings
SGLang without embeddings | sglang-0.5.23.embeddings
@ dialects/node_errors/test_mapping.py::test_status
llama-server without --embeddings (501) | (501, 501, 400, 501)
@ e2e/test_translated_google_genai.py::test_embed_one_and_many
google-genai on a real node
@ e2e/test_translated_google_generativeai.py::test_embed_one_and_many
google-generativeai on a real node
"""

COUNTS = """
@ dialects/gemini/test_counts.py::test_wrong_requests
contents and generateContentRequest at once, or neither | generateContentRequest
@ dialects/gemini/test_counts.py::test_the_form_with_a_whole_request_inside
the old SDK's form | "model": "models/gemma2:9b"
@ dialects/gemini/test_counts.py::test_the_nodes_own_tokenizer
count: vLLM | VLLM, "/tokenize"
count: SGLang | SGLANG, "/tokenize"
count: llama-server | input_tokens
count: TGI | /chat_tokenize
@ dialects/gemini/test_counts.py::test_estimates
count: Ollama, an estimate that says so | OLLAMA
@ dialects/gemini/test_counts.py::test_media_are_left_out_and_that_is_told
count: media | text-only
@ dialects/gemini/test_counts.py::test_recorded_counts
count: recorded | sglang-0.5.23.tokenize-chat
@ dialects/test_recordings.py::test_every_recorded_count_is_a_number
count: every recorded form
@ e2e/test_translated_google_genai.py::test_token_counts_are_the_nodes
count: google-genai on a real node | count_tokens
@ e2e/test_translated_google_generativeai.py::test_token_counts_are_the_nodes
count: google-generativeai on a real node | count_tokens
@ e2e/test_translated_anthropic.py::test_token_counts_are_the_nodes
count: anthropic on a real node | count_tokens
"""

MODELS = """
@ surfaces/test_gemini.py::test_pages_make_the_list
models: Gemini's paging | pageToken
@ surfaces/test_gemini.py::test_short_list_has_no_token
models: no nextPageToken at the end | {"models"}
@ surfaces/test_gemini.py::test_page_size
models: pageSize | pageSize
@ surfaces/test_anthropic.py::test_pages
models: Anthropic's paging | after_id
@ surfaces/test_anthropic.py::test_model
models: Anthropic's item | created_at
@ surfaces/test_openai.py::test_a_list
models: OpenAI's list | "list"
@ surfaces/test_paths.py::test_bare_models_by_headers
models: the shared /v1/models by headers
@ catalog/test_names.py::test_not_found
models: missing | NotFound
@ surfaces/test_gemini.py::test_model
model: name | "name"
model: baseModelId | baseModelId
model: version | "version"
model: displayName | displayName
model: inputTokenLimit | inputTokenLimit
model: outputTokenLimit | outputTokenLimit
model: supportedGenerationMethods | embedContent
model: thinking | thinking
@ engines/test_ollama.py::test_which_of_ollama_s_models_think
model: thinking, as Ollama tells it | capabilities
@ upstream/test_detection.py::test_vllm
metadata: vLLM | Detected(VLLM
@ upstream/test_detection.py::test_sglang_is_not_taken_for_ollama
metadata: SGLang | Detected(SGLANG
@ upstream/test_detection.py::test_llama_server
metadata: llama-server | Detected(LLAMA_SERVER
@ engines/test_ollama.py::test_a_loaded_model_runs_with_the_context_it_was_loaded_with
metadata: Ollama's served context
@ engines/test_tgi.py::test_tgi_s_limits
metadata: TGI
@ catalog/test_names.py::test_resolve
names: gemma2 is gemma2:latest, models/ stripped
"""

LEFT_OUT = {
    "taskType and title": "OpenAI's API has no such field; a prefix is the application's affair",
    "cutting vectors of Matryoshka models": "needs a list of such models; refused on llama-server",
    "splitting a batch by size": "one request is one call to a node; sizes that differ are refused",
    "usageMetadata of embeddings": "the message has no such field in v1beta",
    "at most 100 requests in a batch": "Google's limit, not a node's",
    "OpenAI's embedding clients on Gemini nodes": "no pair of this gateway",
    "/apply-template and /tokenize of llama-server": "the second way; its first one is there since"
    " the builds that this gateway names",
    "501 instead of an estimate": "an option that nobody asked for; the header tells an estimate",
    "counting by a generate call on Ollama": "costs a prefill",
    "topK, temperature, topP of a model": "absent means that they are not told, which is true",
    "description of a model": "nodes tell none",
}


@table("row", rows_of(EMBEDDINGS, COUNTS, MODELS))
def test_a_row_has_its_test(row: Row) -> None:
    check(row)


@table("row", LEFT_OUT)
def test_a_row_without_a_test_says_why(row: str) -> None:
    assert LEFT_OUT[row].strip()
