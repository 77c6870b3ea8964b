"""Sends a reply as its script says: its pace, its pieces, its end."""

from __future__ import annotations

import asyncio
import socket
import struct

from aiohttp import web

from casedesk_proxy import jsonio
from casedesk_proxy.errors import ProxyError
from casedesk_proxy.simulator.answer import Frame, Stream, Whole
from casedesk_proxy.simulator.script import Ending, Script

__all__ = ["GARBAGE", "play"]

#: The bytes of a broken node: no event, no JSON, not even UTF-8.
GARBAGE = b"\xff\xfe<html>segmentation fault\x00\n"
#: With a linger time of zero, closing a socket resets its connection.
_RESET = struct.pack("ii", 1, 0)


async def play(
    request: web.BaseRequest, reply: Whole | Stream, script: Script, pace: float
) -> web.StreamResponse:
    """Sends the whole reply. ``pace`` is in words per second, 0 for no wait.

    Raises ProxyError, before anything is sent, if the script lets a body end in an error.
    """
    if isinstance(reply, Whole):
        if pace:
            await asyncio.sleep(reply.words / pace)
        return await _send_body(request, jsonio.dumps(reply.value), script)
    response = web.StreamResponse(headers={"Content-Type": reply.content_type})
    response.enable_chunked_encoding()
    await response.prepare(request)
    writer = _Writer(response, script)
    await _speak(writer, reply, script, pace)
    await writer.flush()
    if script.ending is Ending.ERROR:
        await response.write(reply.error)
    elif script.ending is Ending.GARBAGE:
        await response.write(GARBAGE)
    await _end(request, script.ending)
    return response


async def _speak(writer: _Writer, reply: Stream, script: Script, pace: float) -> None:
    """The stream's events, as many as the script allows."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    stops = script.ending is not Ending.FINISH and script.after_bytes is None
    for count, frame in enumerate(reply.frames):
        if stops and count == script.after_events:
            return
        if script.pause and count == script.pause_after:
            await writer.flush()
            await asyncio.sleep(script.pause)
            due = loop.time()
        if pace and frame.word:
            # By a clock that does not drift by the time for writing.
            due += 1 / pace
            await asyncio.sleep(due - loop.time())
        if not await writer.write(frame):
            return


async def _send_body(request: web.BaseRequest, body: bytes, script: Script) -> web.StreamResponse:
    ending = script.ending
    part = len(body) // 2 if script.after_bytes is None else script.after_bytes
    if ending is Ending.ERROR:
        raise ProxyError("the simulated model broke, as its script says")
    if ending is Ending.UNFINISHED:
        body = body[:part]
    elif ending is Ending.GARBAGE:
        body = GARBAGE
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    if ending in (Ending.CUT, Ending.RESET, Ending.HANG):
        body = body[:part]
    size = script.piece or len(body)
    for start in range(0, len(body), size or 1):
        await response.write(body[start : start + size])
    await _end(request, ending)
    return response


async def _end(request: web.BaseRequest, ending: Ending) -> None:
    """Ends the connection; for a regular end this returns and the caller ends it."""
    transport = request.transport
    if transport is None:
        return
    if ending is Ending.CUT:
        transport.close()
    elif ending is Ending.RESET:
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    elif ending is Ending.HANG:
        await asyncio.get_running_loop().create_future()


class _Writer:
    """Cuts or joins events into writes of the script's size; each is one HTTP chunk."""

    def __init__(self, response: web.StreamResponse, script: Script) -> None:
        self._response = response
        self._piece = script.piece
        self._left = None if script.ending is Ending.FINISH else script.after_bytes
        self._held = b""

    async def write(self, frame: Frame) -> bool:
        """False: the script allows no more bytes."""
        data = frame.data
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        if self._piece is None:
            await self._response.write(data)
        else:
            self._held += data
            while len(self._held) >= self._piece:
                await self._response.write(self._held[: self._piece])
                self._held = self._held[self._piece :]
        return self._left != 0

    async def flush(self) -> None:
        if self._held:
            await self._response.write(self._held)
            self._held = b""
