"""embedContent and batchEmbedContents on nodes that speak OpenAI.

``taskType`` and ``title`` do not exist in OpenAI's API and are left out: if a model needs a prefix
for a task, the application adds it, as with any other node.
"""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.core.contract import Context, TranslatedRequest
from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.gemini.contents import read_text
from casedesk_proxy.dialects.gemini.protojson import read_message
from casedesk_proxy.dialects.pairs.gemini_openai.embedding_reply import EmbeddingTranslator
from casedesk_proxy.jsonio import dumps
from casedesk_proxy.terms import Call
from casedesk_proxy.wire.model_names import plain_name

__all__ = ["embed_batch", "embed_one"]


def embed_one(call: Call, body: dict[str, Any], context: Context) -> TranslatedRequest:
    """embedContent. Raises BadRequest or Unsupported."""
    findings = Findings(context.refuse_unknown)
    request = read_message("EmbedContentRequest", body, "", findings)
    text = _read_input(request, "", findings)
    size = _read_size(request, "", findings)
    return _translated(text, size, "content", context, findings)


def embed_batch(call: Call, body: dict[str, Any], context: Context) -> TranslatedRequest:
    """batchEmbedContents; google-genai (3.6.1) uses it for one text, too."""
    findings = Findings(context.refuse_unknown)
    requests = read_message("BatchEmbedContentsRequest", body, "", findings).get("requests", [])
    if not requests:
        findings.fault("requests", "requests must contain at least one request")
    texts, sizes = [], []
    for at, request in enumerate(requests):
        path = f"requests[{at}]."
        model = plain_name(request.get("model", ""))
        if model and call.model and model != plain_name(call.model):
            findings.fault(f"{path}model", f"{path}model must be the model of the path")
        texts.append(_read_input(request, path, findings))
        sizes.append(_read_size(request, path, findings))
        if sizes[at] != sizes[0]:
            message = "all requests must have the same outputDimensionality"
            findings.refuse(f"{path}outputDimensionality", message)
    return _translated(texts, sizes[0] if sizes else None, "requests", context, findings)


def _read_input(request: dict[str, Any], path: str, findings: Findings) -> str:
    """A content gives one vector, however many parts it has."""
    path = f"{path}content"
    texts = read_text(request.get("content", {}), path, "only text can be embedded", findings)
    if not texts and not findings.features:
        findings.fault(path, f"{path} must contain text")
    return "".join(texts)


def _read_size(request: dict[str, Any], path: str, findings: Findings) -> int | None:
    size: int | None = request.get("outputDimensionality")
    if size is not None and size < 1:
        path = f"{path}outputDimensionality"
        findings.fault(path, f"{path} must be at least 1")
    return size


def _translated(
    texts: str | list[str],
    size: int | None,
    path: str,
    context: Context,
    findings: Findings,
) -> TranslatedRequest:
    profile = context.profile
    if not profile.embeds:
        findings.refuse(path, "the node does not make embeddings")
    if size is not None and not profile.dimensions:
        sized = "outputDimensionality" if path == "content" else "requests[0].outputDimensionality"
        findings.refuse(sized, "the node only makes vectors of the model's own size")
    findings.raise_faults()
    findings.raise_refusals()
    wanted = None if isinstance(texts, str) else len(texts)
    request: dict[str, Any] = {"model": context.model, "input": texts, "encoding_format": "float"}
    if size is not None:
        request["dimensions"] = size

    return TranslatedRequest(
        path="/v1/embeddings",
        body=dumps(request),
        streams=False,
        translator=EmbeddingTranslator(context.asked, wanted),
        dropped=findings.dropped,
    )
