"""wire/chunked: the framing of a recorded vLLM answer, followed chunk by chunk, and made.

Without the relay's fast path for reads that are exactly one chunk: see relaying.
"""

from __future__ import annotations

from bench.micro.recorded import read_reply
from bench.micro.work import Case, Work
from casedesk_proxy.wire.chunked import LAST_CHUNK, ChunkReader, frame_chunk


def _prepare_reader() -> Work:
    reply = read_reply("vllm-0.32.0.chat-stream-usage")
    reads, wanted = reply.reads, reply.body

    def run(reader: ChunkReader) -> tuple[list[bytes], int, bool]:
        payload, used = [], 0
        for read in reads:
            used += reader.read(read)
            payload += reader.payload
        return payload, used, reader.ended

    def check(result: tuple[list[bytes], int, bool]) -> None:
        payload, used, ended = result
        assert b"".join(payload) == wanted
        assert used == sum(map(len, reads))
        assert ended

    return Work(run, check, len(reads), ChunkReader)


def _prepare_writer() -> Work:
    reply = read_reply("vllm-0.32.0.chat-stream-usage")
    payloads = reply.payloads

    def run(_: None) -> list[bytes]:
        return [frame_chunk(one) for one in payloads]

    def check(frames: list[bytes]) -> None:
        assert (*frames, LAST_CHUNK) == reply.reads

    return Work(run, check, len(payloads))


CASES = (
    Case("wire/chunked", "chunk read", _prepare_reader),
    Case("wire/chunked writer", "chunk framed", _prepare_writer),
)
