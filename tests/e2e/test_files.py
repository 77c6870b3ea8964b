"""Files with the vendors' SDKs for Python: from a path and from memory, sync and async."""

from __future__ import annotations

import asyncio
import gc
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.proxy import proxy_process
from tests.fixtures.sdks import anthropic, genai, generativeai, google_errors, openai
from tests.nodes.llama_server import LlamaNode
from tests.nodes.tiny_projector import IMAGE_TOKENS, make_image

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")

#: More than a piece of Google's SDK, which has 8 MiB.
CONTENT = b"0123456789abcdef" * (9 * 2**16)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("files")
    config = {
        "server": {"state_directory": str(folder / "state"), "access_log": False},
        "default_deployment": "d",
        "nodes": {"n": {"url": "http://127.0.0.1:1", "engine": "vllm", "models": ["m"]}},
        "deployments": {"d": {"nodes": ["n"], "auth": "none"}},
    }
    with proxy_process(folder, config) as proxy:
        yield proxy.url


def test_google_genai(url: str, tmp_path: Path) -> None:
    path = tmp_path / "n.bin"
    path.write_bytes(CONTENT)
    options: Any = {"base_url": f"{url}/proxy/d/gemini"}
    with genai.Client(api_key="x", vertexai=False, http_options=options) as ai:
        config: Any = {"mime_type": "text/plain", "display_name": "Näme"}
        file = ai.files.upload(file=path, config=config)
        assert (file.size_bytes, file.display_name, file.state) == (len(CONTENT), "Näme", "ACTIVE")
        assert file.name is not None
        assert ai.files.download(file=file) == CONTENT
        assert file.uri is not None
        assert ai.files.get(name=file.uri).name == file.name
        mine = ai.files.upload(
            file=io.BytesIO(b"abc"), config={"mime_type": "text/plain", "name": "mine"}
        )
        assert mine.name == "files/mine"
        assert {one.name for one in ai.files.list(config={"page_size": 1})} >= {
            file.name,
            mine.name,
        }
        assert ai.files.get(name="mine").mime_type == "text/plain"
        for name in (file.name, "mine"):
            ai.files.delete(name=name)
        with pytest.raises(genai.errors.ClientError, match="403 PERMISSION_DENIED"):
            ai.files.get(name=file.name)
        bad: Any = {"mime_type": "text/plain", "name": "-bad"}
        with pytest.raises(genai.errors.ClientError, match=r"file\.name"):
            ai.files.upload(file=io.BytesIO(b"abc"), config=bad)


# Its client for pieces is the SDK's own, and is closed by nobody.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_google_genai_async(url: str, tmp_path: Path) -> None:
    path = tmp_path / "n.bin"
    path.write_bytes(CONTENT)
    options: Any = {"base_url": url}

    async def use() -> None:
        ai = genai.Client(api_key="x", vertexai=False, http_options=options).aio
        file = await ai.files.upload(file=str(path), config={"mime_type": "image/png"})
        assert file.name is not None
        assert file.size_bytes == len(CONTENT)
        assert file.name in [one.name async for one in await ai.files.list()]
        await ai.files.delete(name=file.name)
        await ai.aclose()

    asyncio.run(use())
    gc.collect()


# Its upload asks Google's own host where to send the file, whatever endpoint is set.
def test_google_generativeai(url: str) -> None:
    options: Any = {"base_url": f"{url}/proxy/d/gemini"}
    with genai.Client(api_key="x", vertexai=False, http_options=options) as ai:
        file = ai.files.upload(file=io.BytesIO(b"abc"), config={"mime_type": "text/plain"})
    endpoint = {"api_endpoint": f"{url}/proxy/d/gemini"}
    generativeai.configure(api_key="x", transport="rest", client_options=endpoint)
    found = generativeai.get_file(file.name)
    assert (found.size_bytes, found.state.name, found.name) == (3, "ACTIVE", file.name)
    assert file.name in [one.name for one in generativeai.list_files(page_size=1)]
    generativeai.delete_file(file.name)
    with pytest.raises(google_errors.Forbidden, match="may not exist"):
        generativeai.get_file(file.name)


def test_openai(url: str) -> None:
    with openai.OpenAI(api_key="x", base_url=f"{url}/v1", max_retries=0) as ai:
        file = ai.files.create(file=("n.txt", CONTENT), purpose="user_data")
        other = ai.files.create(file=("m.txt", b"abc"), purpose="vision")
        assert {one.id for one in ai.files.list(limit=1)} >= {file.id, other.id}
        assert [one.id for one in ai.files.list(purpose="vision")] == [other.id]
        assert (file.bytes, file.filename, file.purpose) == (len(CONTENT), "n.txt", "user_data")
        assert ai.files.wait_for_processing(file.id).status == "processed"
        assert file.id in [one.id for one in ai.files.list(limit=1)]
        assert ai.files.content(file.id).read() == CONTENT
        assert ai.files.delete(file.id).deleted
        with pytest.raises(openai.NotFoundError, match="No such File object"):
            ai.files.retrieve(file.id)


def test_anthropic(url: str) -> None:
    with anthropic.Anthropic(api_key="x", base_url=url, max_retries=0) as ai:
        file = ai.beta.files.upload(file=("n.txt", CONTENT, "text/plain"))
        assert (file.size_bytes, file.filename, file.downloadable) == (len(CONTENT), "n.txt", True)
        kept = ai.files.upload(file=("m.txt", b"abc", "text/plain"), expires_in_seconds=3600)
        assert kept.expires_at is not None
        assert (kept.expires_at - kept.created_at).total_seconds() == pytest.approx(3600, abs=60)
        assert {kept.id, file.id} <= {one.id for one in ai.beta.files.list(limit=1)}
        assert [one.id for one in ai.files.list(ids=[kept.id, "file_none"])] == [kept.id]
        assert ai.files.delete(kept.id).id == kept.id
        assert ai.beta.files.download(file.id).read() == CONTENT
        assert ai.beta.files.delete(file.id).type == "file_deleted"
        with pytest.raises(anthropic.NotFoundError, match="File not found"):
            ai.beta.files.retrieve_metadata(file.id)


def test_an_image_is_uploaded_once_and_seen_on_every_surface(
    seeing_node: LlamaNode, tmp_path: Path
) -> None:
    config = {
        "server": {"state_directory": str(tmp_path / "state"), "access_log": False},
        "default_deployment": "d",
        "nodes": {"n": {"url": seeing_node.url, "engine": "llama-server"}},
        "deployments": {"d": {"nodes": ["n"], "auth": "none"}},
    }
    with proxy_process(tmp_path, config) as proxy:
        options: Any = {"base_url": proxy.url}
        with genai.Client(api_key="x", vertexai=False, http_options=options) as ai:
            file = ai.files.upload(file=io.BytesIO(make_image()), config={"mime_type": "image/png"})
            assert file.name is not None
            short: Any = {"max_output_tokens": 2}
            tokens = [
                ai.models.generate_content(model="tiny", contents=asked, config=short)
                for asked in (["What is this?"], ["What is this?", file])
            ]
            plain, seen = [one.usage_metadata.prompt_token_count for one in tokens]  # type: ignore[union-attr]
        assert seen >= plain + IMAGE_TOKENS
        ident = file.name.removeprefix("files/")
        with anthropic.Anthropic(api_key="x", base_url=proxy.url, max_retries=0) as ai:
            source: Any = {"type": "file", "file_id": f"file_{ident}"}
            content: Any = [
                {"type": "text", "text": "What is this?"},
                {"type": "image", "source": source},
            ]
            reply = ai.beta.messages.create(
                model="tiny", max_tokens=2, messages=[{"role": "user", "content": content}]
            )
            cached = reply.usage.cache_read_input_tokens or 0
            assert reply.usage.input_tokens + cached >= plain + IMAGE_TOKENS
        with openai.OpenAI(api_key="x", base_url=f"{proxy.url}/v1", max_retries=0) as ai:
            part: Any = {"type": "file", "file": {"file_id": f"file-{ident}"}}
            text: Any = {"type": "text", "text": "What is this?"}
            chat = ai.chat.completions.create(
                model="tiny", max_tokens=2, messages=[{"role": "user", "content": [text, part]}]
            )
            assert chat.usage is not None
            assert chat.usage.prompt_tokens >= plain + IMAGE_TOKENS
            image: Any = {"type": "input_image", "file_id": f"file-{ident}"}
            text = {"type": "input_text", "text": "What is this?"}
            response = ai.responses.create(
                model="tiny",
                max_output_tokens=16,
                input=[{"role": "user", "content": [text, image]}],
            )
            assert response.usage is not None
            assert response.usage.input_tokens >= plain + IMAGE_TOKENS
