"""Files by google-genai for JavaScript, on a real llama-server that takes images."""

from __future__ import annotations

from pathlib import Path

from tests.fixtures.proxy import proxy_process
from tests.node_sdks.scripts import script
from tests.nodes.llama_server import LlamaNode
from tests.nodes.tiny_model import REPLY
from tests.nodes.tiny_projector import IMAGE_TOKENS, make_image


async def test_a_file_is_uploaded_named_and_deleted(seeing_node: LlamaNode, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(make_image())
    config = {
        "server": {"state_directory": str(tmp_path / "state")},
        "nodes": {"llama": {"url": seeing_node.url, "engine": "llama-server"}},
        "deployments": {"d": {"nodes": ["llama"], "auth": "none"}},
    }
    with proxy_process(tmp_path, config) as proxy, script("file.mjs") as asked:
        url = f"{proxy.url}/proxy/d/gemini"
        found = await asked.ask(str(tmp_path / "red.png"), url)
    assert found["text"] == REPLY
    assert found["tokens"] >= found["without"] + IMAGE_TOKENS
    assert "permission to access the File" in found["gone"]
