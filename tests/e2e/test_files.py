"""Files, by the SDKs that people use: uploaded once, named in requests to a real llama-server that
takes images and knows no files, and deleted."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import errors, types

from tests.files.test_pdf_texts import make_pdf
from tests.fixtures.proxy import ProxyProcess, key_entry, proxy_process
from tests.nodes.llama_server import LlamaNode
from tests.nodes.tiny_model import REPLY, RING
from tests.nodes.tiny_projector import IMAGE_TOKENS, make_image

#: The SDK's own session class, made when its async client first asks.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")

KEY, OTHER_KEY = "files-key-1", "files-key-2"


@pytest.fixture(scope="module")
def proxy(
    tmp_path_factory: pytest.TempPathFactory, seeing_node: LlamaNode
) -> Iterator[ProxyProcess]:
    folder = tmp_path_factory.mktemp("files")
    config = {
        "server": {"state_directory": str(folder / "state")},
        "default_deployment": "d",
        "nodes": {"llama": {"url": seeing_node.url, "engine": "llama-server"}},
        "deployments": {"d": {"nodes": ["llama"], "documents": "text"}},
        "keys": [key_entry(KEY, "d"), key_entry(OTHER_KEY, "d", name="bob")],
    }
    with proxy_process(folder, config) as running:
        yield running


def google(proxy: ProxyProcess, key: str = KEY) -> genai.Client:
    options = types.HttpOptions(base_url=f"{proxy.url}/proxy/d/gemini")
    return genai.Client(api_key=key, vertexai=False, http_options=options)


def tokens(reply: types.GenerateContentResponse) -> int:
    assert reply.usage_metadata is not None
    return reply.usage_metadata.prompt_token_count or 0


def test_google_genai(proxy: ProxyProcess, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(make_image())
    with google(proxy) as ai:
        file = ai.files.upload(file=str(tmp_path / "red.png"))
        assert file.state == types.FileState.ACTIVE
        with_file = ai.models.generate_content(model="tiny", contents=["What is it?", file])
        without = ai.models.generate_content(model="tiny", contents=["What is it?"])
        assert with_file.text == REPLY
        assert tokens(with_file) >= tokens(without) + IMAGE_TOKENS
        pieces = ai.models.generate_content_stream(model="tiny", contents=["What is it?", file])
        assert "".join(piece.text or "" for piece in pieces) == REPLY
        assert file.name in [one.name for one in ai.files.list()]
        with google(proxy, OTHER_KEY) as other, pytest.raises(errors.ClientError, match="403"):
            other.models.generate_content(model="tiny", contents=["What is it?", file])
        ai.files.delete(name=file.name or "")
        with pytest.raises(errors.ClientError, match="permission to access the File"):
            ai.models.generate_content(model="tiny", contents=["What is it?", file])


async def test_google_genai_async(proxy: ProxyProcess) -> None:
    async with google(proxy).aio as ai:
        config = types.UploadFileConfig(mime_type="text/plain", display_name="notes")
        file = await ai.files.upload(file=io.BytesIO(b"Say endless things"), config=config)
        assert (file.display_name, file.size_bytes) == ("notes", 18)
        reply = await ai.models.generate_content(
            model="tiny",
            contents=["Hi", file],
            config=types.GenerateContentConfig(max_output_tokens=5),
        )
        # It has read what is in the file.
        assert "".join(RING[:4]) in (reply.text or "").replace(" ", "")
        counted = await ai.models.count_tokens(model="tiny", contents=["Hi", file])
        assert (counted.total_tokens or 0) > 4
        await ai.files.delete(name=file.name or "")


def test_google_generativeai(proxy: ProxyProcess, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import google.generativeai as old
    (tmp_path / "red.png").write_bytes(make_image())
    address = f"{proxy.url}/proxy/d/gemini"
    old.configure(api_key=KEY, transport="rest", client_options={"api_endpoint": address})
    uri = upload(proxy, tmp_path / "red.png")
    part = {"file_data": {"file_uri": uri, "mime_type": "image/png"}}
    reply = old.GenerativeModel("tiny").generate_content(["What is it?", part])
    assert reply.text == REPLY


def upload(proxy: ProxyProcess, path: Path) -> str:
    with google(proxy) as ai:
        return ai.files.upload(file=str(path)).uri or ""


def test_anthropic(proxy: ProxyProcess) -> None:
    with anthropic.Anthropic(
        api_key=KEY, base_url=f"{proxy.url}/proxy/d/anthropic", max_retries=0
    ) as client:
        picture = client.beta.files.upload(file=("red.png", make_image(), "image/png"))
        document = client.beta.files.upload(
            file=("a.pdf", make_pdf("Some pages"), "application/pdf")
        )
        assert picture.id in [one.id for one in client.beta.files.list()]
        for kind, file in (("image", picture), ("document", document)):
            block: Any = {"type": kind, "source": {"type": "file", "file_id": file.id}}
            reply = client.beta.messages.create(
                model="tiny", max_tokens=50, betas=["files-api-2025-04-14"],
                messages=[{"role": "user", "content": [block]}],
            )  # fmt: skip
            [text] = reply.content
            assert text.type == "text"
            assert text.text == REPLY
        client.beta.files.delete(picture.id)
        gone: Any = {"type": "image", "source": {"type": "file", "file_id": picture.id}}
        with pytest.raises(anthropic.NotFoundError, match="File not found"):
            client.beta.messages.create(
                model="tiny", max_tokens=5, messages=[{"role": "user", "content": [gone]}]
            )


def test_openai(proxy: ProxyProcess) -> None:
    with openai.OpenAI(
        api_key=KEY, base_url=f"{proxy.url}/proxy/d/openai/v1", max_retries=0
    ) as client:
        file = client.files.create(file=("red.png", make_image(), "image/png"), purpose="vision")
        part: Any = {"type": "file", "file": {"file_id": file.id}}
        chat = client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": [part]}]
        )
        assert chat.choices[0].message.content == REPLY
        seen: Any = {"type": "input_image", "file_id": file.id, "detail": "auto"}
        reply = client.responses.create(model="tiny", input=[{"role": "user", "content": [seen]}])
        assert reply.output_text == REPLY
        assert client.files.content(file.id).content == make_image()
        client.files.delete(file.id)
        with pytest.raises(openai.NotFoundError, match="No such File"):
            client.responses.create(model="tiny", input=[{"role": "user", "content": [seen]}])


def test_a_file_of_one_surface_is_used_on_another(proxy: ProxyProcess, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(make_image())
    ident = upload(proxy, tmp_path / "red.png").rpartition("/")[2]
    part: Any = {"type": "file", "file": {"file_id": f"file-{ident}"}}
    with openai.OpenAI(api_key=KEY, base_url=f"{proxy.url}/v1", max_retries=0) as client:
        chat = client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": [part]}]
        )
    assert chat.choices[0].message.content == REPLY


def test_what_is_no_image_is_the_node_s_to_refuse(proxy: ProxyProcess, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image at all")
    with google(proxy) as ai:
        file = ai.files.upload(file=str(tmp_path / "bad.png"))
        with pytest.raises(errors.ClientError) as caught:
            ai.models.generate_content(model="tiny", contents=[file])
    assert caught.value.code == 400
    assert "fileUri" not in json.dumps(str(caught.value))
