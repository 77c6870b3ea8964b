"""Reads Anthropic's images, documents and search results."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.anthropic.blocks import DocumentBlock, ImageBlock, TextBlock
from casedesk_proxy.dialects.core.base64 import standard_base64
from casedesk_proxy.dialects.core.findings import Findings

__all__ = ["read_document", "read_image", "read_search_result"]


def read_image(block: dict[str, Any], path: str, findings: Findings) -> ImageBlock | None:
    source = block.get("source")
    kind = source.get("type") if isinstance(source, dict) else None
    if not isinstance(source, dict) or not isinstance(kind, str):
        findings.fault(f"{path}.source", "Input should be an image source", media="image")
        return None
    if kind != "base64":
        return ImageBlock(path, kind)
    mime, data = source.get("media_type"), source.get("data")
    if not isinstance(mime, str) or not isinstance(data, str) or not data:
        findings.fault(f"{path}.source", "media_type and data are required", media="image")
        return None
    data = standard_base64(data, in_lines=True)
    if data is None:
        findings.fault(f"{path}.source.data", "Base64 decoding failed", media="image")
        return None
    return ImageBlock(path, kind, mime.lower().replace("image/jpg", "image/jpeg"), data)


def read_document(block: dict[str, Any], path: str, findings: Findings) -> DocumentBlock | None:
    cited = _is_cited(block)
    source = block.get("source")
    kind = source.get("type") if isinstance(source, dict) else None
    if not isinstance(source, dict) or not isinstance(kind, str):
        findings.fault(f"{path}.source", "Input should be a document source", media="document")
        return None
    if kind not in ("text", "content"):
        return DocumentBlock(path, kind, cited=cited)
    content = source.get("data" if kind == "text" else "content")
    parts = _read_parts(content, f"{path}.source", findings)
    return DocumentBlock(path, kind, _head(block, "title", "context"), tuple(parts), cited)


def read_search_result(
    block: dict[str, Any], path: str, findings: Findings
) -> DocumentBlock | None:
    """As a document of text: it is one, but for its citations (Anthropic's API reference,
    ``SearchResultBlockParam``)."""
    content = block.get("content")
    for name in ("source", "title"):
        if not isinstance(block.get(name), str):
            findings.fault(f"{path}.{name}", "Input should be a valid string")
            return None
    if not isinstance(content, list) or any(_kind_of(one) != "text" for one in content):
        findings.fault(f"{path}.content", "Input should be a list of text blocks")
        return None
    parts = _read_parts(content, path, findings)
    head = _head(block, "title", "source")
    return DocumentBlock(path, "content", head, tuple(parts), _is_cited(block))


def _kind_of(block: Any) -> Any:
    return block.get("type") if isinstance(block, dict) else None


def _is_cited(block: dict[str, Any]) -> bool:
    citations = block.get("citations")
    return isinstance(citations, dict) and bool(citations.get("enabled"))


def _head(block: dict[str, Any], *names: str) -> str:
    lines = [text for name in names if isinstance(text := block.get(name), str)]
    return "".join(f"{line}\n" for line in lines if line)


def _read_parts(content: Any, path: str, findings: Findings) -> list[TextBlock | ImageBlock]:
    if isinstance(content, str):
        return [TextBlock(content)]
    if not isinstance(content, list):
        findings.fault(path, "Input should be text")
        return []
    parts: list[TextBlock | ImageBlock] = []
    for at, block in enumerate(content):
        kind = _kind_of(block)
        if kind == "text" and isinstance(block.get("text"), str):
            parts.append(TextBlock(block["text"]))
        elif kind == "image":
            image = read_image(block, f"{path}.content.{at}", findings)
            parts += [image] if image is not None else []
        else:
            findings.fault(f"{path}.content.{at}", "Input should be text or an image")
    return parts
