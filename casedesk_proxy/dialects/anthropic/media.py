"""Anthropic's pictures and documents as a node of another protocol takes them."""

from __future__ import annotations

import binascii
from typing import Any

from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.engines.profile import Profile

__all__ = ["image_part", "read_document"]

#: base64url as base64; line breaks, which Python's ``encodebytes`` makes, go.
_STANDARD = str.maketrans("-_", "+/", "\r\n ")
_FETCHED = "the node would have to fetch it; send it inline"
_STORED = "files stored at Anthropic cannot be read by the node; send it inline"
_OTHER = "only text documents can be given to the node"


def image_part(
    block: dict[str, Any], path: str, profile: Profile, findings: Findings
) -> list[str | dict[str, Any]]:
    """An ``image_url`` part with a data URI, or nothing and a finding.

    An address is not passed on: the node would fetch it, from inside the operator's network.
    """
    source = block.get("source")
    kind = source.get("type") if isinstance(source, dict) else None
    if not isinstance(source, dict) or not isinstance(kind, str):
        findings.fault(f"{path}.source", "Input should be an image source", media="image")
        return []
    if kind != "base64":
        findings.refuse(f"{path}.source", _STORED if kind == "file" else _FETCHED, media="image")
        return []
    media, data = source.get("media_type"), source.get("data")
    if not isinstance(media, str) or not isinstance(data, str) or not data:
        findings.fault(f"{path}.source", "media_type and data are required", media="image")
        return []
    media = media.lower().replace("image/jpg", "image/jpeg")
    if media not in profile.images:
        why = f"the node does not take {media[:40]!r}"
        findings.refuse(f"{path}.source.media_type", why, media="image")
        return []
    data = _standard_base64(data)
    if data is None:
        findings.fault(f"{path}.source.data", "Base64 decoding failed", media="image")
        return []
    findings.media.add(f"{path}.source", "", "image")
    return [{"type": "image_url", "image_url": {"url": f"data:{media};base64,{data}"}}]


def read_document(
    block: dict[str, Any], path: str, profile: Profile, findings: Findings
) -> list[str | dict[str, Any]]:
    """A text document as text, with its title and context before it."""
    citations = block.get("citations")
    if isinstance(citations, dict) and citations.get("enabled"):
        findings.drop(f"{path}.citations")
    source = block.get("source")
    kind = source.get("type") if isinstance(source, dict) else None
    if not isinstance(source, dict) or not isinstance(kind, str):
        findings.fault(f"{path}.source", "Input should be a document source", media="document")
        return []
    if kind not in ("text", "content"):
        told = {"url": _FETCHED, "file": _STORED}.get(kind, _OTHER)
        findings.refuse(f"{path}.source", told, media="document")
        return []
    content = source.get("data" if kind == "text" else "content")
    head = [text for key in ("title", "context") if isinstance(text := block.get(key), str)]
    lines = "".join(f"{line}\n" for line in head if line)
    body = _parts(content, f"{path}.source", profile, findings)
    return [lines, *body, "\n\n"] if body else []


def _parts(
    content: Any, path: str, profile: Profile, findings: Findings
) -> list[str | dict[str, Any]]:
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        findings.fault(path, "Input should be text")
        return []
    parts: list[str | dict[str, Any]] = []
    for at, block in enumerate(content):
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "text" and isinstance(block.get("text"), str):
            parts.append(block["text"])
        elif kind == "image":
            parts += image_part(block, f"{path}.content.{at}", profile, findings)
        else:
            findings.fault(f"{path}.content.{at}", "Input should be text or an image")
    return parts


def _standard_base64(data: str) -> str | None:
    """The standard alphabet with padding, the only form that data URIs know; None: it is none."""
    data = data.translate(_STANDARD).rstrip("=")
    data += "=" * (-len(data) % 4)
    try:
        binascii.a2b_base64(data, strict_mode=True)
    except ValueError:
        return None
    return data
