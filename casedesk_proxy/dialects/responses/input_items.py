"""Reads the ``input`` of a Responses request: messages, thoughts, calls and their results, in
order.

Every item is read separately; the translator to the node's protocol joins them into turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from casedesk_proxy.dialects.core.findings import Findings, shorten
from casedesk_proxy.dialects.core.freeform import write_freeform
from casedesk_proxy.dialects.responses.names import QualifiedName

__all__ = [
    "AudioPart",
    "FilePart",
    "ImagePart",
    "InputCall",
    "InputItem",
    "InputMessage",
    "InputPart",
    "InputResult",
    "InputThought",
    "read_input",
]


@dataclass(frozen=True, slots=True)
class ImagePart:
    """``url`` is what the client sent: a URL of the web or a data URL. ``path`` is its place."""

    url: str
    path: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class FilePart:
    """``data`` is a data URL, or base64 without one."""

    data: str
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class AudioPart:
    data: str
    format: str
    path: str


#: Text is a plain string.
InputPart = str | ImagePart | FilePart | AudioPart


@dataclass(frozen=True, slots=True)
class InputMessage:
    """``role`` is user, assistant or system; OpenAI's developer is a system role for every node."""

    role: str
    parts: tuple[InputPart, ...]


@dataclass(frozen=True, slots=True)
class InputThought:
    text: str
    path: str


@dataclass(frozen=True, slots=True)
class InputCall:
    call_id: str
    called: QualifiedName
    arguments: str
    path: str


@dataclass(frozen=True, slots=True)
class InputResult:
    call_id: str
    parts: tuple[InputPart, ...]
    path: str


InputItem = InputMessage | InputThought | InputCall | InputResult

_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
#: The ends of types of items that were made by, or for, a tool that is not a function.
_TRACES = ("_call", "_call_output", "_search_output")
_TRACE_NAMES = frozenset(
    {
        *("mcp_list_tools", "mcp_approval_request", "mcp_approval_response"),
        *("additional_tools", "program", "program_output"),
    }
)
_STORED = "the node cannot read what is stored at OpenAI; send it inline"
_FETCHED = "URLs are not fetched here; send it inline"


def read_input(
    given: Any, findings: Findings, *, refuse_tools: bool = False
) -> tuple[InputItem, ...]:
    """Faulty items are missing; ``findings`` has the reason."""
    if isinstance(given, str):
        return (InputMessage("user", (given,)),)
    if not isinstance(given, list):
        message = "is required" if given is None else "a string or a list is required"
        findings.fault("input", message)
        return ()
    if not given:
        findings.fault("input", "at least one item is required")
    reader = _ItemReader(findings, refuse_tools=refuse_tools)
    items = (reader.read(item, f"input[{at}]") for at, item in enumerate(given))
    return tuple(item for item in items if item is not None)


class _ItemReader:
    def __init__(self, findings: Findings, *, refuse_tools: bool) -> None:
        self._findings = findings
        self._refuse_tools = refuse_tools
        self._calls: set[str] = set()
        self._answered: set[str] = set()

    def read(self, item: Any, path: str) -> InputItem | None:
        if not isinstance(item, dict):
            self._findings.fault(path, "an object is required")
            return None
        kind = item.get("type")
        if kind is None and "role" in item:
            kind = "message"
        if not isinstance(kind, str):
            self._findings.fault(f"{path}.type", "a string is required")
            return None
        read = _READERS.get(kind)
        if read is not None:
            return read(self, item, path)
        self._pass_over(kind, path)
        return None

    def _pass_over(self, kind: str, path: str) -> None:
        """An item of a left-out tool is left out as well; without other items the reply would be a
        different one."""
        is_trace = kind.endswith(_TRACES) or kind in _TRACE_NAMES
        if is_trace and not self._refuse_tools:
            self._findings.drop(f"{path}:{shorten(kind)}")
        else:
            message = f"items of type {shorten(kind)!r} are not supported by the node"
            self._findings.refuse(path, message)

    def _message(self, item: dict[str, Any], path: str) -> InputItem | None:
        role = item.get("role")
        if not isinstance(role, str) or role not in _ROLES:
            self._findings.fault(f"{path}.role", f"one of {', '.join(_ROLES)} is required")
            return None
        parts = tuple(self._parts(item.get("content"), f"{path}.content"))
        for part in parts:
            if role != "user" and not isinstance(part, str):
                self._findings.fault(part.path, "is only allowed in a user's message")
        return InputMessage(_ROLES[role], parts)

    def _thought(self, item: dict[str, Any], path: str) -> InputItem | None:
        """Encrypted thoughts can be read only by OpenAI; a summary replaces them."""
        for name in ("content", "summary"):
            parts = item.get(name)
            texts = [
                part["text"]
                for part in (parts if isinstance(parts, list) else ())
                if isinstance(part, dict) and isinstance(part.get("text"), str)
            ]
            if any(texts):
                return InputThought("\n\n".join(texts), path)
        if item.get("encrypted_content"):
            self._findings.drop(path)
        return None

    def _call(self, item: dict[str, Any], path: str) -> InputItem | None:
        arguments = item.get("arguments")
        if not isinstance(arguments, str):
            self._findings.fault(f"{path}.arguments", "a string is required")
            return None
        return self._called(item, arguments or "{}", path)

    def _custom_call(self, item: dict[str, Any], path: str) -> InputItem | None:
        """A call of a freeform tool. If it has a grammar, the conversation was begun elsewhere."""
        given = item.get("input")
        if not isinstance(given, str):
            self._findings.fault(f"{path}.input", "a string is required")
            return None
        return self._called(item, write_freeform(given), path)

    def _called(self, item: dict[str, Any], arguments: str, path: str) -> InputItem | None:
        call_id, name, namespace = item.get("call_id"), item.get("name"), item.get("namespace")
        for key, value in (("call_id", call_id), ("name", name)):
            if not isinstance(value, str) or not value:
                self._findings.fault(f"{path}.{key}", "a non-empty string is required")
                return None
        if not isinstance(namespace, str | None):
            self._findings.fault(f"{path}.namespace", "a string is required")
            return None
        if call_id in self._calls:
            self._findings.fault(f"{path}.call_id", "must be unique among the calls")
            return None
        self._calls.add(str(call_id))
        called = QualifiedName(str(name), namespace or "")
        return InputCall(str(call_id), called, arguments, path)

    def _result(self, item: dict[str, Any], path: str) -> InputItem | None:
        call_id = item.get("call_id")
        if not isinstance(call_id, str) or call_id not in self._calls:
            self._findings.fault(f"{path}.call_id", "no earlier call in the input has this id")
            return None
        if call_id in self._answered:
            self._findings.fault(f"{path}.call_id", "the call already has its output")
            return None
        self._answered.add(call_id)
        parts = tuple(self._parts(item.get("output"), f"{path}.output"))
        return InputResult(call_id, parts, path)

    def _parts(self, content: Any, path: str) -> Iterator[InputPart]:
        if isinstance(content, str):
            yield content
            return
        if not isinstance(content, list):
            self._findings.fault(path, "a string or a list is required")
            return
        for at, part in enumerate(content):
            place = f"{path}[{at}]"
            kind = part.get("type") if isinstance(part, dict) else None
            if not isinstance(part, dict) or not isinstance(kind, str):
                self._findings.fault(f"{place}.type", "a string is required")
            elif (read := _PART_READERS.get(kind)) is not None:
                yield from read(self, part, place)
            else:
                message = f"content of type {shorten(kind)!r} is not supported by the node"
                self._findings.refuse(place, message)

    def _text(self, part: dict[str, Any], path: str) -> Iterator[InputPart]:
        name = "refusal" if part["type"] == "refusal" else "text"
        text = part.get(name)
        if not isinstance(text, str):
            self._findings.fault(f"{path}.{name}", "a string is required")
        elif text:
            yield text

    def _image(self, part: dict[str, Any], path: str) -> Iterator[InputPart]:
        url, detail = part.get("image_url"), part.get("detail")
        if isinstance(url, str) and url:
            yield ImagePart(url, f"{path}.image_url", detail if isinstance(detail, str) else None)
        elif part.get("file_id") is not None:
            self._findings.refuse(f"{path}.file_id", _STORED, media="image")
        else:
            self._findings.fault(f"{path}.image_url", "a string is required", media="image")

    def _file(self, part: dict[str, Any], path: str) -> Iterator[InputPart]:
        data, name = part.get("file_data"), part.get("filename")
        if isinstance(data, str) and data:
            yield FilePart(data, name if isinstance(name, str) else "", f"{path}.file_data")
        elif part.get("file_id") is not None:
            self._findings.refuse(f"{path}.file_id", _STORED, media="document")
        elif part.get("file_url") is not None:
            self._findings.refuse(f"{path}.file_url", _FETCHED, media="document")
        else:
            self._findings.fault(f"{path}.file_data", "a string is required", media="document")

    def _audio(self, part: dict[str, Any], path: str) -> Iterator[InputPart]:
        sound = part.get("input_audio")
        data = sound.get("data") if isinstance(sound, dict) else None
        kind = sound.get("format") if isinstance(sound, dict) else None
        if isinstance(data, str) and data and isinstance(kind, str) and kind:
            yield AudioPart(data, kind, f"{path}.input_audio")
        else:
            self._findings.fault(f"{path}.input_audio", "data and format are required")


_READERS: dict[str, Callable[[_ItemReader, dict[str, Any], str], InputItem | None]] = {
    "message": _ItemReader._message,
    "reasoning": _ItemReader._thought,
    "function_call": _ItemReader._call,
    "function_call_output": _ItemReader._result,
    "custom_tool_call": _ItemReader._custom_call,
    "custom_tool_call_output": _ItemReader._result,
}
_PART_READERS: dict[str, Callable[[_ItemReader, dict[str, Any], str], Iterator[InputPart]]] = {
    "input_text": _ItemReader._text,
    "output_text": _ItemReader._text,
    "text": _ItemReader._text,
    "summary_text": _ItemReader._text,
    "refusal": _ItemReader._text,
    "input_image": _ItemReader._image,
    "input_file": _ItemReader._file,
    "input_audio": _ItemReader._audio,
}
