"""wire/http1: the heads of recorded requests of four SDKs, and of the replies of three engines."""

from __future__ import annotations

from bench.micro.recorded import read_reply, read_requests
from bench.micro.work import Case, Work
from casedesk_proxy.wire.http1 import (
    BodyFraming,
    RequestHead,
    ResponseHead,
    parse_request_head,
    parse_response_head,
)

SDKS = ("py-openai-3", "py-anthropic-2_stream", "py-google-genai-3_stream", "node-openai-7")
ENGINES = ("vllm-0.32.0", "sglang-0.5.23", "llama-server")


def _prepare_requests() -> Work:
    requests = read_requests(*SDKS)
    blocks = [one.block for one in requests]

    def run(_: None) -> list[RequestHead]:
        return [parse_request_head(block) for block in blocks]

    def check(heads: list[RequestHead]) -> None:
        assert [(one.method, one.target, one.headers) for one in heads] == [
            (one.method, one.target, one.headers) for one in requests
        ]
        assert all(one.body is BodyFraming.LENGTH and one.keep_alive for one in heads)

    return Work(run, check, len(blocks))


def _prepare_replies() -> Work:
    blocks = [read_reply(f"{engine}.chat-stream").head for engine in ENGINES]

    def run(_: None) -> list[ResponseHead]:
        return [parse_response_head(block) for block in blocks]

    def check(heads: list[ResponseHead]) -> None:
        assert all(one.status == 200 and one.body is BodyFraming.CHUNKED for one in heads)
        assert [len(one.headers) for one in heads] == [block.count(b"\r\n") for block in blocks]

    return Work(run, check, len(blocks))


CASES = (
    Case("wire/http1 request", "head of an SDK's request", _prepare_requests),
    Case("wire/http1 reply", "head of a node's reply", _prepare_replies),
)
