from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.engines.transformers import SPEC
from casedesk_proxy.errors import Unsupported
from casedesk_proxy.terms import Dialect
from tests.dialects.asking import chat, with_config, with_tools
from tests.engines.answers import look_at
from tests.engines.known import REFUSED
from tests.engines.streams import choice, counted
from tests.fixtures.recorded_nodes import recorded, reply
from tests.fixtures.table import table

#: Its list of what the folder holds where there is no folder, as seen with release 5.17.
FAILED = (
    b"HTTP/1.1 500 Internal Server Error\r\nserver: uvicorn\r\nContent-Length: 21\r\n"
    b"content-type: text/plain; charset=utf-8\r\n\r\nInternal Server Error"
)
#: The paths that FastAPI describes for the application of release 5.17.
REPLIES = {
    "GET /openapi.json": reply(
        '{"openapi":"3.1.0","info":{"title":"FastAPI","version":"0.1.0"},"paths":{'
        '"/v1/chat/completions":{},"/v1/completions":{},"/v1/responses":{},'
        '"/v1/audio/transcriptions":{},"/load_model":{},"/reset":{},"/v1/models":{},"/health":{}}}'
    ),
    "GET /v1/models": recorded("transformers-5.23.0.models"),
}
MISSING = recorded("transformers-5.23.0.gemini-models")
HEARD = (REPLIES, MISSING)
SENT: dict[str, Any] = {
    "one call at a time": False,
    "top_k": None,
    "n": REFUSED,
    "chat_template_kwargs": {"enable_thinking": False},
    "effort for a level": None,
    "effort for a budget": None,
    "response_format json_object": REFUSED,
    "tool_choice required": REFUSED,
    "tool_choice named": REFUSED,
    "top_logprobs": REFUSED,
    "logprobs beside tools": REFUSED,
    "format and tools": REFUSED,
    "presence_penalty": None,
}
MEDIA = {"image/webp", "image/gif", "audio/wav", "audio/x-wav", "audio/mpeg"}
# Its usage stands beside the finish, and nothing says that it is done.
STREAM = (
    choice(role="assistant"),
    choice(reasoning_content="t"),
    choice(content="a"),
    choice(
        tool_calls=[
            {
                "index": 0,
                "type": "function",
                "id": "c",
                "function": {"name": "f", "arguments": '{"y":1}'},
            }
        ]
    ),
    counted(choices=[{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]),
)
#: It knows neither tools nor formats, and shows what stopped it.
IGNORES = ("-tools", "-json-schema", "-stop", "-length", "-n2", "-logprobs")
_RAW = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>'
BLOCKS = {
    "-tools": ([_RAW], "end_turn"),
    "-json-schema": (["Hello, this is a tiny test model. It says café 😀 and stops here."],
                     "end_turn"),
    "-stop": (["Hello, this is a tiny"], "end_turn"),
}  # fmt: skip
CUT = "transformers-5.23.0.chat-stream-stop"
USAGE = ("transformers-5.23.0.chat-stream-usage", (12, 21, None, None, 33))
ERRORS = [
    (
        "transformers-5.23.0.error-no-messages",
        500,
        "the node failed to serve the request; look into the node's log",
    ),
    ("transformers-5.23.0.error-bad-json", 400, "the node refused the request: JSON decode error"),
]
# A message with a quote in it makes no JSON.
FAILS = (b'data: {"error": "no "x" left"}\n\n',)


@table("more", [{}, {"GET /v1/models": FAILED}], ids=["a folder", "none"])
def test_it_is_known_by_two_paths_of_its_description(more: dict[str, bytes]) -> None:
    found, asked = look_at(SPEC, {**REPLIES, **more}, MISSING)
    assert found is not None
    assert (found.engine, found.models, found.dialects) == (SPEC, (), (Dialect.OPENAI,))
    assert [one.path for together in asked for one in together] == ["/openapi.json"]


def test_only_python_s_web_server_is_asked_for_it() -> None:
    """A large application needs a while for its description."""
    found, asked = look_at(SPEC, {**REPLIES, "GET /v1/models": reply("{}")})
    assert (found, asked) == (None, [])


@table("paths", ["{}", '{"/load_model":{}}', "[]", "7"])
def test_another_application_is_not_taken_for_it(paths: str) -> None:
    described = {"GET /openapi.json": reply(f'{{"paths":{paths}}}')}
    assert look_at(SPEC, {**REPLIES, **described}, MISSING)[0] is None


@table(
    "body",
    [
        with_config(candidateCount=2),
        with_config(responseLogprobs=True),
        with_config(responseMimeType="application/json"),
        with_tools({"name": "f"}, {"name": "g"}, mode="ANY"),
    ],
)
def test_what_it_answers_200_to_and_ignores_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(Unsupported):
        chat(body, SPEC)
