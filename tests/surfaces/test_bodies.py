"""What is read in a body, what is refused, and the one name that is changed in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy import jsonio
from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.bodies import (
    RequestBody,
    ask_for_counts,
    is_renamed,
    read_body,
    rename_model,
)
from casedesk_proxy.terms import Action, Call, Dialect, Framing
from tests.fixtures.table import table

CHAT = Call(Dialect.OPENAI, Action.CHAT, "d")
MESSAGES = Call(Dialect.ANTHROPIC, Action.MESSAGES, "d")
COUNT = Call(Dialect.ANTHROPIC, Action.COUNT_MESSAGES, "d")
EMBED = Call(Dialect.OPENAI, Action.EMBEDDINGS, "d")
OLLAMA_CHAT = Call(Dialect.OLLAMA, Action.OLLAMA_CHAT, "d")
SHOW = Call(Dialect.OLLAMA, Action.SHOW_MODEL, "d")


def gemini(action: Action = Action.GENERATE, model: str = "old") -> Call:
    framing = Framing.SSE if action is Action.STREAM_GENERATE else Framing.UNARY
    return Call(Dialect.GEMINI, action, "d", model, "v1beta", "", framing)


@table(
    ("call", "value", "model", "stream"),
    [
        (CHAT, {"model": "m"}, "m", False),
        (CHAT, {"model": "m", "stream": True}, "m", True),
        (CHAT, {"model": "m", "stream": False}, "m", False),
        (CHAT, {"model": "m", "stream": None}, "m", False),
        (MESSAGES, {"model": "m", "stream": True}, "m", True),
        (COUNT, {"model": "m", "stream": "ignored"}, "m", False),
        (EMBED, {"model": "m", "stream": 1}, "m", False),
        (OLLAMA_CHAT, {"model": "m"}, "m", True),
        (OLLAMA_CHAT, {"model": "m", "stream": None}, "m", True),
        (OLLAMA_CHAT, {"model": "m", "stream": False}, "m", False),
        (SHOW, {"model": "m", "stream": True}, "m", False),
        (SHOW, {"name": "old"}, "old", False),
        (SHOW, {"name": "old", "model": ""}, "old", False),
        (SHOW, {"name": "old", "model": "m"}, "m", False),
        (gemini(), {"model": 5}, None, False),
        (gemini(), {"stream": False}, None, False),
        (gemini(Action.STREAM_GENERATE), {"stream": True}, None, True),
        (gemini(Action.COUNT_TOKENS), {}, None, False),
    ],
)
def test_read(call: Call, value: dict[str, Any], model: str | None, stream: bool) -> None:
    assert read_body(call, json.dumps(value).encode()) == RequestBody(model, stream, value)


@table(
    ("call", "raw", "told"),
    [
        (CHAT, b"", "empty"),
        (CHAT, b" \n", "empty"),
        (CHAT, b"[]", "not a JSON object"),
        (CHAT, b'"text"', "not a JSON object"),
        (CHAT, b"null", "not a JSON object"),
        (CHAT, b'{"a": nope}', "not valid JSON at byte 6"),
        (CHAT, '{"é": nope}'.encode(), "not valid JSON at byte 7"),
        (CHAT, b'{"a": 1', "not valid JSON at byte 7"),
        (CHAT, b'{"a": 1} x', "not valid JSON at byte 9"),
        (CHAT, b'{"a": NaN}', "not valid JSON at byte 6"),
        (CHAT, b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        (CHAT, b'{"a": "\\ud800"}', "not valid JSON"),
        (CHAT, b"\xef\xbb\xbf{}", "byte order mark"),
        (CHAT, b"[" * 100_000, "depth limit"),
        (CHAT, b'{"a":' * 100_000, "depth limit"),
        (CHAT, b"model=m&stream=true", "not valid JSON at byte 0"),
        (CHAT, b"{}", "model: a string is required"),
        (CHAT, b'{"model": 5}', "model: a string is required"),
        (CHAT, b'{"model": null}', "model: a string is required"),
        (CHAT, b'{"model": ""}', "model: a string is required"),
        (COUNT, b'{"model": ["m"]}', "model: a string is required"),
        (CHAT, b'{"model": "m", "stream": "true"}', "stream: true or false is required"),
        (MESSAGES, b'{"model": "m", "stream": 1}', "stream: true or false is required"),
        (gemini(), b'{"stream": true}', "streamGenerateContent"),
        (gemini(), b"[{}]", "not a JSON object"),
    ],
)
def test_refused(call: Call, raw: bytes, told: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_body(call, raw)
    assert caught.value.status == 400
    assert told in caught.value.message
    assert len(caught.value.message) < 200
    field, colon, _ = told.partition(":")
    if colon:
        assert caught.value.violations[0].path == field


def test_errors_do_not_repeat_the_body() -> None:
    with pytest.raises(BadRequest) as caught:
        read_body(CHAT, b'{"secret prompt": secret prompt}')
    assert "secret" not in caught.value.message


@given(st.binary(max_size=60) | st.text('{}[]":,\\u0 1aemodlstr', max_size=40).map(str.encode))
def test_anything_is_read_or_refused(raw: bytes) -> None:
    """No other error is raised, and a refusal can always be sent."""
    for call in (CHAT, gemini()):
        try:
            read_body(call, raw)
        except BadRequest as fault:
            fault.message.encode()


def rename(call: Call, raw: bytes, new: str = "new") -> bytes:
    return rename_model(call, raw, jsonio.loads(raw), new)


@table(
    ("raw", "wanted"),
    [
        (b'{"model":"old"}', b'{"model":"new"}'),
        (b' { "model"\t:\n"old" , "a" : 1.0 }\n', b' { "model"\t:\n"new" , "a" : 1.0 }\n'),
        (b'{"a":{"model":"old"},"model":"old"}', b'{"a":{"model":"old"},"model":"new"}'),
        (b'{"a":["model","x"],"model":"old"}', b'{"a":["model","x"],"model":"new"}'),
        (b'{"type":"model","model":"model"}', b'{"type":"model","model":"new"}'),
        (b'{"a":"\\"model\\":","model":"x"}', b'{"a":"\\"model\\":","model":"new"}'),
        (b'{"say \\"model":"x","model":"x"}', b'{"say \\"model":"x","model":"new"}'),
        (b'{"a\\\\":"model","model":"x"}', b'{"a\\\\":"model","model":"new"}'),
        (b'{"mod\\u0065l":"old"}', b'{"mod\\u0065l":"new"}'),
        (b'{"\\u006D\\u006fdel":"old","a":"model"}', b'{"\\u006D\\u006fdel":"new","a":"model"}'),
        (b'{"model":"a","model":"b"}', b'{"model":"new","model":"new"}'),
        (b'{"model":{"model":[1]},"model":"b"}', b'{"model":"new","model":"new"}'),
        (b'{"model":1e5,"mod\\u0065l":"b"}', b'{"model":"new","mod\\u0065l":"new"}'),
        (b'{"model":"\\u006fld"}', b'{"model":"new"}'),
    ],
)
def test_rename(raw: bytes, wanted: bytes) -> None:
    assert rename(CHAT, raw) == wanted
    assert rename(MESSAGES, raw) == wanted


@table(
    ("raw", "wanted"),
    [
        (b"{}", b'{"model":"new"}'),
        (b' \n{ }', b' \n{"model":"new" }'),
        (b'{"a":1.0}', b'{"model":"new","a":1.0}'),
        (b'\t{\n "a" : {"model":"old"}, "b":[1e2] }\r\n',
         b'\t{"model":"new",\n "a" : {"model":"old"}, "b":[1e2] }\r\n'),
        (b'{"Model":"x"}', b'{"model":"new","Model":"x"}'),
        (b'{"a":1,"model":null}', b'{"a":1,"model":"new"}'),
        (b'{"model" : "" }', b'{"model" : "new" }'),
        (b'{"mod\\u0065l":null}', b'{"mod\\u0065l":"new"}'),
    ],
)  # fmt: skip
def test_a_missing_name_is_put_in(raw: bytes, wanted: bytes) -> None:
    assert rename(CHAT, raw) == wanted
    assert rename(MESSAGES, raw) == wanted


@table("raw", [b'{"a":1}', b'{"model":null}', b'{"model":""}'])
def test_a_missing_name_means_the_only_model(raw: bytes) -> None:
    assert read_body(CHAT, raw, lambda: ("tiny",)).model == "tiny"
    assert read_body(CHAT, b'{"model":"x"}', lambda: ("tiny",)).model == "x"
    for offered in ((), ("a", "b"), tuple("abcdefg")):
        with pytest.raises(BadRequest) as caught:
            read_body(CHAT, raw, lambda offered=offered: offered)
        assert caught.value.message.startswith("model: a string is required")
        assert ("available: a, b" in caught.value.message) is bool(offered)
        assert caught.value.violations[0].path == "model"


def test_an_empty_object_asks_for_nothing() -> None:
    with pytest.raises(BadRequest, match=r"model: a string is required$"):
        read_body(CHAT, b" {} ", lambda: ("tiny",))


def test_a_name_of_another_type_is_never_forgiven() -> None:
    for raw in (b'{"model":5}', b'{"model":["m"]}', b'{"model":false}'):
        with pytest.raises(BadRequest, match="model: a string is required"):
            read_body(CHAT, raw, lambda: ("tiny",))


@table("new", ["gemma2:9b", 'a"b\\c', "mödel", "\n\u2028", "x" * 500])
def test_any_new_name_is_written_well(new: str) -> None:
    assert jsonio.loads(rename(CHAT, b'{"model":"x","a":1}', new)) == {"model": new, "a": 1}


words = st.sampled_from(["model", "old", "messages", "a", '"model":', "mod\\", "{", "}]", "é", ""])
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.floats(-9, 9) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


def written(value: Any, data: st.DataObject) -> str:
    """JSON with blanks, escapes and repeated keys that no library would write."""
    blank = data.draw(st.sampled_from(["", "", " ", "\n\t"]))
    if isinstance(value, dict):
        pairs = [(key, inner) for key, inner in value.items()]
        if pairs and data.draw(st.booleans()):
            pairs.insert(0, (pairs[-1][0], data.draw(values)))
        inside = ",".join(
            f"{blank}{text(key, data)}{blank}:{blank}{written(inner, data)}" for key, inner in pairs
        )
        return f"{blank}{{{inside}{blank}}}{blank}"
    if isinstance(value, list):
        return f"[{blank}{','.join(written(inner, data) for inner in value)}]{blank}"
    return text(value, data) if isinstance(value, str) else json.dumps(value)


def text(value: str, data: st.DataObject) -> str:
    if data.draw(st.integers(0, 3)):
        return json.dumps(value, ensure_ascii=data.draw(st.booleans()))
    return '"' + "".join(f"\\u{ord(char):04x}" for char in value if ord(char) < 0x10000) + '"'


@given(st.dictionaries(words, values, max_size=5), st.data())
def test_only_the_name_changes(document: dict[str, Any], data: st.DataObject) -> None:
    raw = written({**document, "model": "old"}, data).encode()
    value = jsonio.loads(raw)
    renamed = rename_model(CHAT, raw, value, "NEW")
    assert jsonio.loads(renamed) == {**value, "model": "NEW"}
    # What is between the new names is what was between the old ones, byte for byte.
    rest = raw
    for piece in renamed.split(b'"NEW"'):
        at = rest.find(piece)
        assert at >= 0
        rest = rest[at + len(piece) :]
    assert renamed.startswith(raw[: renamed.index(b'"NEW"')])
    assert raw.endswith(renamed[renamed.rindex(b'"NEW"') + 5 :])


@table(
    ("action", "asked", "raw", "new", "wanted"),
    [
        (Action.EMBED, "old", b'{"model": "models/old", "content": {}}', "new",
         b'{"model": "models/new", "content": {}}'),
        (Action.EMBED, "old", b'{"model": "old"}', "new", b'{"model": "new"}'),
        (Action.EMBED, "old", b'{"model": "models/other"}', "new", b'{"model": "models/other"}'),
        (Action.EMBED, "old", b'{"model": 5}', "new", b'{"model": 5}'),
        (Action.BATCH_EMBED, "old",
         b'{"requests":[{"model":"models/old","content":{"model":"models/old"}},[],{},'
         b'{"content":{},"mod\\u0065l": "models\\/old"}]}', "a:1",
         b'{"requests":[{"model":"models/a:1","content":{"model":"models/old"}},[],{},'
         b'{"content":{},"mod\\u0065l": "models/a:1"}]}'),
        (Action.BATCH_EMBED, "old", b'{"requests": {"model": "models/old"}}', "new",
         b'{"requests": {"model": "models/new"}}'),
        (Action.BATCH_EMBED, "old", b'{"requests": "models/old", "other": [{"model": "old"}]}',
         "new", b'{"requests": "models/old", "other": [{"model": "old"}]}'),
        (Action.COUNT_TOKENS, "old",
         b'{"generateContentRequest": {"model": "models/old", "contents": []}}', "new",
         b'{"generateContentRequest": {"model": "models/new", "contents": []}}'),
        (Action.COUNT_TOKENS, "old", b'{"generate_content_request": {"model": "models/old"}}',
         "new", b'{"generate_content_request": {"model": "models/new"}}'),
        (Action.COUNT_TOKENS, "old", b'{"contents": [{"model": "models/old"}]}', "new",
         b'{"contents": [{"model": "models/old"}]}'),
        (Action.EMBED, "tunedModels/t", b'{"model": "tunedModels/t"}', "new",
         b'{"model": "models/new"}'),
        (Action.EMBED, "old", b'{"model": "models/old"}', "tunedModels/t",
         b'{"model": "tunedModels/t"}'),
        (Action.GENERATE, "old", b'{"contents": [], "model": "models/old"}', "new",
         b'{"contents": [], "model": "models/new"}'),
    ],
)  # fmt: skip
def test_rename_gemini(action: Action, asked: str, raw: bytes, new: str, wanted: bytes) -> None:
    assert rename(gemini(action, asked), raw, new) == wanted


def test_a_gemini_body_without_names_is_the_very_same() -> None:
    raw = b'{"contents": [{"parts": [{"text": "model"}]}]}'
    assert rename(gemini(), raw) is raw


@given(st.lists(st.tuples(values, st.sampled_from(["models/old", "old", "x", 5])), max_size=4),
       st.data())  # fmt: skip
def test_gemini_batches(requests: list[tuple[Any, Any]], data: st.DataObject) -> None:
    document = {"requests": [{"content": content, "model": name} for content, name in requests]}
    raw = written(document, data).encode()
    value = jsonio.loads(raw)
    wanted = {"models/old": "models/NEW", "old": "NEW"}
    for request in value["requests"]:
        request["model"] = wanted.get(request["model"], request["model"])
    renamed = rename_model(gemini(Action.BATCH_EMBED), raw, jsonio.loads(raw), "NEW")
    assert jsonio.loads(renamed) == value


PROJECT = "projects/p/locations/l/publishers"


@table(
    ("raw", "renamed"),
    [
        (b'{"model":"m"}', False),
        (b'{"x":{"model":"a"},"model":"m","messages":[{"model":"b"}]}', False),
        (rb'{"model":"m","x":"\u0061"}', False),
        (b'{"model":"other","model":"m"}', True),
        (rb'{"\u006dodel":"other","model":"m"}', True),
        (rb'{"model":"other","mode\u006C":"m"}', True),
    ],
)
def test_a_second_name_before_the_one_that_counts_here_is_changed(
    raw: bytes, renamed: bool
) -> None:
    """Some nodes use the first of duplicate keys."""
    value = jsonio.loads(raw)
    assert is_renamed(CHAT, raw, value, "m") is renamed
    if renamed:
        assert b"other" not in rename_model(CHAT, raw, value, "m")


def test_a_second_old_name_of_a_shown_model_is_changed() -> None:
    raw = b'{"name":"other","name":"m"}'
    assert is_renamed(SHOW, raw, jsonio.loads(raw), "m")
    assert rename_model(SHOW, raw, jsonio.loads(raw), "m") == b'{"name":"m","name":"m"}'


@table("last", ["null", '""'])
def test_a_model_before_an_empty_one_is_changed_too(last: str) -> None:
    """Go's decoder leaves a field as it is at a null."""
    raw = b'{"model":"other","model":%b,"name":"m"}' % last.encode()
    value = jsonio.loads(raw)
    assert is_renamed(SHOW, raw, value, "m")
    assert rename_model(SHOW, raw, value, "m") == b'{"model":"m","model":"m","name":"m"}'


@table("call", [CHAT, MESSAGES, COUNT, EMBED])
@table(
    ("written", "model"),
    [
        (f"{PROJECT}/google/models/m", "m"),
        ("publishers/google/models/gemma2:9b", "gemma2:9b"),
        ("publishers/meta/models/llama3.1:8b", "meta/llama3.1:8b"),
        ("models/publishers/google/models/m", "m"),
        ("projects", "projects"),
        ("models/m", "models/m"),
        ("google/gemini", "google/gemini"),
    ],
)
def test_vertex_names_are_unwrapped(call: Call, written: str, model: str) -> None:
    raw = json.dumps({"model": written}).encode()
    body = read_body(call, raw)
    assert body.model == model
    assert is_renamed(call, raw, body.value, model) is (written != model)
    assert json.loads(rename_model(call, raw, body.value, model)) == {"model": model}


@table(
    ("action", "shape"),
    [
        (Action.EMBED, lambda model: {"model": model}),
        (Action.BATCH_EMBED, lambda model: {"requests": [{"model": "models/m"}, {"model": model}]}),
        (Action.BATCH_EMBED, lambda model: {"requests": {"model": model}}),
        (Action.COUNT_TOKENS, lambda model: {"generateContentRequest": {"model": model}}),
    ],
)
def test_vertex_names_in_gemini_bodies(action: Action, shape: Any) -> None:
    call = gemini(action, "m")
    value = shape(f"{PROJECT}/google/models/m")
    raw = json.dumps(value).encode()
    assert is_renamed(call, raw, value, "m")
    assert json.loads(rename_model(call, raw, value, "m")) == shape("models/m")
    assert not is_renamed(call, b"", shape("models/m"), "m")
    other = shape(f"{PROJECT}/google/models/other")
    raw = json.dumps(other).encode()
    assert json.loads(rename_model(call, raw, other, "m")) == other


@table(
    ("raw", "wanted"),
    [
        (b'{"model" : "old", "verbose":true}', b'{"model" : "new", "verbose":true}'),
        (b'{"verbose":true, "name":"old"}', b'{"verbose":true, "name":"new"}'),
        (b'{"name":"a","model":"old"}', b'{"name":"a","model":"new"}'),
    ],
)
def test_an_old_client_of_ollama_names_the_model_otherwise(raw: bytes, wanted: bytes) -> None:
    value = json.loads(raw)
    assert is_renamed(SHOW, raw, value, "new")
    assert not is_renamed(SHOW, raw, value, "old")
    assert rename_model(SHOW, raw, value, "new") == wanted


@table(
    ("raw", "wanted"),
    [
        (b'{ "stream":true }', b'{"stream_options":{"include_usage":true}, "stream":true }'),
        (b'{"stream_options": null,"a":1}', b'{"stream_options": {"include_usage":true},"a":1}'),
        (
            b'{"a":1,"stream_options" :{"include_usage":false,"x":[1]} }',
            b'{"a":1,"stream_options" :{"include_usage":true,"x":[1]} }',
        ),
        (
            b'{"stream_options":{},"b":"stream_options","stream_options":{"y":1}}',
            b'{"stream_options":{"y":1,"include_usage":true},"b":"stream_options",'
            b'"stream_options":{"y":1,"include_usage":true}}',
        ),
        # The client asks, or has written what its node is to judge.
        (b'{"stream_options":{"include_usage":true}}', None),
        (b'{"stream_options":{"include_usage":"yes"}}', None),
        (b'{"stream_options":3}', None),
    ],
)
def test_nodes_are_asked_for_counts(raw: bytes, wanted: bytes | None) -> None:
    assert ask_for_counts(CHAT, raw, json.loads(raw)) == wanted
    completion = Call(Dialect.OPENAI, Action.COMPLETE, "d")
    assert ask_for_counts(completion, raw, json.loads(raw)) == wanted


def test_other_streams_have_counts_anyway() -> None:
    responses = Call(Dialect.RESPONSES, Action.RESPOND, "d")
    assert ask_for_counts(responses, b"{}", {}) is None
    assert ask_for_counts(MESSAGES, b"{}", {}) is None


def test_of_nothing_the_tokens_can_be_counted() -> None:
    call = Call(Dialect.RESPONSES, Action.COUNT_RESPONSE, None)
    assert read_body(call, b"{}", lambda: ["m"]).model == "m"
