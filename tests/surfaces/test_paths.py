"""From method and target to Call: the accepted forms, the refusals, and random input."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from casedesk_proxy.errors import BadRequest, ClientFault, NotFound
from casedesk_proxy.surfaces.paths import guess_surface, read_call
from casedesk_proxy.surfaces.unserved_paths import GEMINI_ACTIONS
from casedesk_proxy.terms import Action, Call, Dialect, Framing, RawHeaders
from tests.fixtures.table import table

G, A, OAI, R, OLL = Dialect
GENERATE = Action.GENERATE
NONE: RawHeaders = ()
M = "gemma2:9b"


def gemini(
    action: Action = GENERATE,
    deployment: str | None = "d",
    model: str | None = M,
    version: str = "v1beta",
    query: str = "",
    framing: Framing = Framing.UNARY,
) -> Call:
    return Call(G, action, deployment, model, version, query, framing)


@table(
    ("target", "call"),
    [
        # mounts and versions
        (f"/proxy/d/gemini/v1beta/models/{M}:generateContent", gemini()),
        (f"/proxy/d/gemini/v1/models/{M}:generateContent", gemini(version="v1")),
        (f"/genai/v1beta/models/{M}:generateContent", gemini(deployment=None)),
        (f"/genai/v1/models/{M}:generateContent", gemini(deployment=None, version="v1")),
        (f"/v1beta/models/{M}:generateContent", gemini(deployment=None)),
        (f"/v1/models/{M}:generateContent", gemini(deployment=None, version="v1")),
        # repeated, alpha, missing
        (f"/proxy/d/gemini/v1beta/v1beta/models/{M}:generateContent", gemini()),
        (f"/proxy/d/gemini/v1beta/v1/models/{M}:generateContent", gemini(version="v1")),
        (f"/proxy/d/gemini/v1/v1beta/models/{M}:generateContent", gemini()),
        (f"/proxy/d/gemini/v1alpha/models/{M}:generateContent", gemini()),
        (f"/proxy/d/gemini/models/{M}:generateContent", gemini()),
        (f"/genai/models/{M}:generateContent", gemini(deployment=None)),
        (f"/models/{M}:generateContent", gemini(deployment=None)),
        # models/ left out, doubled, encoded
        (f"/proxy/d/gemini/v1beta/{M}:generateContent", gemini()),
        (f"/proxy/d/gemini/{M}:generateContent", gemini()),
        ("/v1beta/google/g:generateContent", gemini(deployment=None, model="google/g")),
        ("/v1/google/g:generateContent", gemini(deployment=None, model="google/g", version="v1")),
        (f"/proxy/d/gemini/v1beta/models/models/{M}:generateContent", gemini()),
        (f"/proxy/d/gemini/v1beta/models%2F{M}:generateContent", gemini()),
        # Vertex
        (f"/proxy/d/gemini/v1beta1/publishers/google/models/{M}:generateContent", gemini()),
        (
            f"/proxy/d/gemini/v1beta1/projects/p/locations/l/publishers/google/models/{M}"
            ":generateContent",
            gemini(),
        ),
        (f"/v1beta1/projects/p/locations/l/models/{M}:generateContent", gemini(deployment=None)),
        (
            "/proxy/d/gemini/v1beta1/publishers/meta/models/llama3.1:8b:generateContent",
            gemini(model="meta/llama3.1:8b"),
        ),
        # slashes
        (f"/proxy/d/gemini//v1beta/models/{M}:generateContent", gemini()),
        (f"//proxy//d/gemini/v1beta///models//{M}:generateContent", gemini()),
        (f"/proxy/d/gemini/v1beta/models/{M}:generateContent/", gemini()),
        # absolute form
        (f"http://h:8080/proxy/d/gemini/v1beta/models/{M}:generateContent", gemini()),
        (f"HTTPS://h/v1beta/models/{M}:generateContent", gemini(deployment=None)),
        # names
        ("/v1beta/models/gemma2%3A9b%3agenerateContent", gemini(deployment=None)),
        ("/v1beta/models/a:b:c:generateContent", gemini(deployment=None, model="a:b:c")),
        ("/v1beta/models/m%C3%B6del:1:generateContent", gemini(deployment=None, model="mödel:1")),
        ("/v1beta/models/mödel:1:generateContent", gemini(deployment=None, model="mödel:1")),
        ("/v1beta/models/a%2Fb%20c:generateContent", gemini(deployment=None, model="a/b c")),
        ("/v1beta/models/a%253Ab:generateContent", gemini(deployment=None, model="a%3Ab")),
        (
            "/v1beta/models/%252e%252e%2Fx:generateContent",
            gemini(deployment=None, model="%2e%2e/x"),
        ),
        ("/v1beta/models/.hidden:generateContent", gemini(deployment=None, model=".hidden")),
        ("/v1beta/models/a..b:generateContent", gemini(deployment=None, model="a..b")),
        ("/v1beta/models/100%:generateContent", gemini(deployment=None, model="100%")),
        ("/v1beta/tunedModels/x:generateContent", gemini(deployment=None, model="tunedModels/x")),
        (f"/proxy/my%20dep/gemini/v1/models/{M}:generateContent",
         gemini(deployment="my dep", version="v1")),
        (f"/proxy/gemini/gemini/v1beta/models/{M}:generateContent", gemini(deployment="gemini")),
        # actions
        (f"/v1beta/models/{M}:embedContent", gemini(Action.EMBED, None)),
        (f"/v1beta/models/{M}:batchEmbedContents", gemini(Action.BATCH_EMBED, None)),
        (f"/v1beta/models/{M}:countTokens", gemini(Action.COUNT_TOKENS, None)),
        (f"/v1beta/models/{M}:streamGenerateContent",
         gemini(Action.STREAM_GENERATE, None, framing=Framing.JSON_ARRAY)),
        # the others
        ("/proxy/d/anthropic/v1/messages", Call(A, Action.MESSAGES, "d")),
        ("/proxy/d/anthropic/v1/v1/messages", Call(A, Action.MESSAGES, "d")),
        ("/proxy/d/anthropic/messages", Call(A, Action.MESSAGES, "d")),
        ("/proxy/d/anthropic/v1/messages/", Call(A, Action.MESSAGES, "d")),
        ("/proxy/d/anthropic/v1/messages?beta=true",
         Call(A, Action.MESSAGES, "d", query="beta=true")),
        ("/proxy/d/anthropic/v1/messages/count_tokens", Call(A, Action.COUNT_MESSAGES, "d")),
        ("/v1/messages", Call(A, Action.MESSAGES, None)),
        ("/v1/v1/messages", Call(A, Action.MESSAGES, None)),
        ("/v1/messages/count_tokens?beta=true",
         Call(A, Action.COUNT_MESSAGES, None, query="beta=true")),
        ("/proxy/d/openai/v1/chat/completions", Call(OAI, Action.CHAT, "d")),
        ("/proxy/d/openai/chat/completions", Call(OAI, Action.CHAT, "d")),
        ("/proxy/d/openai/v1/v1/completions", Call(OAI, Action.COMPLETE, "d")),
        ("/proxy/d/openai/v1/embeddings", Call(OAI, Action.EMBEDDINGS, "d")),
        ("/v1/chat/completions", Call(OAI, Action.CHAT, None)),
        ("/v1/completions", Call(OAI, Action.COMPLETE, None)),
        ("/v1//embeddings", Call(OAI, Action.EMBEDDINGS, None)),
        ("/chat/completions", Call(OAI, Action.CHAT, None)),
        ("/proxy/d/openai/v1/responses", Call(Dialect.RESPONSES, Action.RESPOND, "d")),
        ("/v1/responses", Call(Dialect.RESPONSES, Action.RESPOND, None)),
        (
            "/v1/responses/input_tokens",
            Call(Dialect.RESPONSES, Action.COUNT_RESPONSE, None),
        ),
        # as other services have them: Google's for OpenAI's SDKs, Groq's, DeepSeek's
        ("/v1beta/openai/chat/completions", Call(OAI, Action.CHAT, None)),
        ("/v1beta/openai/v1/chat/completions", Call(OAI, Action.CHAT, None)),
        ("/proxy/d/gemini/v1beta/openai/embeddings", Call(OAI, Action.EMBEDDINGS, "d")),
        ("/proxy/d/gemini/openai/v1/completions", Call(OAI, Action.COMPLETE, "d")),
        ("/genai/v1beta/openai/chat/completions", Call(OAI, Action.CHAT, None)),
        ("/openai/v1/chat/completions", Call(OAI, Action.CHAT, None)),
        ("/openai/chat/completions", Call(OAI, Action.CHAT, None)),
        ("/anthropic/v1/messages", Call(A, Action.MESSAGES, None)),
        (f"/gemini/v1beta/models/{M}:generateContent", gemini(deployment=None)),
        ("/v1beta/openai/gpt-oss-20b:generateContent",
         gemini(deployment=None, model="openai/gpt-oss-20b")),
        ("/v1beta/models/openai/gpt-oss-20b:generateContent",
         gemini(deployment=None, model="openai/gpt-oss-20b")),
        ("/v1beta/openai/models/x:generateContent",
         gemini(deployment=None, model="openai/models/x")),
    ],
)  # fmt: skip
def test_post(target: str, call: Call) -> None:
    assert read_call("POST", target, NONE) == call


@table(
    ("target", "call"),
    [
        ("/proxy/d/gemini/v1beta/models", gemini(Action.LIST_MODELS, model=None)),
        ("/proxy/d/gemini/v1beta/models/", gemini(Action.LIST_MODELS, model=None)),
        ("/proxy/d/gemini/v1beta/tunedModels", gemini(Action.LIST_MODELS, model=None)),
        ("/proxy/d/gemini/v1beta1/publishers/google/models",
         gemini(Action.LIST_MODELS, model=None)),
        ("/proxy/d/gemini/v1beta1/projects/p/locations/l/models",
         gemini(Action.LIST_MODELS, model=None)),
        (f"/proxy/d/gemini/v1beta/models/{M}", gemini(Action.GET_MODEL)),
        (f"/proxy/d/gemini/v1beta/{M}", gemini(Action.GET_MODEL)),
        ("/v1beta/models?pageSize=5", gemini(Action.LIST_MODELS, None, None, query="pageSize=5")),
        ("/genai/v1/models", gemini(Action.LIST_MODELS, None, None, "v1")),
        ("/proxy/d/anthropic/v1/models", Call(A, Action.LIST_MODELS, "d")),
        ("/proxy/d/anthropic/v1/models/hf.co%2Fo%2Fr:Q4",
         Call(A, Action.GET_MODEL, "d", "hf.co/o/r:Q4")),
        ("/proxy/d/openai/v1/models", Call(OAI, Action.LIST_MODELS, "d")),
        ("/proxy/d/openai/v1/models/hf.co/o/r:4", Call(OAI, Action.GET_MODEL, "d", "hf.co/o/r:4")),
        ("/models", Call(OAI, Action.LIST_MODELS, None)),
        ("/v1beta/openai/models", Call(OAI, Action.LIST_MODELS, None)),
        (f"/proxy/d/gemini/v1beta/openai/models/{M}", Call(OAI, Action.GET_MODEL, "d", M)),
        ("/proxy/d/gemini/v1beta/openai/gpt", gemini(Action.GET_MODEL, model="openai/gpt")),
        ("/proxy/d/openai/v1/models/a:b", Call(OAI, Action.GET_MODEL, "d", "a:b")),
    ],
)  # fmt: skip
def test_get(target: str, call: Call) -> None:
    assert read_call("GET", target, NONE) == call


@table(
    ("query", "headers", "surface"),
    [
        ("", (), OAI),
        ("", ((b"Authorization", b"Bearer x"),), OAI),
        ("", ((b"Anthropic-Version", b"2023-06-01"),), A),
        ("", ((b"X-Goog-Api-Key", b"k"),), G),
        ("", ((b"x-goog-api-client", b"c"),), G),
        ("key=k", (), G),
        ("a=1&key=", (), G),
        ("monkey=k", (), OAI),
        ("key=k", ((b"anthropic-version", b"1"),), A),
        ("", ((b"x-goog-api-key", b"k"), (b"anthropic-version", b"1")), A),
    ],
)
@table("path", ["/v1/models", "/v1/models/x", "/models", "/v1/v1/models/"])
def test_bare_models_by_headers(path: str, query: str, headers: RawHeaders, surface: str) -> None:
    call = read_call("GET", f"{path}?{query}", headers)
    assert call.surface == surface
    assert call.model == ("x" if path.endswith("x") else None)
    assert call.deployment is None


@table(
    "path",
    [
        "/favicon.ico", "/proxy/d/other/v1/models", "/proxy//gemini/v1/models",
        "/proxy/d/admin:x:generateContent", "/admin:x:generateContent",
        "/proxy/d/openai/v1/messages", "/proxy/d/anthropic/v1/chat/completions",
        "/proxy/d/openai/v1/models:generateContent", "/proxy/d/anthropic/v1/messages/batches",
        "/v1beta/cachedContents", "/v1/interactions", "/v1beta/batches/x:cancel", "/V1/messages",
        "/proxy/d/gemini/v1/operations/x", "/metrics", "/healthz", "/v2", "/proxy/d/v1",
    ],
)  # fmt: skip
@table("method", ["GET", "POST", "PUT", "HEAD"])
def test_unclaimed_path(path: str, method: str) -> None:
    with pytest.raises(NotFound) as caught:
        read_call(method, path, NONE)
    assert caught.value.code == "not_found"


BASES = [
    "/", "/v1", "/v1beta", "/v1/v1", "/genai", "/genai/v1", "/proxy", "/proxy/d", "/proxy/d/gemini",
    "/proxy/d/gemini/v1beta", "/proxy/d/anthropic/", "/proxy/d/openai", "/proxy/d/openai//v1",
    "/proxy/d/gemini/v1beta/openai/", "/v1beta/openai", "/openai/v1", "/anthropic", "/gemini",
]  # fmt: skip


@table("path", BASES)
def test_base_urls(path: str) -> None:
    for method in ("GET", "HEAD"):
        call = read_call(method, path, NONE)
        assert call.action is Action.BASE
        assert call.deployment == ("d" if "/d" in path else None)
        assert call.surface is guess_surface(path, NONE)
    for method in ("POST", "PUT", ""):
        with pytest.raises(NotFound, match="base URLs are /proxy/DEPLOYMENT/gemini, "):
            read_call(method, path, NONE)


@table(
    ("path", "allowed"),
    [
        ("/v1beta/models/x:generateContent", "POST"),
        ("/v1/models/x:streamGenerateContent", "POST"),
        ("/v1beta/models", "GET, HEAD"),
        ("/v1/models", "GET, HEAD"),
        ("/proxy/d/openai/v1/models/x", "GET, HEAD"),
        ("/v1/usage", "GET, HEAD"),
        ("/v1/files", "GET, HEAD, POST"),
        ("/proxy/d/anthropic/v1/files/f", "GET, HEAD, DELETE"),
        ("/v1/files/f/content", "GET, HEAD"),
        ("/v1beta/files/f:download", "GET, HEAD"),
        ("/v1/realtime", "GET"),
        ("/proxy/d/openai/v1/chat/completions", "POST"),
        ("/v1/messages", "POST"),
    ],
)
@table("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "CONNECT", "get", ""])
def test_wrong_method(path: str, allowed: str, method: str) -> None:
    if method and method in allowed:
        call = read_call(method, path, NONE)
        assert method != "HEAD" or call == read_call("GET", path, NONE)
        return
    with pytest.raises(BadRequest) as caught:
        read_call(method, path, NONE)
    assert (caught.value.status, caught.value.allow) == (405, allowed)


@table("path", ["/", "/v1/models", "/proxy/d/openai/v1/chat/completions", "/x"])
def test_options_is_never_answered(path: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_call("OPTIONS", path, NONE)
    assert (caught.value.status, caught.value.allow) == (405, "GET, HEAD, POST")


@table(
    ("target", "headers", "surface"),
    [
        ("/proxy/d/gemini/nonsense", (), G),
        ("/proxy/d/anthropic/..", (), A),
        ("/proxy/d/openai/\x00", ((b"anthropic-version", b"1"),), OAI),
        ("//proxy//d//openai//x", (), OAI),
        ("http://h/proxy/d/anthropic/x", (), A),
        ("/proxy/gemini/openai/v1/x", (), OAI),
        ("/v1/messages/../x", (), A),
        ("/v1/chat/completions/x", (), OAI),
        ("/v1/models/..:generateContent", (), G),
        ("/v1beta/x", (), G),
        ("/genai", (), G),
        ("/upload/x", (), G),
        ("/nowhere", (), OAI),
        ("/nowhere", ((b"x-goog-api-key", b"k"),), G),
        ("/nowhere?key=k", (), G),
        ("/nowhere", ((b"anthropic-version", b"1"),), A),
        ("", (), OAI),
    ],
)
def test_guess(target: str, headers: RawHeaders, surface: Dialect) -> None:
    assert guess_surface(target, headers) is surface


# What a model name may be: anything that is not refused as a path, nor means something else.
names = st.text(
    st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40
).filter(
    lambda name: not {".", ".."} & set(name.replace("\\", "/").split("/"))
    and "//" not in name
    and name == name.strip("/")
    and name.split("/")[0] not in ("models", "publishers", "projects", "tunedModels")
)  # fmt: skip


@given(names, st.sampled_from(sorted(GEMINI_ACTIONS)), st.sampled_from(["", "/", ":/", "/:"]))
@example("gemma2:9b", "generateContent", "/:")
@example("100%", "generateContent", "")
def test_model_survives_encoding(name: str, action: str, safe: str) -> None:
    target = f"/proxy/d/gemini/v1beta/models/{quote(name, safe=safe)}:{action}"
    call = read_call("POST", target, NONE)
    assert (call.model, call.action) == (name, action)


@given(names)
def test_model_survives_as_openai_id(name: str) -> None:
    call = read_call("GET", f"/proxy/d/openai/v1/models/{quote(name, safe='')}", NONE)
    assert call.model == name


pairs = st.lists(
    st.tuples(
        st.sampled_from(["key", "k%65y", "%6Bey", "a", "alt", "$alt", "keys", "Key", "", "%zz"]),
        st.sampled_from(["", "=", "=="]),
        st.text("aZ9%+;=/?~", max_size=6),
    ),
    max_size=6,
)


@given(pairs)
def test_query_keeps_every_byte_but_the_key(made: list[tuple[str, str, str]]) -> None:
    texts = ["".join(pair) for pair in made]
    call = read_call("POST", "/v1beta/models/m:generateContent?" + "&".join(texts), NONE)
    keys = ("key", "k%65y", "%6Bey")
    kept = [
        text
        for text, (name, equals, value) in zip(texts, made, strict=True)
        if not (name in keys and (equals or value.startswith("=")))
    ]
    assert call.query == "&".join(kept)


pieces = st.sampled_from(
    [
        "/", "//", "proxy", "d", "gemini", "anthropic", "openai", "genai", "upload", "files", "v1",
        "v1beta", "models", "publishers", "projects", "locations", "tunedModels", "messages", ":",
        "chat/completions", "generateContent", "%3A", "%2F", "%2e", "..", ".", "?", "&", "key=x",
        "alt=sse", "%", "%00", "\x00", "\udcff", "\ud800", "ö", "http://", "#", " ", "x", "%C3",
        "=",
    ]
)  # fmt: skip
targets = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    st.lists(pieces, max_size=14).map("".join),
    st.lists(pieces, max_size=10).map(lambda parts: "/proxy/d/gemini/" + "".join(parts)),
)
lines = st.lists(
    st.tuples(
        st.sampled_from([b"Accept", b"anthropic-version", b"x-goog-x", b""]), st.binary(max_size=9)
    ),
    max_size=3,
).map(tuple)


def read_or_fault(method: str, target: str, headers: RawHeaders) -> Call | ClientFault:
    try:
        return read_call(method, target, headers)
    except ClientFault as fault:
        return fault


@given(st.sampled_from(["GET", "POST", "PUT", "OPTIONS", ""]), targets, lines)
def test_anything_is_a_call_or_a_fault(method: str, target: str, headers: RawHeaders) -> None:
    assert guess_surface(target, headers) in Dialect
    call = read_or_fault(method, target, headers)
    if isinstance(call, ClientFault):
        assert call.status in (400, 404, 405)
        call.message.encode()
    else:
        assert method in ("GET", "POST")
        assert call.model is None or call.model
        assert call.version in (("v1", "v1beta") if call.surface is G else ("",))
        for name in (call.model or "", call.deployment or ""):
            assert ".." not in name.replace("\\", "/").split("/")
            assert not any(ord(char) < 32 for char in name)
            name.encode()


KEPT = Call(Dialect.RESPONSES, Action.GET_RESPONSE, None, kept="resp_1")


@table(
    ("method", "target", "call"),
    [
        ("GET", "/v1/responses/resp_1", KEPT),
        ("GET", "/openai/v1/responses/resp_1", KEPT),
        ("GET", "/proxy/d/openai/v1/responses/resp_1", replace(KEPT, deployment="d")),
        ("GET", "/v1beta/openai/responses/resp_1", KEPT),
        ("DELETE", "/v1/responses/resp_1", replace(KEPT, action=Action.DELETE_RESPONSE)),
        ("POST", "/v1/responses/resp_1/cancel", replace(KEPT, action=Action.CANCEL_RESPONSE)),
        ("GET", "/v1/responses/resp_1/input_items", replace(KEPT, action=Action.LIST_INPUT)),
        (
            "GET",
            "/v1/responses/resp_1?stream=true&starting_after=3",
            replace(KEPT, query="stream=true&starting_after=3", framing=Framing.SSE),
        ),
    ],
)
def test_responses_that_a_node_keeps(method: str, target: str, call: Call) -> None:
    assert read_call(method, target, ()) == call


@table(
    ("method", "target", "status"),
    [
        ("PUT", "/v1/responses/resp_1", 405),
        ("GET", "/v1/responses", 405),
        ("GET", "/v1/responses/input_tokens", 405),
        ("GET", "/v1/responses/resp_1/steps", 404),
        ("GET", "/v1/responsesx", 404),
        ("GET", "/openai/v1/responsesx", 404),
        ("GET", "/anthropic/v1/responses/resp_1", 404),
    ],
)
def test_what_is_no_path_of_a_response(method: str, target: str, status: int) -> None:
    with pytest.raises(ClientFault) as refused:
        read_call(method, target, ())
    assert refused.value.status == status


@table(
    ("method", "target", "call"),
    [
        ("POST", "/api/chat", Call(OLL, Action.OLLAMA_CHAT, None)),
        ("POST", "/proxy/d/ollama/api/chat", Call(OLL, Action.OLLAMA_CHAT, "d")),
        ("POST", "/ollama/api/generate", Call(OLL, Action.OLLAMA_GENERATE, None)),
        ("POST", "//api/embed/?a=b", Call(OLL, Action.OLLAMA_EMBED, None, query="a=b")),
        ("POST", "/api/embeddings", Call(OLL, Action.OLLAMA_EMBEDDINGS, None)),
        ("POST", "/api/show", Call(OLL, Action.SHOW_MODEL, None)),
        ("GET", "/api/tags", Call(OLL, Action.LIST_MODELS, None)),
        ("HEAD", "/api/tags", Call(OLL, Action.LIST_MODELS, None)),
        ("GET", "/proxy/d/ollama/api/ps", Call(OLL, Action.LIST_LOADED, "d")),
        ("GET", "/api/version", Call(OLL, Action.VERSION, None)),
        ("HEAD", "/api/version", Call(OLL, Action.VERSION, None)),
        ("HEAD", "/proxy/d/ollama", Call(OLL, Action.BASE, "d")),
        # An Ollama has OpenAI's and Anthropic's paths at the same address.
        ("POST", "/proxy/d/ollama/v1/chat/completions", Call(OAI, Action.CHAT, "d")),
        ("GET", "/proxy/d/ollama/v1/models", Call(OAI, Action.LIST_MODELS, "d")),
        ("GET", "/ollama/v1/models/a:b", Call(OAI, Action.GET_MODEL, None, "a:b")),
        ("POST", "/proxy/d/ollama/v1/messages", Call(A, Action.MESSAGES, "d")),
    ],
)
def test_ollama_s_own_paths(method: str, target: str, call: Call) -> None:
    assert read_call(method, target, NONE) == call
    assert guess_surface(target, NONE) in (call.surface, OLL)


@table(
    ("method", "target", "allow"),
    [
        ("GET", "/api/chat", "POST"),
        ("HEAD", "/api/chat", "POST"),
        ("DELETE", "/api/tags", "GET, HEAD"),
        ("POST", "/proxy/d/ollama/api/ps", "GET, HEAD"),
    ],
)
def test_other_methods_on_ollama_s_paths(method: str, target: str, allow: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_call(method, target, NONE)
    assert (caught.value.status, caught.value.allow) == (405, allow)


@table("path", ["models/m", "api/nothing"])
def test_what_ollama_s_mount_does_not_have(path: str) -> None:
    with pytest.raises(ClientFault):
        read_call("POST", f"/proxy/d/ollama/{path}", NONE)


def test_ollama_s_paths_at_another_base() -> None:
    with pytest.raises(NotFound, match="set it to /proxy/d/ollama"):
        read_call("POST", "/proxy/d/openai/v1/api/chat", NONE)


@table("base", ["/v1", "/proxy/d/openai/v1", "/v1beta/openai", "/ollama/v1"])
def test_a_conversation_is_opened_by_get(base: str) -> None:
    deployment = "d" if "/d/" in base else None
    call = read_call("GET", f"{base}/realtime?model=m&key=k", NONE)
    assert call == Call(OAI, Action.REALTIME, deployment, query="model=m")
    with pytest.raises(BadRequest) as caught:
        read_call("POST", f"{base}/realtime", NONE)
    assert (caught.value.status, caught.value.allow) == (405, "GET")


@table(
    ("target", "headers", "surface", "deployment"),
    [
        ("/v1/usage", (), OAI, None),
        ("/v1/usage", ((b"anthropic-version", b"2023-06-01"),), A, None),
        ("/proxy/d/openai/v1/usage", (), OAI, "d"),
        ("/proxy/d/anthropic/v1/usage", (), A, "d"),
        ("/proxy/d/gemini/v1beta/usage", (), G, "d"),
    ],
)
def test_what_a_key_has_used(
    target: str, headers: RawHeaders, surface: Dialect, deployment: str | None
) -> None:
    call = read_call("GET", target, headers)
    assert (call.surface, call.action, call.deployment) == (surface, Action.USAGE, deployment)
    with pytest.raises(BadRequest) as caught:
        read_call("POST", target, headers)
    assert (caught.value.status, caught.value.allow) == (405, "GET, HEAD")
