"""URLs in relayed requests are found in every place that a node reads, in every spelling."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.dialects.core.addresses import find_addresses, refuse_addresses
from casedesk_proxy.errors import BadRequest
from casedesk_proxy.jsonio import loads
from casedesk_proxy.terms import Action, Call, Dialect
from tests.fixtures.table import table

WEB = "http://169.254.169.254/latest"
CALLS = {
    "chat": Call(Dialect.OPENAI, Action.CHAT, None),
    "messages": Call(Dialect.ANTHROPIC, Action.MESSAGES, None),
    "responses": Call(Dialect.RESPONSES, Action.RESPOND, None),
    "gemini": Call(Dialect.GEMINI, Action.GENERATE, None),
    "embeddings": Call(Dialect.OPENAI, Action.EMBEDDINGS, None),
}


def asked(*parts: Any) -> dict[str, Any]:
    return {"messages": [{"content": "a"}, {"role": "user", "content": ["x", *parts]}]}


@table(
    ("call", "body", "place"),
    [
        ("chat", asked({"type": "image_url", "image_url": {"url": WEB}}),
         "messages[1].content[1].image_url.url"),
        ("chat", asked({"type": "video_url", "video_url": WEB}),
         "messages[1].content[1].video_url"),
        ("chat", asked({"image": "file:/etc/passwd"}), "messages[1].content[1].image"),
        ("chat", asked({"audio_url": {"url": " \tHT\nTPS://h"}}),
         "messages[1].content[1].audio_url.url"),
        ("chat", {"messages": [{"content": {"image_url": WEB}}]}, "messages[0].content.image_url"),
        ("messages", asked({"type": "image", "source": {"type": "url", "url": WEB}}),
         "messages.1.content.1.source.url"),
        ("messages", asked({"type": "tool_result", "content": [
            {"type": "document", "source": {"url": WEB, "type": "url"}}]}),
         "messages.1.content.1.content.0.source.url"),
        ("responses", {"input": [{"content": [{"type": "input_image", "image_url": WEB}]}]},
         "input[0].content[0].image_url"),
        ("responses", {"input": [1, {"output": [{"file_url": WEB}]}]},
         "input[1].output[0].file_url"),
        ("gemini", {"contents": [{"parts": [{"fileData": {"fileUri": WEB}}]}]},
         "contents[0].parts[0].fileData.fileUri"),
        ("gemini", {"contents": [{"parts": [{"functionResponse": {"parts": [
            {"file_data": {"file_uri": "gs://b/o"}}]}}]}]},
         "contents[0].parts[0].functionResponse.parts[0].file_data.file_uri"),
        ("embeddings", {"inputs": [[{"image": WEB}]]}, "inputs[0][0].image"),
        ("embeddings", {"images": ["aGk=", WEB]}, "images"),
        ("responses", {"input": "x", "tools": [
            {"type": "function"}, {"type": "mcp", "server_url": WEB}]}, "tools[1].server_url"),
        ("messages", {"messages": [{"role": "user", "content": "a"}],
            "mcp_servers": [7, {"type": "url", "url": WEB}]}, "mcp_servers.1.url"),
        # In another case, as nodes in Go take them, too.
        ("chat", asked({"type": "image_url", "Image_URL": {"url": "data:,", "URL": WEB}}),
         "messages[1].content[1].Image_URL.url"),
        ("chat", asked({"mas\u212a": WEB}), "messages[1].content[1].mas\u212a"),
        ("chat", {"messages": [{"content": "a", "Content": [{"image": WEB}]}]},
         "messages[0].content[0].image"),
        ("chat", {"messages": [{"role": "user", "content": "a", "CONTENT": {"image": WEB}}]},
         "messages[0].content.image"),
        ("responses", {"input": "x", "tools": [{"Server_URL": WEB}]}, "tools[0].server_url"),
    ],
)  # fmt: skip
def test_where_one_is(call: str, body: Any, place: str) -> None:
    assert list(find_addresses(CALLS[call], body)) == [place]
    with pytest.raises(BadRequest) as caught:
        refuse_addresses(CALLS[call], body)
    assert caught.value.code == "url_not_fetched"
    assert [one.path for one in caught.value.violations] == [place]
    assert "nodes_fetch_urls" in caught.value.message


@table(
    ("call", "body"),
    [
        ("chat", asked({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}})),
        ("chat", asked({"type": "image_url", "image_url": {"url": "iVBORw0KGgo="}})),
        ("chat", asked({"type": "text", "text": WEB, "url": WEB, "image_url": {"url": 7}})),
        ("chat", {"messages": [{"content": WEB}, 7, {"content": None}], "input": "x"}),
        ("chat", {"messages": [{"content": WEB}, {"content": "x"}]}),
        ("messages", asked({"type": "tool_use", "input": {"image_url": WEB}})),
        ("gemini", {"contents": [{"parts": [{"functionCall": {"args": {"image_url": WEB}}}]}]}),
        ("gemini", {"contents": [{"parts": [{"fileData": {"fileUri": "files/x"}}]}]}),
        ("responses", {"input": "http://h"}),
        ("responses", {"input": "x", "tools": [{"type": "mcp", "server_label": WEB}]}),
        ("chat", {"messages": [{"role": "user", "content": WEB, "Name": "x", "Tool_calls": []}]}),
        ("embeddings", {"prompt": [WEB, "x"], "n": 1}),
    ],
)
def test_where_none_is(call: str, body: Any) -> None:
    assert list(find_addresses(CALLS[call], body)) == []
    refuse_addresses(CALLS[call], body)


def test_a_node_s_own_path_is_looked_through_whole() -> None:
    call = Call(Dialect.OPENAI, Action.CHAT, None, path="/score")
    body = {"data_1": {"content": [{"image_url": {"url": WEB}}]}, "input": {"image": WEB}}
    assert list(find_addresses(call, body)) == ["data_1.content[0].image_url.url", "input.image"]


@table(
    ("path", "body", "place"),
    [
        # LocalAI (core/http/endpoints/openai/image.go).
        ("/v1/images/generations", {"prompt": WEB, "file": WEB}, "file"),
        ("/v1/images/generations", {"File": {"url": WEB}, "a": {"file": WEB}}, "File.url"),
        ("/v1/images/generations", {"prompt": "a: b", "files": ["aGk=", WEB]}, "files"),
        ("/v1/images/generations", {"Ref_Images": [WEB]}, "Ref_Images"),
        # vLLM-Omni (entrypoints/openai/serving_speech.py).
        ("/v1/audio/speech", {"input": WEB, "ref_text": WEB, "ref_audio": WEB}, "ref_audio"),
    ],
)
def test_requests_for_images_and_speech(path: str, body: Any, place: str) -> None:
    action = Action(path.removeprefix("/v1/"))
    call = Call(Dialect.OPENAI, action, None, path=path)
    assert list(find_addresses(call, body)) == [place]


@table(
    ("action", "body"),
    [
        (Action.DRAW, {"files": ["C:\\x.png"], "prompt": "a", "metadata": {"image": WEB}}),
        (Action.SPEAK, {"input": WEB, "voice": "a", "instructions": WEB}),
        (Action.RERANK, {"query": "q", "documents": [{"file": WEB, "cover_image": WEB}]}),
        (Action.RERANK, {"query": "q", "documents": [{"text": "a", "file": "C:\\docs\\a.pdf"}]}),
        (Action.SCORE, {"queries": "x", "items": [{"last_video": "Foo: bar"}], "file": "a: b"}),
        (Action.INFILL, {"input_prefix": "x", "input_extra": [{"file": "file:///a.py"}]}),
        (Action.COMPLETE, {"prompt": "x", "metadata": {"files": [WEB], "image": WEB}}),
        (Action.OLLAMA_GENERATE, {"format": {"default": {"file": WEB, "image": WEB}}}),
        (Action.COUNT_CHAT, {"messages": [], "tools": [{"default": {"image": WEB}}]}),
        (Action.COMPLETE, {"response_format": {"schema": {"const": {"image": WEB}}}}),
    ],
)  # fmt: skip
def test_data_of_the_client_that_no_node_fetches(action: Action, body: Any) -> None:
    refuse_addresses(Call(Dialect.OPENAI, action, None, path=f"/{action}"), body)


@table(
    ("call", "body"),
    [
        ("messages", asked({"type": "web_fetch_tool_result", "content": {"file": "a: b"}})),
        ("chat", asked({"type": "file", "file": {"file_data": "data:,", "filename": WEB}})),
        ("chat", asked({"type": "text", "text": "a"}) | {"metadata": {"file": WEB, "image": WEB}}),
        ("chat", asked({"type": "text", "text": "a"}) | {"tools": [
            {"function": {"parameters": {"default": {"url": WEB, "image": WEB}}}}]}),
    ],
)  # fmt: skip
def test_data_of_the_client_beside_parts(call: str, body: Any) -> None:
    refuse_addresses(CALLS[call], body)


def test_a_refusal_names_some_places() -> None:
    with pytest.raises(BadRequest) as caught:
        refuse_addresses(CALLS["chat"], asked(*[{"image_url": WEB}] * 30))
    assert len(caught.value.violations) == 20


URL = '{"url": "http://169.254.169.254/"}'
PART = f'{{"type": "image_url", "image_url": {URL}}}'


@table(
    ("raw", "place"),
    [
        (f'{{"messages": [{{"content": [{PART}], "content": "hi"}}]}}',
         "messages[0].content[0].image_url.url"),
        (f'{{"messages": [{{"content": [{PART}]}}], "messages": [{{"content": "hi"}}]}}',
         "messages[0].content[0].image_url.url"),
        (f'{{"messages": [{{"content": [{PART[:-1]}, "image_url": {{}}}}]}}]}}',
         "messages[0].content[0].image_url.url"),
        (f'{{"messages": [{{"content": [{{"image_url": {URL[:-1]}, "url": "data:,"}}}}]}}]}}',
         "messages[0].content[0].image_url.url"),
        ('{"messages": [{"content": [{"source": {"type":"url", "url":"file:/x", "url": 1}}]}]}',
         "messages[0].content[0].source.url"),
        ('{"contents": [{"parts": [{"fileData": {"fileUri": "http://h"}, "fileData": {}}]}]}',
         "contents[0].parts[0].fileData.fileUri"),
        ('{"mcp_servers": [{"url": "http://h"}], "mcp_servers": [], "input": 1}',
         "mcp_servers[0].url"),
        ('{"inputs": {"image_url": ["http://h"]}, "inputs": 1}', "inputs.image_url"),
    ],
)  # fmt: skip
def test_one_before_a_field_of_the_same_name_is_refused(raw: str, place: str) -> None:
    with pytest.raises(BadRequest) as caught:
        refuse_addresses(CALLS["chat"], loads(raw), raw.encode())
    assert caught.value.code == "url_not_fetched"
    assert [one.path for one in caught.value.violations] == [place]


@table(
    "raw",
    [
        '{"messages": [{"content": "a"}], "metadata": {"url": "http://h", "url": "http://i"}}',
        '{"messages": [{"content": "a"}], "tools": [{"url": "http://h"}], "tools": []}',
        '{"messages": [{"content": [{"image_url": "aGk=", "image_url": "aGk="}]}]}',
        '{"messages": [{"content": "hi"}], "model": "x", "model": "y", "safari": [{"ri": 1}]}',
    ],
)  # fmt: skip
def test_a_harmless_one_before_a_field_of_the_same_name_is_not(raw: str) -> None:
    refuse_addresses(CALLS["chat"], loads(raw), raw.encode())


def test_a_body_that_is_too_deep_to_be_searched_is_refused() -> None:
    call = Call(Dialect.OPENAI, Action.CHAT, None, path="/score")
    raw = '{"a": ' * 1020 + "1" + "}" * 1020
    with pytest.raises(BadRequest, match="nested too deeply to search it for URLs"):
        refuse_addresses(call, loads(raw), raw.encode())
