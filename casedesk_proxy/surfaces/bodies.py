"""What a relay reads in a JSON body, and the one thing that it changes there: the model's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.body_edits import has_once
from casedesk_proxy.surfaces.field_names import refuse_other_names
from casedesk_proxy.surfaces.json_spans import Span, elements, members, splice, value_behind
from casedesk_proxy.terms import Action, Call, Dialect, Framing, record
from casedesk_proxy.wire.model_names import is_wrapped, plain_name

__all__ = [
    "RequestBody",
    "ask_for_counts",
    "describe_syntax_error",
    "is_renamed",
    "parse_body",
    "read_body",
    "rename_model",
    "sole_model",
]

_TEXT = "a string is required"
#: How many names of models one message lists.
_MAX_LISTED_NAMES = 5
_MAY_STREAM = frozenset(
    {
        Action.MESSAGES,
        Action.CHAT,
        Action.COMPLETE,
        Action.RESPOND,
        Action.PLAIN_COMPLETION,
        Action.INFILL,
        Action.DRAW,
        Action.EDIT_IMAGE,
    }
)
#: These actions stream unless their body says otherwise.
_STREAM_BY_DEFAULT = frozenset({Action.OLLAMA_CHAT, Action.OLLAMA_GENERATE})
_MAY_COUNT = frozenset({Action.CHAT, Action.COMPLETE})
_COUNTED = b'{"include_usage":true}'
_WRAPPERS = frozenset({"generateContentRequest", "generate_content_request"})
_NAMING = _WRAPPERS | {"model", "requests"}


@record
class RequestBody:
    """``model`` as the body names it, None for Gemini, whose path names it; ``stream``: whether
    call and body together ask for a stream; ``value`` the whole object (of duplicate keys the
    last)."""

    model: str | None
    stream: bool
    value: dict[str, Any]


def read_body(call: Call, raw: bytes, offered: Callable[[], Sequence[str]] = tuple) -> RequestBody:
    """Raises BadRequest, naming the byte of a syntax error or the field of a wrong type.

    ``offered`` returns the available models: a body that names none means the only one, as users of
    servers with a single model expect.
    """
    value = parse_body(raw)
    if call.surface is Dialect.GEMINI:
        _refuse_stream_field(call, value)
        return RequestBody(None, call.framing is not Framing.UNARY, value)
    refuse_other_names(call.surface, value)
    model = value.get(_model_key(call, value))
    if model is None or model == "":
        # An empty object requests nothing, whatever the model; but it can be counted.
        model = sole_model(offered() if value or call.action is Action.COUNT_RESPONSE else ())
    elif not isinstance(model, str):
        raise BadRequest.about("model", _TEXT)
    elif is_wrapped(model):
        model = plain_name(model)
    default = call.action in _STREAM_BY_DEFAULT
    if call.action not in _MAY_STREAM and not default:
        return RequestBody(model, False, value)
    stream = value.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise BadRequest.about("stream", "true or false is required")
    return RequestBody(model, default if stream is None else stream, value)


def is_renamed(call: Call, raw: bytes, value: dict[str, Any], new: str) -> bool:
    """Whether the body ``raw``, which parses to ``value``, does not name ``new`` alone although its
    call does: it names no model, or names it in one of Vertex's forms, or names another before it,
    which some nodes would use (OpenVINO's, by RapidJSON)."""
    if call.surface is not Dialect.GEMINI:
        key = _model_key(call, value)
        if value.get(key) != new or (key == "name" and "model" in value):
            return True
        return not has_once(raw, key) and len(list(_spans_of(raw, key))) > 1
    requests = value.get("requests")
    places = [value, *(requests if isinstance(requests, list) else (requests,))]
    places += [value.get(name) for name in _WRAPPERS]
    named = (place.get("model") for place in places if isinstance(place, dict))
    return any(isinstance(name, str) and is_wrapped(name) for name in named)


def rename_model(call: Call, raw: bytes, value: dict[str, Any], new: str) -> bytes:
    """The body with the model's name changed, or inserted; every other byte as the client sent it.

    ``value`` is what ``raw`` parses to. A duplicate key is changed in each place, since nodes
    differ in which one they use. Gemini bodies repeat the path's model inside (embedding requests,
    wrapped countTokens), and Google refuses one that differs from the path: names that equal the
    path's are changed, others are left for the node to refuse.
    """
    if call.surface is Dialect.GEMINI:
        if _NAMING.isdisjoint(value):
            return raw
        return splice(raw, _gemini_changes(raw, call.model or "", new))
    name, key = jsonio.dumps(new), _model_key(call, value)
    if key == "name":
        # An empty ``model`` beside it may have a duplicate that is not.
        return splice(raw, ((span, name) for span in _spans_of(raw, key, "model")))
    if "model" not in value:
        at = raw.index(b"{") + 1
        member = b'"model":' + name + (b"," if value else b"")
        return raw[:at] + member + raw[at:]
    return splice(raw, ((span, name) for span in _top_level_models(raw)))


def ask_for_counts(call: Call, raw: bytes, value: dict[str, Any]) -> bytes | None:
    """The body of a streaming OpenAI chat or completion, changed so that the node reports its
    counts; every other byte as the client sent it. None: the client asks for them itself, or the
    node should refuse what it wrote."""
    if call.action not in _MAY_COUNT:
        return None
    if "stream_options" not in value:
        at = raw.index(b"{") + 1
        return raw[:at] + b'"stream_options":' + _COUNTED + b"," + raw[at:]
    options = value["stream_options"]
    if options is not None and not isinstance(options, dict):
        return None
    if options and options.get("include_usage") not in (None, False):
        return None
    counted = jsonio.dumps({**(options or {}), "include_usage": True})
    return splice(
        raw,
        (
            ((start, end), counted)
            for key, start, end in members(raw)
            if jsonio.loads(key) == "stream_options"
        ),
    )


def sole_model(offered: Sequence[str]) -> str:
    """The only one of these models. Raises BadRequest, naming some, if there is not exactly one."""
    if len(offered) == 1:
        return offered[0]
    if not offered:
        raise BadRequest.about("model", _TEXT)
    some = ", ".join(offered[:_MAX_LISTED_NAMES])
    others = " and others" if len(offered) > _MAX_LISTED_NAMES else ""
    raise BadRequest.about("model", f"{_TEXT}; available: {some}{others}")


def _top_level_models(raw: bytes) -> Iterator[Span]:
    """The places of the values of the key ``model`` in an object that has it."""
    if has_once(raw, "model"):
        # This is the key. A prompt of megabytes is not scanned for it.
        yield value_behind(raw, raw.find(b'"model"'))
        return
    yield from _spans_of(raw, "model")


def _spans_of(raw: bytes, *names: str) -> Iterator[Span]:
    for key, start, end in members(raw):
        if jsonio.loads(key) in names:
            yield start, end


def _model_key(call: Call, value: dict[str, Any]) -> str:
    """Old clients of Ollama's show request send ``name``, which Ollama still accepts."""
    old = call.action is Action.SHOW_MODEL and not value.get("model") and "name" in value
    return "name" if old else "model"


def _gemini_changes(raw: bytes, asked: str, new: str) -> Iterator[tuple[Span, bytes]]:
    for key, start, end in members(raw):
        name, first = jsonio.loads(key), raw[start : start + 1]
        if name == "model":
            yield from _changed_name(raw, (start, end), asked, new)
        elif first == b"{" and (name in _WRAPPERS or name == "requests"):
            yield from _changed_inside(raw, start, asked, new)
        elif first == b"[" and name == "requests":
            for at, _ in elements(raw, start):
                if raw[at : at + 1] == b"{":
                    yield from _changed_inside(raw, at, asked, new)


def _changed_inside(raw: bytes, at: int, asked: str, new: str) -> Iterator[tuple[Span, bytes]]:
    for key, start, end in members(raw, at):
        if jsonio.loads(key) == "model":
            yield from _changed_name(raw, (start, end), asked, new)


def _changed_name(raw: bytes, span: Span, asked: str, new: str) -> Iterator[tuple[Span, bytes]]:
    old = jsonio.loads(raw[slice(*span)])
    if isinstance(old, str) and (old.removeprefix("models/") == asked or plain_name(old) == asked):
        plain = old == asked and not old.startswith("tunedModels/")
        named = new if plain or new.startswith("tunedModels/") else f"models/{new}"
        yield span, jsonio.dumps(named)


def parse_body(raw: bytes) -> dict[str, Any]:
    """Raises BadRequest, naming the byte of a syntax error."""
    if not raw.strip():
        raise BadRequest("the body is empty; a JSON object is required", code="invalid_json")
    try:
        value = jsonio.loads(raw)
    except jsonio.JSONError as error:
        raise BadRequest(describe_syntax_error(error, raw), code="invalid_json") from None
    if not isinstance(value, dict):
        raise BadRequest(
            'the body is not a JSON object; send one: {"field": value, …}', code="invalid_json"
        )
    return value


def describe_syntax_error(error: jsonio.JSONError, raw: bytes, what: str = "the body") -> str:
    """What is wrong and at which byte, counted from 0; contains nothing of ``raw`` itself."""
    try:
        raw.decode()
    except UnicodeDecodeError as fault:
        return f"{what} is not UTF-8 at byte {fault.start}; encode it as UTF-8"
    place = len(error.doc[: error.pos].encode())
    return f"{what} is not valid JSON at byte {place}: {error.msg}; correct it"


def _refuse_stream_field(call: Call, value: dict[str, Any]) -> None:
    if call.action is Action.GENERATE and value.get("stream") is True:
        why = "not a field of generateContent; to stream, call streamGenerateContent"
        raise BadRequest.about("stream", why)
