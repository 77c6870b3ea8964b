"""PDFs in requests of the vendors' SDKs, to a node that does not read PDFs."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.files.test_pdf_texts import make_pdf
from tests.fixtures.proxy import ProxyProcess, proxy_process
from tests.fixtures.sdks import anthropic, genai, openai
from tests.fixtures.simulated import SimulatorThread, simulator_thread

#: Its base64 has every letter, and padding.
PDF = make_pdf("The word is walrus", *("~?>" * n for n in range(1, 9)))
DATA = base64.b64encode(PDF).decode()
URL = f"data:application/pdf;base64,{DATA}"
ASKED = "What is the word?"


@pytest.fixture(scope="module")
def node() -> Iterator[SimulatorThread]:
    with simulator_thread() as node:
        yield node


@pytest.fixture(scope="module")
def proxy(node: SimulatorThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp("pdfs")
    config = {
        "server": {"access_log": False},
        "default_deployment": "d",
        "nodes": {"n": {"url": node.url, "engine": "tgi", "models": ["gemma2:9b"]}},
        "deployments": {"d": {"nodes": ["n"], "auth": "none", "documents": "text"}},
    }
    with proxy_process(folder, config) as proxy:
        yield proxy


def ask_google(url: str) -> None:
    options: Any = {"base_url": url}
    part: Any = genai.types.Part.from_bytes(data=PDF, mime_type="application/pdf")
    with genai.Client(api_key="x", vertexai=False, http_options=options) as ai:
        assert ai.models.generate_content(model="gemma2:9b", contents=[part, ASKED]).text


def ask_anthropic(url: str) -> None:
    source: Any = {"type": "base64", "media_type": "application/pdf", "data": DATA}
    content: Any = [{"type": "document", "source": source}, {"type": "text", "text": ASKED}]
    with anthropic.Anthropic(api_key="x", base_url=url, max_retries=0) as ai:
        messages: Any = [{"role": "user", "content": content}]
        assert ai.messages.create(model="gemma2:9b", max_tokens=9, messages=messages).content


def ask_chat(url: str) -> None:
    part = {"type": "file", "file": {"filename": "a.pdf", "file_data": URL}}
    messages: Any = [{"role": "user", "content": [part, {"type": "text", "text": ASKED}]}]
    with openai.OpenAI(api_key="x", base_url=f"{url}/v1", max_retries=0) as ai:
        assert ai.chat.completions.create(model="gemma2:9b", messages=messages).choices


def ask_responses(url: str) -> None:
    part = {"type": "input_file", "filename": "a.pdf", "file_data": URL}
    asked: Any = [{"role": "user", "content": [part, {"type": "input_text", "text": ASKED}]}]
    with openai.OpenAI(api_key="x", base_url=f"{url}/v1", max_retries=0) as ai:
        assert ai.responses.create(model="gemma2:9b", input=asked).output_text


@pytest.mark.parametrize("ask", [ask_google, ask_anthropic, ask_chat, ask_responses])
def test_the_node_gets_its_text(
    proxy: ProxyProcess, node: SimulatorThread, ask: Callable[[str], None]
) -> None:
    ask(proxy.url)
    [message] = json.loads(node.calls()[-1].body)["messages"]
    sent = json.dumps(message["content"])
    assert "The word is walrus" in sent
    assert ASKED in sent
    assert DATA[:60] not in sent
