"""Messages begin as Claude Code's patterns require. The patterns are facts of 2.1.197."""

from __future__ import annotations

import json
import re
from pathlib import Path

from casedesk_proxy.dialects.node_errors.limits import Excess, Excessive
from casedesk_proxy.dialects.node_errors.mapping import map_node_error
from casedesk_proxy.dialects.node_errors.words import excess_fault
from casedesk_proxy.errors import BadRequest, NotFound, ProxyError, Unsupported, Violation
from casedesk_proxy.surfaces.anthropic import error_body, http_status
from casedesk_proxy.terms import Dialect
from tests.dialects.anthropic_asking import asking, error
from tests.fixtures.table import table

#: Where a part of a message stands that has to go.
PLACE = re.compile(
    r"messages[.[](\d+)[\].]+content[.[](\d+)[\].]+"
    r"(?:tool_result[.[]content[.[]\d+[\].]+)?(image|document|pdf)"
)
LONG_PROMPT = re.compile(r"prompt is too long[^0-9]*(\d+)\s*tokens?\s*>\s*(\d+)", re.IGNORECASE)
LIMIT = re.compile(r"input length and `max_tokens` exceed context limit: (\d+) \+ (\d+) > (\d+)")
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
PDF = {
    "type": "document",
    "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
}
MEDIA = (Violation("messages.1.content.2.source", "", "image"),)


def message(fault: ProxyError) -> str:
    return json.loads(error_body(fault))["error"]["message"]


@table(
    ("path", "place"),
    [
        ("messages.1.content.2.source", ("1", "2", "image")),
        ("messages.1.content.2.source.media_type", ("1", "2", "image")),
        ("messages.1.content.2.content.0.source", ("1", "2", "image")),
    ],
)
def test_a_picture_is_found_and_taken_out(path: str, place: tuple[str, ...]) -> None:
    violations = (Violation("tools.0", "other"), Violation(path, "no", "image"))
    told = message(Unsupported("unsupported: no", violations=violations))
    assert told.startswith("Could not process image: messages.1.content.2.")
    found = PLACE.search(told)
    assert found is not None
    assert found.groups() == place
    assert told.endswith("unsupported: no")


def test_a_picture_without_a_known_place() -> None:
    fault = map_node_error(
        Dialect.ANTHROPIC, 500, (), b'{"error":"image input is not supported"}', "m"
    )
    assert message(fault).startswith("Could not process image: the model does not accept this kind")
    assert http_status(fault) == 400


@table(
    "body",
    [
        b'{"error":{"message":"m is not a multimodal model","code":400}}',
        b'{"error":{"message":"image input is not supported - hint: mmproj","code":500}}',
        b'{"error":"failed to process inputs: image: unknown format"}',
        b'{"object":"error","message":"At most 1 image(s) may be provided in one prompt."}',
        b'{"error":"this model does not support vision"}',
    ],
)
@table("status", [400, 500])
def test_a_node_that_cannot_take_a_picture(body: bytes, status: int) -> None:
    fault = map_node_error(Dialect.ANTHROPIC, status, (), body, "m", MEDIA)
    told = message(fault)
    assert http_status(fault) == 400
    assert told.startswith("Could not process image: messages.1.content.2.image: ")
    assert "image" in fault.message
    assert "messages.1.content.2.source" in fault.message


@table("nested", [False, True])
@table(
    ("block", "words", "kind"),
    [(PDF, "The PDF specified was not valid", "document"),
     ({"type": "document", "source": {"type": "url", "url": "https://x/a.pdf"}},
      "The PDF specified was not valid", "document"),
     ({"type": "image", "source": {"type": "url", "url": "https://x/a.png"}},
      "Could not process image", "image"),
     ({"type": "image", "source": {**IMAGE["source"], "media_type": "image/tiff"}},
      "Could not process image", "image"),
     ({"type": "image", "source": {**IMAGE["source"], "data": "%%"}},
      "Could not process image", "image")],
)  # fmt: skip
def test_what_is_refused_before_a_node_is_asked(
    block: dict[str, object], words: str, kind: str, nested: bool
) -> None:
    messages: list[dict[str, object]] = [{"role": "user", "content": [block]}]
    if nested:
        call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [block]}
        messages = [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ]
    told = message(error(asking(messages=messages)))
    assert told.startswith(f"{words}: messages.")
    found = PLACE.search(told)
    assert found is not None
    assert found.groups() == ("2" if nested else "0", "0", kind)


def test_what_is_too_long() -> None:
    prompt = excess_fault(Dialect.ANTHROPIC, Excess(Excessive.PROMPT, 9010, None, 8192))
    together = excess_fault(Dialect.ANTHROPIC, Excess(Excessive.TOGETHER, 10, 9000, 8192))
    assert prompt is not None
    assert together is not None
    found = LONG_PROMPT.search(message(prompt))
    assert found is not None
    assert found.groups() == ("9010", "8192")
    found = LIMIT.search(message(together))
    assert found is not None
    assert found.groups() == ("10", "9000", "8192")
    assert LONG_PROMPT.search(message(together)) is None


def test_a_model_that_is_not_there() -> None:
    fault = NotFound("model 'x' is not served here", code="model_not_found")
    fault.model = "x"
    body = error_body(fault).decode()
    assert "not_found_error" in body
    assert '"message":"model: x; model \'x\' is not served here"' in body
    assert message(map_node_error(Dialect.ANTHROPIC, 404, (), b"", "x")).startswith("model: x; ")


def test_calls_without_results() -> None:
    body = (
        b'{"error":{"message":"An assistant message with \'tool_calls\' must be followed by tool '
        b"messages responding to each 'tool_call_id'.\"}}"
    )
    told = message(map_node_error(Dialect.ANTHROPIC, 400, (), body, "m"))
    assert "`tool_use` ids were found without `tool_result` blocks immediately after" in told


def test_other_errors_begin_as_they_are() -> None:
    audio = BadRequest("no", violations=(Violation("a", "no", "audio"),))
    late = ProxyError("no", status=502, violations=(Violation("a", "no", "image"),))
    for fault in (audio, late, BadRequest("no"), NotFound("no")):
        assert message(fault) == "no"


DOCUMENTED = Path(__file__).parents[2] / "docs" / "errors.md"


@table(
    "words",
    ["Could not process image", "The PDF specified was not valid", "prompt is too long: ",
     "exceed context limit: ", "model: ", "tool_use_id", "`tool_use` ids must be unique",
     "maximum schema depth exceeded", "2.1.197", "0.61.0"],
)  # fmt: skip
def test_the_table_names_them(words: str) -> None:
    assert words in DOCUMENTED.read_text()
