"""What nodes of each protocol say to an SDK: in two halves, or slowly."""

from __future__ import annotations

import asyncio

from tests.fixtures.raw_node import NodeConnection, Play
from tests.server.gateways import SSE, chunk

END = b"0\r\n\r\n"
OFTEN = ", heartbeat: 30ms, heartbeat_verbatim: true"
#: Long enough for several signs of life.
SILENCE = 0.15


class Tongue:
    """What a node sends in one dialect: the beginning of an answer, and its end."""

    def __init__(self, begin: bytes, end: bytes) -> None:
        self.begin, self.end = begin, end


def named(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode()


def gemini(text: str, more: str = "") -> bytes:
    said = f'{{"content":{{"parts":[{{"text":"{text}"}}],"role":"model"}}{more}}}'
    return f'data: {{"candidates":[{said}]}}\r\n\r\n'.encode()


TONGUES = {
    "openai": Tongue(
        b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":'
        b'[{"index":0,"delta":{"role":"assistant","content":"half"},"finish_reason":null}]}\n\n',
        b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":'
        b'[{"index":0,"delta":{"content":" whole"},"finish_reason":"stop"}]}\n\n'
        b"data: [DONE]\n\n",
    ),
    "gemini": Tongue(gemini("half"), gemini(" whole", ',"finishReason":"STOP"')),
    "anthropic": Tongue(
        named(
            "message_start",
            '{"type":"message_start","message":{"id":"m","type":"message","role":"assistant",'
            '"model":"m","content":[],"stop_reason":null,"stop_sequence":null,'
            '"usage":{"input_tokens":1,"output_tokens":1}}}',
        )
        + named(
            "content_block_start",
            '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
        )
        + named(
            "content_block_delta",
            '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"half"}}',
        ),
        named(
            "content_block_delta",
            '{"type":"content_block_delta","index":0,'
            '"delta":{"type":"text_delta","text":" whole"}}',
        )
        + named("content_block_stop", '{"type":"content_block_stop","index":0}')
        + named(
            "message_delta",
            '{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
            '"usage":{"output_tokens":2}}',
        )
        + named("message_stop", '{"type":"message_stop"}'),
    ),
}


def slow(tongue: Tongue) -> Play:
    """A node that is silent before its head, after it, within an event and between events."""
    middle = len(tongue.begin) // 2

    async def play(connection: NodeConnection) -> None:
        while True:
            await connection.request()
            first, second = tongue.begin[:middle], tongue.begin[middle:]
            for piece in (SSE, chunk(first), chunk(second), chunk(tongue.end) + END):
                await asyncio.sleep(SILENCE)
                await connection.send(piece)

    return play
