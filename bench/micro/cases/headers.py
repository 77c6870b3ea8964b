"""wire/headers: which header lines pass, of recorded requests of four SDKs and replies of three
engines, by the two lists."""

from __future__ import annotations

from bench.micro.cases.http1 import ENGINES, SDKS
from bench.micro.recorded import read_reply, read_requests
from bench.micro.work import Case, Work
from casedesk_proxy.wire.headers import forward_request_headers, forward_response_headers
from casedesk_proxy.wire.http1 import parse_response_head

Lines = list[tuple[bytes, bytes]]


def _prepare_requests() -> Work:
    requests = [one.headers for one in read_requests(*SDKS)]

    def run(_: None) -> list[Lines]:
        return [forward_request_headers(headers) for headers in requests]

    def check(passed: list[Lines]) -> None:
        for lines in passed:
            names = {name.lower() for name, _ in lines}
            assert {b"user-agent", b"content-type"} <= names
            assert not {b"authorization", b"x-goog-api-key", b"host", b"content-length"} & names

    return Work(run, check, len(requests))


def _prepare_replies() -> Work:
    heads = [read_reply(f"{engine}.chat-stream").head for engine in ENGINES]
    replies = [parse_response_head(head).headers for head in heads]

    def run(_: None) -> list[Lines]:
        return [forward_response_headers(headers) for headers in replies]

    def check(passed: list[Lines]) -> None:
        for lines in passed:
            names = {name.lower() for name, _ in lines}
            assert b"content-type" in names
            assert not {b"server", b"transfer-encoding"} & names

    return Work(run, check, len(replies))


CASES = (
    Case("wire/headers request", "head towards a node", _prepare_requests),
    Case("wire/headers reply", "head towards a client", _prepare_replies),
)
