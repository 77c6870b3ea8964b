"""Images and documents of a Messages request: what is read, and which place is at fault."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.anthropic.blocks import ImageBlock, TextBlock
from casedesk_proxy.dialects.anthropic.media import read_document, read_image
from casedesk_proxy.dialects.core.findings import Findings
from tests.dialects.asking import PNG
from tests.fixtures.table import table


def image(mime: object = "image/png", data: object = PNG) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": mime, "data": data}}


def faults(findings: Findings) -> list[str]:
    return [fault.path for fault in findings.faults.kept]


@table(
    ("mime", "read"),
    [("image/png", "image/png"), ("IMAGE/JPG", "image/jpeg"), ("image/webp", "image/webp")],
)
def test_an_image(mime: str, read: str) -> None:
    findings = Findings()
    assert read_image(image(mime), "b", findings) == ImageBlock("b", "base64", read, PNG)
    assert faults(findings) == []


def test_base64_in_lines_is_joined() -> None:
    lines = f"{PNG[:40]}\r\n{PNG[40:]}\n"
    read = read_image(image(data=lines), "b", Findings())
    assert read is not None
    assert read.data == PNG


def test_an_image_elsewhere_is_read_without_its_content() -> None:
    block = {"source": {"type": "url", "url": "https://example.com/a.png"}}
    assert read_image(block, "b", Findings()) == ImageBlock("b", "url")


@table(
    ("block", "path"),
    [
        ({}, "b.source"),
        ({"source": []}, "b.source"),
        ({"source": {"type": 7}}, "b.source"),
        (image(mime=None), "b.source"),
        (image(data=""), "b.source"),
        (image(data="*"), "b.source.data"),
    ],
)
def test_a_wrong_image(block: dict[str, Any], path: str) -> None:
    findings = Findings()
    assert read_image(block, "b", findings) is None
    assert faults(findings) == [path]


def test_a_document_of_text() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "words"}
    block = {"source": source, "title": "T", "context": "", "citations": {"enabled": True}}
    read = read_document(block, "b", Findings())
    assert read is not None
    assert (read.head, read.parts, read.cited) == ("T\n", (TextBlock("words"),), True)


def test_a_document_of_blocks() -> None:
    content = [{"type": "text", "text": "words"}, image()]
    read = read_document({"source": {"type": "content", "content": content}}, "b", Findings())
    assert read is not None
    picture = ImageBlock("b.source.content.1", "base64", "image/png", PNG)
    assert read.parts == (TextBlock("words"), picture)


@table(
    ("source", "path"),
    [
        (None, "b.source"),
        ({"type": "text", "data": 7}, "b.source"),
        ({"type": "content", "content": [{"type": "audio"}]}, "b.source.content.0"),
        ({"type": "content", "content": ["words"]}, "b.source.content.0"),
    ],
)
def test_a_wrong_document(source: Any, path: str) -> None:
    findings = Findings()
    read_document({"source": source}, "b", findings)
    assert faults(findings) == [path]
