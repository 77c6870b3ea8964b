"""What a request needs of its model, by place: images, audio, functions, an answer in words.

If a node reports what its models can do, it gets no request that needs more: several engines answer
200 and silently lose an image (Ollama), others end the conversation with an error from which no
program recovers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from casedesk_proxy.dialects.core.bodies import each_object
from casedesk_proxy.dialects.core.findings import FEATURE_REMEDY
from casedesk_proxy.dialects.core.freeform import is_freeform
from casedesk_proxy.errors import Unsupported, Violation
from casedesk_proxy.terms import Ability, Action, Dialect

__all__ = ["Needs", "find_needs", "refuse_needs"]

#: The places that need an ability, in the order of the body.
Needs = Mapping[Ability, tuple[str, ...]]
Found = Iterator[tuple[Ability, str]]

_EMBEDS = frozenset(
    {
        Action.EMBED,
        Action.BATCH_EMBED,
        Action.EMBEDDINGS,
        Action.OLLAMA_EMBED,
        Action.OLLAMA_EMBEDDINGS,
    }
)
_ANSWERS = frozenset(
    {
        Action.MESSAGES,
        Action.CHAT,
        Action.COMPLETE,
        Action.RESPOND,
        Action.GENERATE,
        Action.STREAM_GENERATE,
        Action.OLLAMA_CHAT,
        Action.OLLAMA_GENERATE,
    }
)
_OPENAI_PARTS = {
    "image_url": Ability.VISION,
    "image": Ability.VISION,
    "video_url": Ability.VISION,
    "input_video": Ability.VISION,
    "input_audio": Ability.AUDIO,
    "audio_url": Ability.AUDIO,
}
_RESPONSES_PARTS = {"input_image": Ability.VISION, "input_audio": Ability.AUDIO}
_GEMINI_MEDIA = {
    "image": Ability.VISION,
    "video": Ability.VISION,
    "audio": Ability.AUDIO,
}
_WORDS = ("text", "tool_use", "thinking")
_GEMINI_WORDS = frozenset({"text", "thought", "thoughtSignature", "functionCall"})
_WHAT = {
    Ability.VISION: "does not accept images",
    Ability.AUDIO: "does not accept audio",
    Ability.TOOLS: "does not support tools",
    Ability.COMPLETION: "only makes embeddings",
    Ability.EMBEDDING: "does not make embeddings, as its node runs it",
}
_MEDIA = {Ability.VISION: "image", Ability.AUDIO: "audio"}


def find_needs(surface: Dialect, action: Action, body: Mapping[str, Any]) -> Needs:
    """For a body of any shape; counting tokens needs nothing."""
    if action in _EMBEDS:
        return {Ability.EMBEDDING: ("model",)}
    if action not in _ANSWERS:
        return {}
    read = {
        Dialect.ANTHROPIC: _anthropic,
        Dialect.OPENAI: _openai,
        Dialect.GEMINI: _gemini,
        Dialect.RESPONSES: _responses,
        Dialect.OLLAMA: _ollama,
    }
    needs: dict[Ability, tuple[str, ...]] = {}
    if surface is not Dialect.OLLAMA:
        # There, a request without a prompt only loads the model, of whatever kind.
        needs[Ability.COMPLETION] = ("model",)
    for ability, path in read[surface](body):
        needs[ability] = (*needs.get(ability, ()), path)
    return needs


def refuse_needs(surface: Dialect, needs: Needs, lacks: frozenset[Ability], model: str) -> None:
    """Raises Unsupported, naming every place that needs an ability that ``model``, by the client's
    name, lacks."""
    missing = [ability for ability in needs if ability in lacks]
    if Ability.COMPLETION in missing:
        missing = [Ability.COMPLETION]
    violations = tuple(
        Violation(path, f"the model {model[:80]!r} {_WHAT[ability]}", _MEDIA.get(ability, ""))
        for ability in missing
        for path in needs[ability]
    )
    if not violations:
        return
    code = f"unsupported_{surface}_feature"
    first, more = violations[0], len(violations) - 1
    message = f"{code}: {first.path}: {first.description}"
    if more:
        message += f"; the same for {more} more {'place' if more == 1 else 'places'}"
    message += f"; {FEATURE_REMEDY}"
    raise Unsupported(message, code=code, violations=violations)


def _ollama(body: Mapping[str, Any]) -> Found:
    if body.get("images"):
        yield Ability.VISION, "images"
    for at, message in each_object(body.get("messages")):
        if message.get("images"):
            yield Ability.VISION, f"messages[{at}].images"
    if body.get("tools"):
        yield Ability.TOOLS, "tools"


def _anthropic(body: Mapping[str, Any]) -> Found:
    for path, block in _blocks(body.get("system"), "system"):
        yield from _anthropic_block(block, path)
    for at, message in each_object(body.get("messages")):
        content = message.get("content")
        for place, block in enumerate(content if isinstance(content, list) else ()):
            # Nearly all blocks are of these kinds.
            if isinstance(block, dict) and block.get("type") not in _WORDS:
                yield from _anthropic_block(block, f"messages.{at}.content.{place}")
    choice = body.get("tool_choice")
    if body.get("tools") and not (isinstance(choice, dict) and choice.get("type") == "none"):
        yield Ability.TOOLS, "tools"


def _anthropic_block(block: Mapping[str, Any], path: str) -> Found:
    kind = block.get("type")
    if kind == "image":
        yield Ability.VISION, path
    elif kind == "tool_result":
        for inner, one in _blocks(block.get("content"), f"{path}.content"):
            yield from _anthropic_block(one, inner)
    elif kind == "document":
        source = block.get("source")
        content = source.get("content") if isinstance(source, dict) else None
        for inner, one in _blocks(content, f"{path}.source.content"):
            yield from _anthropic_block(one, inner)


def _openai(body: Mapping[str, Any]) -> Found:
    for at, message in each_object(body.get("messages")):
        content = message.get("content")
        for place, part in enumerate(content if isinstance(content, list) else ()):
            if isinstance(part, dict) and part.get("type") not in _WORDS:
                ability = _OPENAI_PARTS.get(str(part.get("type")))
                if ability is not None:
                    yield ability, f"messages[{at}].content[{place}]"
    if body.get("tools") and body.get("tool_choice") != "none":
        yield Ability.TOOLS, "tools"


def _responses(body: Mapping[str, Any]) -> Found:
    for at, item in each_object(body.get("input")):
        for name in ("content", "output"):
            for path, part in _blocks(item.get(name), f"input[{at}].{name}", "[{}]"):
                ability = _RESPONSES_PARTS.get(str(part.get("type")))
                if ability is not None:
                    yield ability, path
    if body.get("tool_choice") != "none":
        for at, tool in each_object(body.get("tools")):
            if tool.get("type") in ("function", "namespace") or is_freeform(tool):
                yield Ability.TOOLS, f"tools[{at}]"


def _gemini(body: Mapping[str, Any]) -> Found:
    for at, content in each_object(body.get("contents")):
        for place, part in each_object(content.get("parts")):
            # Nearly all parts have no other fields.
            if part.keys() <= _GEMINI_WORDS:
                continue
            path = f"contents[{at}].parts[{place}]"
            yield from _gemini_media(part, path)
            for name in ("functionResponse", "function_response"):
                result = part.get(name)
                if isinstance(result, dict):
                    inside = f"{path}.{name}.parts"
                    for below, one in _blocks(result.get("parts"), inside, "[{}]"):
                        yield from _gemini_media(one, below)
    for at, tool in each_object(body.get("tools")):
        for name in ("functionDeclarations", "function_declarations"):
            if tool.get(name) and not _calls_nothing(body):
                yield Ability.TOOLS, f"tools[{at}].{name}"


def _gemini_media(part: Mapping[str, Any], path: str) -> Found:
    for name in ("inlineData", "inline_data", "fileData", "file_data"):
        data = part.get(name)
        if not isinstance(data, dict):
            continue
        mime = data.get("mimeType") or data.get("mime_type")
        kind = str(mime).strip().lower().partition("/")[0]
        if kind in _GEMINI_MEDIA:
            yield _GEMINI_MEDIA[kind], f"{path}.{name}"


def _calls_nothing(body: Mapping[str, Any]) -> bool:
    config = body.get("toolConfig", body.get("tool_config"))
    inner: Any = None
    if isinstance(config, dict):
        inner = config.get("functionCallingConfig", config.get("function_calling_config"))
    return isinstance(inner, dict) and str(inner.get("mode")).upper().endswith("NONE")


def _blocks(content: Any, path: str, place: str = ".{}") -> Iterable[tuple[str, Mapping[str, Any]]]:
    for at, block in each_object(content):
        yield path + place.format(at), block
