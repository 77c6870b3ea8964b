"""wire/sse: a recorded vLLM answer, decoded event by event as it was sent, and cut anywhere.

Whole: every read is one event, the decoder's fast path. Split: the same bytes in reads of 100, so
that every event is held over a read: the slow path.
"""

from __future__ import annotations

from bench.micro.recorded import read_reply
from bench.micro.work import Case, Work
from casedesk_proxy.wire.sse import EventDecoder

_READ = 100


def _prepare(*, split: bool) -> Work:
    reply = read_reply("vllm-0.32.0.chat-stream-usage")
    body, reads = reply.body, list(reply.payloads)
    if split:
        reads = [body[start : start + _READ] for start in range(0, len(body), _READ)]
    wanted = [(b"", one[len(b"data: ") : -2]) for one in reply.payloads]

    def run(decoder: EventDecoder) -> list[tuple[bytes, bytes]]:
        feed = decoder.feed
        events = []
        for read in reads:
            events += feed(read)
        return events

    def check(events: list[tuple[bytes, bytes]]) -> None:
        assert events == wanted

    return Work(run, check, len(wanted), EventDecoder)


CASES = (
    Case("wire/sse", "event, whole", lambda: _prepare(split=False)),
    Case("wire/sse split", "event, split over reads", lambda: _prepare(split=True)),
)
