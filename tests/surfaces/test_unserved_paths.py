"""What a path means that is not served where it was requested."""

from __future__ import annotations

import pytest

from casedesk_proxy.errors import BadRequest, Forbidden, NotFound
from casedesk_proxy.surfaces.paths import guess_surface, read_call
from casedesk_proxy.surfaces.unserved_paths import base_url, owner_of, refuse_administration
from casedesk_proxy.terms import Dialect, RawHeaders
from tests.fixtures.table import table

G, A, OAI, R, OLL = Dialect
NONE: RawHeaders = ()


@table(
    ("path", "told"),
    [
        ("/x", "base URLs are /proxy/DEPLOYMENT/gemini, "),
        ("/healthz", "the admin listener"),
        ("/metrics", "the admin listener"),
        # the surface, the deployment or all left out, or of another service
        ("/proxy/d/v1/messages", "for Anthropic's API the base URL is /proxy/d/anthropic"),
        ("/proxy/d/chat/completions", "for OpenAI's API the base URL is /proxy/d/openai/v1"),
        (
            "/proxy/d/v1beta/models/m:generateContent",
            "the Gemini API the base URL is /proxy/d/gemini",
        ),
        ("/desk/openai/v1/chat/completions", "for OpenAI's API the base URL is /v1"),
        ("/api/v1/chat/completions", "for OpenAI's API the base URL is /v1"),
        ("/llm/v1/messages", "for Anthropic's API the base URL is the host and port alone"),
    ],
)
def test_unclaimed_path_is_told_where_things_are(path: str, told: str) -> None:
    with pytest.raises(NotFound) as caught:
        read_call("POST", path, NONE)
    assert told in caught.value.message


GEMINI_PATH, OPENAI_PATH, MESSAGES_PATH = "models/m:generateContent", "chat/completions", "messages"


@table(
    ("path", "owner", "base"),
    [
        (f"/proxy/d/openai/v1/{GEMINI_PATH}", G, "/proxy/d/gemini"),
        (f"/proxy/d/openai/v1beta/{GEMINI_PATH}", G, "/proxy/d/gemini"),
        ("/proxy/d/openai/v1beta/models/m%3AstreamGenerateContent", G, "/proxy/d/gemini"),
        ("/proxy/d/openai/v1beta/models/m:predict", G, "/proxy/d/gemini"),
        (f"/openai/v1/{GEMINI_PATH}", G, "/"),
        (f"/proxy/d/anthropic/{GEMINI_PATH}", G, "/proxy/d/gemini"),
        (f"/proxy/d/gemini/v1/{OPENAI_PATH}", OAI, "/proxy/d/openai/v1"),
        ("/proxy/d/gemini/v1beta/embeddings", OAI, "/proxy/d/openai/v1"),
        (f"/genai/v1/{OPENAI_PATH}", OAI, "/v1"),
        (f"/v1beta/{OPENAI_PATH}", OAI, "/v1"),
        (f"/proxy/d/anthropic/v1/{OPENAI_PATH}", OAI, "/proxy/d/openai/v1"),
        (f"/proxy/d/gemini/v1/{MESSAGES_PATH}", A, "/proxy/d/anthropic"),
        (f"/proxy/d/openai/v1/{MESSAGES_PATH}/count_tokens", A, "/proxy/d/anthropic"),
        (f"/v1beta/{MESSAGES_PATH}", A, "/"),
    ],
)
@table("method", ["POST", "GET"])
def test_another_surfaces_path(path: str, owner: Dialect, base: str, method: str) -> None:
    """The error has the form of the client that sent the request, whatever its base URL is."""
    if method == "GET" and owner is G:
        return  # on the other surfaces it is the name of a model
    with pytest.raises(NotFound) as caught:
        read_call(method, path, NONE)
    told = "the host and port alone" if base == "/" else base
    assert caught.value.message.endswith(f"; set it to {told}")
    if "predict" not in path:
        assert guess_surface(path, NONE) is owner


@table(
    ("path", "name", "owner"),
    [
        ("/v1/responses/compact", "OpenAI's compaction of a conversation", R),
        ("/v1/threads/t/runs", "OpenAI's Assistants API", OAI),
        ("/v1/assistants", "OpenAI's Assistants API", OAI),
        ("/v1/realtime/sessions", "this part of OpenAI's Realtime API", OAI),
        ("/v1/images/x", "this part of OpenAI's Images API", OAI),
        ("/v1/audio/voices", "this part of OpenAI's Audio API", OAI),
        ("/v1/batches", "the Batch API", OAI),
        ("/v1/moderations", "OpenAI's Moderations API", OAI),
        ("/v1/fine_tuning/jobs", "OpenAI's Fine-tuning API", OAI),
        ("/v1/vector_stores", "OpenAI's Vector Stores API", OAI),
        ("/openai/deployments/gpt/chat/completions", "Azure's form", OAI),
        ("/v1beta/openai/audio/x", "this part of OpenAI's Audio API", OAI),
        ("/invocations", "SageMaker's API is not served here", OAI),
        ("/generate", "TGI's own API is not relayed", OAI),
        ("/proxy/d/anthropic/v1/messages/batches", "Anthropic's Message Batches API", A),
        ("/v1/messages/batches/x/results", "Anthropic's Message Batches API", A),
        ("/v1/complete", "Anthropic's Text Completions API", A),
        ("/v1/organizations/me", "Anthropic's Admin API", A),
        ("/v1beta/cachedContents", "Gemini's Caching API", G),
        ("/v1beta/batches/x:cancel", "the Batch API", G),
        ("/v1/interactions", "Gemini's Interactions API", G),
        ("/genai/v1beta/fileSearchStores/a/documents", "Gemini's File Search API", G),
        ("/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
         "Gemini's Live API", G),
        ("/proxy/d/gemini/v1beta1/projects/p/locations/l/batchPredictionJobs",
         "Gemini's Batch API", G),
    ],
)  # fmt: skip
@table("method", ["POST", "GET", "DELETE"])
def test_what_exists_elsewhere_is_named(path: str, name: str, owner: Dialect, method: str) -> None:
    with pytest.raises(NotFound) as caught:
        read_call(method, path, NONE)
    assert caught.value.message.startswith(name)
    assert "base URL" not in caught.value.message
    assert "; " in caught.value.message, "what to do"
    assert guess_surface(path, NONE) is owner


@table(
    ("action", "name"),
    [
        ("predict", "Imagen"),
        ("predictLongRunning", "Veo"),
        ("batchGenerateContent", "Gemini's Batch API"),
        ("asyncBatchEmbedContent", "Gemini's Batch API"),
        ("bidiGenerateContent", "Gemini's Live API"),
    ],
)
def test_what_exists_elsewhere_is_named_behind_the_colon(action: str, name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_call("POST", f"/v1beta/models/m:{action}", NONE)
    assert name in caught.value.message
    assert caught.value.code == "unknown_action"


@table(
    ("rest", "owner"),
    [
        ("chat/completions", OAI),
        ("messages/count_tokens", A),
        ("models/m%3AcountTokens", G),
        ("models", None),
        ("x", None),
    ],
)
def test_owners(rest: str, owner: Dialect | None) -> None:
    assert owner_of(rest) is owner


@table(
    ("surface", "bare", "named"),
    [
        (G, "/", "/proxy/d/gemini"),
        (A, "/", "/proxy/d/anthropic"),
        (OAI, "/v1", "/proxy/d/openai/v1"),
    ],
)
def test_base_urls(surface: Dialect, bare: str, named: str) -> None:
    assert (base_url(surface, None), base_url(surface, "d")) == (bare, named)


@table("rest", ["api/pull", "api%2Fpull", "slots/0"])
def test_administration_of_a_node_is_refused_for_what_it_is(rest: str) -> None:
    with pytest.raises(Forbidden, match="administers") as caught:
        refuse_administration(rest)
    assert caught.value.code == "administration"
    refuse_administration("chat/completions")
