"""Which files a request names, and where: by hand, and systematically for each surface."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.surfaces.file_references import FilePlace, FileReference, find_references
from casedesk_proxy.surfaces.json_spans import splice
from casedesk_proxy.terms import Action, Call, Dialect

SURFACES = {
    Action.GENERATE: Dialect.GEMINI,
    Action.COUNT_TOKENS: Dialect.GEMINI,
    Action.MESSAGES: Dialect.ANTHROPIC,
    Action.CHAT: Dialect.OPENAI,
    Action.RESPOND: Dialect.RESPONSES,
    Action.OLLAMA_CHAT: Dialect.OLLAMA,
}


def find(action: Action, body: Any, *, spaced: bool = False) -> list[FileReference]:
    raw = json.dumps(body, indent=2 if spaced else None).encode()
    return list(find_references(Call(SURFACES[action], action, None), raw))


def span_of(action: Action, body: Any, *, spaced: bool = False) -> Any:
    raw = json.dumps(body, indent=2 if spaced else None).encode()
    [one] = find(action, body, spaced=spaced)
    return raw[slice(*one.span)]


FILE = {"fileUri": "https://h/v1beta/files/abc", "mimeType": "image/png"}
SOURCE = {"type": "file", "file_id": "file_abc"}


def said(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


@pytest.mark.parametrize("spaced", [False, True])
def test_gemini(spaced: bool) -> None:
    body = {"contents": [{"parts": [{"text": "x"}, {"fileData": FILE, "videoMetadata": {}}]}]}
    [found] = find(Action.GENERATE, body, spaced=spaced)
    assert (found.place, found.path) == (FilePlace.PART, "contents[0].parts[1].fileData")
    assert (found.named, found.mime_type) == (FILE["fileUri"], "image/png")
    span = span_of(Action.GENERATE, body, spaced=spaced)
    assert json.loads(b"{" + span + b"}") == {"fileData": FILE}


def test_gemini_in_other_words() -> None:
    file = {"file_uri": "files/abc", "mime_type": "image/png"}
    single = {"contents": {"parts": {"file_data": file}}}
    [found] = find(Action.COUNT_TOKENS, {"generateContentRequest": single})
    assert found.path == "generateContentRequest.contents[0].parts[0].fileData"
    assert (found.named, found.mime_type) == ("files/abc", "image/png")
    answer = {"functionResponse": {"name": "f", "response": {}, "parts": [{"fileData": FILE}]}}
    [found] = find(Action.GENERATE, {"contents": [{"parts": [answer]}]})
    assert found.place is FilePlace.RESULT_PART
    assert found.path == "contents[0].parts[0].functionResponse.parts[0].fileData"


def test_what_a_function_was_given_names_no_file() -> None:
    for field in ("args", "response"):
        call = {"functionCall": {"name": "f", field: {"fileData": FILE, "parts": [FILE]}}}
        assert (
            find(Action.GENERATE, {"contents": [{"parts": [call, {"text": '"fileData"'}]}]}) == []
        )


def test_anthropic() -> None:
    image, document = {"type": "image", "source": SOURCE}, {"type": "document", "source": SOURCE}
    [found] = find(Action.MESSAGES, said({"type": "text", "text": "x"}, image))
    assert (found.place, found.named) == (FilePlace.IMAGE_SOURCE, "file_abc")
    assert found.path == "messages.0.content.1.source.file_id"
    assert json.loads(span_of(Action.MESSAGES, said(image))) == SOURCE
    [found] = find(Action.MESSAGES, said({"type": "tool_result", "content": [document]}))
    assert found.place is FilePlace.DOCUMENT_SOURCE
    assert found.path == "messages.0.content.0.content.0.source.file_id"


def test_anthropic_s_other_sources_name_no_file() -> None:
    inline = {"type": "image", "source": {"type": "base64", "data": "x" * 20_000, "file_id": "f"}}
    upload = {"type": "container_upload", "file_id": "file_abc"}
    assert find(Action.MESSAGES, said(inline, upload, {"type": "image"}, "text")) == []
    assert find(Action.MESSAGES, said({"type": "image", "source": "file_id"})) == []


@pytest.mark.parametrize("size", [16 * 1024, 16 * 1024 + 1])
def test_a_longer_text_is_content(size: int) -> None:
    """Its quotes are part of its size."""
    part = {"type": "input_file", "file_id": "f" * (size - 2)}
    body = {"input": [{"role": "user", "content": [part]}]}
    assert len(find(Action.RESPOND, body)) == (size == 16 * 1024)


def test_chat() -> None:
    part = {"type": "file", "file": {"file_id": "file-abc"}}
    [found] = find(Action.CHAT, said({"type": "text", "text": "x"}, part))
    assert (found.place, found.named) == (FilePlace.CHAT_PART, "file-abc")
    assert found.path == "messages[0].content[1].file.file_id"
    assert json.loads(span_of(Action.CHAT, said(part), spaced=True)) == part
    assert find(Action.CHAT, said({"type": "file", "file": {"file_data": "file_id"}})) == []


def test_responses() -> None:
    image = {"type": "input_image", "file_id": "file-abc", "detail": "low"}
    file = {"type": "input_file", "file_id": "file-abc"}
    body = {"input": [{"role": "user", "content": [image]}]}
    [found] = find(Action.RESPOND, body)
    assert (found.place, found.path) == (FilePlace.INPUT_IMAGE, "input[0].content[0].file_id")
    assert span_of(Action.RESPOND, body) == b'"file_id": "file-abc"'
    output = {"input": [{"type": "function_call_output", "output": [file]}]}
    [found] = find(Action.RESPOND, output)
    assert (found.place, found.path) == (FilePlace.INPUT_FILE, "input[0].output[0].file_id")
    assert json.loads(span_of(Action.RESPOND, output)) == file
    for part in ({"type": "input_text", "file_id": "f"}, {"type": "input_file", "file_id": None}):
        assert find(Action.RESPOND, {"input": [{"content": [part]}]}) == []


@pytest.mark.parametrize(
    "raw", [b'"file_id"', b'["file_id"]', b'{"file_id":', b'{"messages": 1, "file_id": 2}']
)
def test_what_is_no_request_names_none(raw: bytes) -> None:
    assert find_references(Call(Dialect.OPENAI, Action.CHAT, None), raw) == ()


def test_other_calls_name_none() -> None:
    assert find(Action.OLLAMA_CHAT, said({"type": "file", "file": {"file_id": "file-abc"}})) == []


URL = "https://h/a.png"


def find_web(action: Action, body: Any) -> list[FileReference]:
    assert find(action, body) == []
    raw = json.dumps(body).encode()
    return list(find_references(Call(SURFACES[action], action, None), raw, of_web=True))


def test_contents_of_the_web() -> None:
    chat = {"type": "image_url", "image_url": {"url": URL}}
    [found] = find_web(Action.CHAT, said(chat))
    assert (found.place, found.named, found.of_web) == (FilePlace.IMAGE_URL, URL, True)
    assert found.path == "messages[0].content[0].image_url.url"
    image = {"type": "image", "source": {"type": "url", "url": URL}}
    [found] = find_web(Action.MESSAGES, said(image))
    assert (found.place, found.named) == (FilePlace.IMAGE_SOURCE, URL)
    parts = [{"type": "input_image", "image_url": URL}, {"type": "input_file", "file_url": URL}]
    found, file = find_web(Action.RESPOND, {"input": [{"content": parts}]})
    assert (found.place, found.path) == (FilePlace.IMAGE_URL, "input[0].content[0].image_url")
    assert (file.place, file.path) == (FilePlace.INPUT_FILE, "input[0].content[1].file_url")


def test_what_is_inline_is_no_content_of_the_web() -> None:
    inline = "data:image/png;base64," + "A" * 20_000
    for url in (inline, "data:image/png;base64,AA", 1):
        assert find_web(Action.CHAT, said({"type": "image_url", "image_url": {"url": url}})) == []
    assert find_web(Action.CHAT, said({"type": "image_url", "image_url": URL})) == []


@pytest.mark.parametrize("size", [1000, 300_000])
@pytest.mark.parametrize("quotes", [1, 1000])
def test_references_are_found_in_bodies_of_any_size(size: int, quotes: int) -> None:
    part = {"type": "file", "file": {"file_id": "file-abc"}}
    texts = [{"type": "text", "text": "x" * (size // quotes)}] * quotes
    [found] = find(Action.CHAT, said(*texts, part))
    assert found.path == f"messages[0].content[{quotes}].file.file_id"
    assert find(Action.CHAT, said(*texts)) == []


def test_references_are_in_order_and_apart() -> None:
    web = {"url": URL}
    both = {"type": "file", "image_url": web, "file": {"file_id": "file-abc"}}
    [found] = find_references(
        Call(Dialect.OPENAI, Action.CHAT, None), json.dumps(said(both)).encode(), of_web=True
    )
    assert found.place is FilePlace.CHAT_PART
    image = {"type": "input_image", "file_id": "file-abc", "image_url": URL}
    raw = json.dumps({"input": [{"output": [image], "content": [image]}]}).encode()
    spans = [
        one.span
        for one in find_references(Call(Dialect.RESPONSES, Action.RESPOND, None), raw, of_web=True)
    ]
    assert len(spans) == 4
    assert spans == sorted(spans)


PDF = "JVBERi0xLjcK"
CHAT_FILE = {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}


def find_inline(action: Action, body: Any) -> list[tuple[FilePlace, str, bytes, bytes]]:
    """The place, the path, the containing part, and the content."""
    raw = json.dumps(body).encode()
    call = Call(SURFACES[action], action, None)
    assert find_references(call, raw, of_web=True) == ()
    found = []
    for one in find_references(call, raw, inline=True):
        assert one.content is not None
        found.append((one.place, one.path, raw[slice(*one.span)], raw[slice(*one.content)]))
    return found


@pytest.mark.parametrize(
    ("name", "mime_name", "mime"),
    [
        ("inlineData", "mimeType", "application/pdf"),
        ("inline_data", "mime_type", "Application/PDF; charset=binary"),
    ],
)
def test_a_pdf_of_a_gemini_request(name: str, mime_name: str, mime: str) -> None:
    blob = {"data": PDF, mime_name: mime}
    body = {"contents": [{"parts": [{"text": "x"}, {name: blob}]}]}
    [found] = find_inline(Action.GENERATE, body)
    assert found[:2] == (FilePlace.PART, "contents[0].parts[1].inlineData")
    assert json.loads(b"{" + found[2] + b"}") == {name: blob}
    assert found[3] == PDF.encode()


def test_a_pdf_of_an_anthropic_request() -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    block = {"type": "document", "source": source}
    result = {"type": "tool_result", "content": [block]}
    found = find_inline(Action.MESSAGES, said(block, result))
    path = "messages.0.content.0.source"
    assert found[0][:2] == (FilePlace.DOCUMENT_SOURCE, path)
    assert json.loads(found[0][2]) == source
    assert [one[3] for one in found] == [PDF.encode()] * 2


@pytest.mark.parametrize("data", [CHAT_FILE["file_data"], PDF])
def test_a_pdf_of_a_chat_and_of_responses(data: str) -> None:
    part = {"type": "file", "file": CHAT_FILE | {"file_data": data}}
    [found] = find_inline(Action.CHAT, said(part))
    path = "messages[0].content[0].file.file_data"
    assert found[:2] == (FilePlace.CHAT_PART, path)
    assert (json.loads(found[2]), found[3]) == (part, PDF.encode())
    item = {"type": "input_file"} | CHAT_FILE | {"file_data": data}
    [found] = find_inline(Action.RESPOND, {"input": [{"content": [item]}]})
    assert found[:2] == (FilePlace.INPUT_FILE, "input[0].content[0].file_data")
    assert (json.loads(found[2]), found[3]) == (item, PDF.encode())


@pytest.mark.parametrize(
    ("action", "body"),
    [
        (
            Action.GENERATE,
            {
                "contents": [
                    {
                        "parts": [
                            {"inlineData": {"mimeType": "image/png", "data": PDF}},
                            {"inlineData": {"mimeType": "application/pdf", "data": 1}},
                            {"inlineData": {"mimeType": "application/pdf"}},
                            {"inlineData": {"mimeType": "x" * 400, "data": PDF}},
                            {"inlineData": "application/pdf"},
                        ]
                    }
                ]
            },
        ),
        (
            Action.MESSAGES,
            said(
                {"type": "image", "source": {"type": "base64", "media_type": "application/pdf"}},
                {"type": "document"},
                {"type": "document", "source": "base64"},
                {"type": "document", "source": {"type": "base64", "data": PDF}},
            ),
        ),
        (
            Action.CHAT,
            said(
                {"type": "file", "file": {"file_data": "data:text/plain;base64,eA=="}},
                {"type": "file", "file": {"file_data": 1}},
                {"type": "file", "file": "file_data"},
            ),
        ),
        (Action.RESPOND, {"input": [{"content": [{"type": "input_text"} | CHAT_FILE]}]}),
    ],
)
def test_everything_else_is_left(action: Action, body: Any) -> None:
    assert find_inline(action, body) == []


NAMES = (
    *("contents", "parts", "fileData", "file_data", "fileUri", "functionResponse", "messages"),
    *("content", "type", "source", "file_id", "file", "image_url", "url", "input", "output"),
    *("file_url", "generateContentRequest", "inlineData", "mimeType", "media_type", "data"),
    "file_data",
)
WORDS = (
    "file",
    "url",
    "image",
    "document",
    "tool_result",
    "input_image",
    "input_file",
    "file-a",
    "application/pdf",
    PDF,
    URL,
)
values = st.recursive(
    st.sampled_from(WORDS) | st.none() | st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=25,
)


@given(st.dictionaries(st.sampled_from(NAMES), values), st.sampled_from([*SURFACES]))
def test_what_takes_a_reference_s_place_leaves_a_body(body: Any, action: Action) -> None:
    """Whatever a client sends, the result is a valid body."""
    raw = json.dumps(body).encode()
    found = find_references(Call(SURFACES[action], action, None), raw, of_web=True, inline=True)
    fields = (FilePlace.PART, FilePlace.RESULT_PART, FilePlace.INPUT_IMAGE)
    json.loads(
        splice(raw, [(one.span, b'"x":1' if one.place in fields else b"1") for one in found])
    )
