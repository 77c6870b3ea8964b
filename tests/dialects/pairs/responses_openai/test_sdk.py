"""The openai SDK writes the requests and reads the replies; its types judge every event."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter

from tests.dialects.pairs.anthropic_openai.test_recorded import STREAMS, wanted
from tests.dialects.pairs.anthropic_openai.test_reply import (
    DONE,
    HELLO,
    STOP,
    calls,
    chunk,
    event,
    fragment,
    usage,
)
from tests.dialects.replies import read_reply
from tests.dialects.responses_asking import MCP, SHELL, WEATHER, ResponsesProxy, asking, events
from tests.fixtures.sdks import openai
from tests.fixtures.table import table


@cache
def stream_event() -> TypeAdapter[Any]:
    return TypeAdapter(openai.types.responses.ResponseStreamEvent)


class Answer(BaseModel):
    city: str


def streamed(proxy: ResponsesProxy, **fields: Any) -> tuple[Any, list[str]]:
    """The final response of the SDK's accumulator, and the kinds of all events."""
    kinds = []
    with proxy.client.responses.stream(**asking(**fields)) as stream:
        for one in stream:
            kinds.append(one.type)
        final = stream._state._completed_response
    for one in events(proxy.raw):
        stream_event().validate_python(one, strict=False)
    return final, kinds


def told(response: Any) -> list[Any]:
    found: list[Any] = []
    for item in response.output:
        if item.type == "function_call":
            found.append((item.name, item.arguments))
        elif item.type == "reasoning":
            found.append(("thinking", "".join(part.text for part in item.content)))
        else:
            found.append("".join(part.text for part in item.content))
    return found


def _as_words(block: Any) -> Any:
    if isinstance(block, tuple) and isinstance(block[1], dict):
        return (block[0], str(block[1]).replace("'", '"'))
    return block


@table("name", STREAMS)
def test_recorded_replies(name: str) -> None:
    proxy = ResponsesProxy(read_reply(name).chunks)
    blocks, reason = wanted(name)
    final, kinds = streamed(proxy, tools=[WEATHER])
    created = proxy.client.responses.create(**asking(tools=[WEATHER]))
    assert isinstance(created, openai.types.responses.Response)
    openai.types.responses.Response.model_validate(created.to_dict(), strict=False)
    assert [_squeezed(one) for one in told(created)] == [_squeezed(one) for one in blocks]
    if reason == "max_tokens":
        assert final is None  # the SDK takes only response.completed for an end
        assert kinds[-1] == "response.incomplete"
        assert created.status == "incomplete"
        assert created.incomplete_details
        assert created.incomplete_details.reason == "max_output_tokens"
        return
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert [_squeezed(one) for one in told(final)] == [_squeezed(one) for one in blocks]
    assert final.id == created.id
    assert final.usage.to_dict() == created.usage.to_dict() if created.usage else not final.usage


def _squeezed(block: Any) -> Any:
    """A block without blanks after colons: a call's arguments are text in the node's own
    spelling."""
    if isinstance(block, tuple):
        words = block[1] if isinstance(block[1], str) else _as_words(block)[1]
        return (block[0], words.replace(": ", ":"))
    return block


def test_a_call_in_a_namespace() -> None:
    pieces = [
        calls(fragment(0, "call_aaaa", "mcp__weather__get_weather", '{"city":')),
        calls(fragment(0, None, None, '"Rome"}')),
        *STOP,
    ]
    proxy = ResponsesProxy(pieces)
    final, kinds = streamed(proxy, tools=[MCP])
    call = final.output[0]
    assert (call.name, call.namespace) == ("get_weather", "mcp__weather")
    assert call.arguments == '{"city":"Rome"}'
    assert call.call_id == "call_aaaa"
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert proxy.asked["tools"][0]["function"]["name"] == "mcp__weather__get_weather"


@table(
    ("pieces", "given"),
    [
        (['{"input":"ls ', '-l\\n"}'], "ls -l\n"),
        (['{"input":""}'], ""),
        (['{"script":"ls"}'], '{"script":"ls"}'),
    ],
)
def test_a_call_of_a_freeform_tool(pieces: list[str], given: str) -> None:
    first, *more = pieces
    reply = [
        calls(fragment(0, "call_aaaa", "shell", first)),
        *(calls(fragment(0, None, None, piece)) for piece in more),
        *STOP,
    ]
    proxy = ResponsesProxy(reply)
    final, kinds = streamed(proxy, tools=[SHELL])
    (call,) = final.output
    assert isinstance(call, openai.types.responses.ResponseCustomToolCall)
    assert (call.name, call.input, call.call_id) == ("shell", given, "call_aaaa")
    assert kinds[2:-1] == [
        "response.output_item.added",
        *(["response.custom_tool_call_input.delta"] if given else []),
        "response.custom_tool_call_input.done",
        "response.output_item.done",
    ]
    created = proxy.client.responses.create(**asking(tools=[SHELL]))
    assert [one.to_dict() for one in created.output] == [one.to_dict() for one in final.output]


def test_a_freeform_call_that_was_cut_short_is_incomplete() -> None:
    cut = [
        calls(fragment(0, "call_aaaa", "shell", '{"input":"rm -r')),
        chunk(finish="length"),
        DONE,
    ]
    proxy = ResponsesProxy(cut)
    (call,) = proxy.client.responses.create(**asking(tools=[SHELL])).output
    assert (call.input, call.to_dict()["status"]) == ("", "incomplete")


def test_parallel_calls_never_overlap() -> None:
    pieces = [
        chunk({"content": "Both."}),
        calls(fragment(0, "call_aaaa", "f", '{"x":')),
        calls(fragment(1, "call_bbbb", "g", '{"y":2}')),
        calls(fragment(0, None, None, "1}")),
        *STOP,
    ]
    final, _ = streamed(ResponsesProxy(pieces), tools=[WEATHER])
    assert told(final) == ["Both.", ("f", '{"x":1}'), ("g", '{"y":2}')]


def test_parse() -> None:
    pieces = [chunk({"content": '{"city":'}), chunk({"content": '"Rome"}'}), *STOP]
    proxy = ResponsesProxy(pieces)
    parsed = proxy.client.responses.parse(model="gpt", input="Where?", text_format=Answer)
    assert parsed.output_parsed == Answer(city="Rome")
    assert proxy.asked["response_format"]["json_schema"]["name"] == "Answer"


def test_log_probabilities() -> None:
    one = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105]}
    logprobs = {"content": [one | {"top_logprobs": [one]}]}
    pieces = [
        event({"choices": [{"index": 0, "delta": {"content": "Hi"}, "logprobs": logprobs}]}),
        *STOP,
    ]
    final, _ = streamed(ResponsesProxy(pieces), top_logprobs=1)
    part = final.output[0].content[0]
    assert [one.token for one in part.logprobs] == ["Hi"]
    assert part.logprobs[0].top_logprobs[0].logprob == -0.5


def test_a_refusal() -> None:
    final, kinds = streamed(ResponsesProxy([chunk({"refusal": "No."}), *STOP]))
    assert final.output[0].content[0].refusal == "No."
    assert "response.refusal.done" in kinds


@table("begun", [0, 1, 3])
def test_a_break_is_a_failed_response(begun: int) -> None:
    pieces = [chunk({"role": "assistant", "content": ""}), *HELLO][:begun]
    proxy = ResponsesProxy([*pieces, chunk(finish="abort")])
    final, kinds = streamed(proxy)
    assert final is None
    assert kinds[-1] == "response.failed"
    failed = events(proxy.raw)[-1]["response"]
    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "server_error"
    assert " stopped before its answer was complete" in failed["error"]["message"]
    assert failed["id"] == events(proxy.raw)[0]["response"]["id"]


def test_usage() -> None:
    counts = {
        "prompt_tokens": 12,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    pieces = [chunk({"content": "Hi"}), chunk(finish="stop"), usage(counts), DONE]
    final, _ = streamed(ResponsesProxy(pieces))
    assert final.usage.input_tokens == 12
    assert final.usage.input_tokens_details.cached_tokens == 8
    assert final.usage.output_tokens_details.reasoning_tokens == 2
    assert final.usage.total_tokens == 17
