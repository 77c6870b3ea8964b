"""Requests for the simulated node, on every surface, and its replies."""

from __future__ import annotations

import json
from typing import Any

from casedesk_proxy.simulator.answer import say
from casedesk_proxy.simulator.app import Simulator
from casedesk_proxy.simulator.script import HEADER
from tests.fixtures.messages import Message
from tests.fixtures.raw_client import ask, request

SURFACES = ("sse", "array", "anthropic", "chat", "completions")
VERSION = "anthropic-version: 2023-06-01"
#: What the simulator answers.
SENTENCE = say("good day")
WORDS = len(SENTENCE.split())


def streaming(
    surface: str, model: str = "sim", text: str = "good day", script: str = "", **more: Any
) -> bytes:
    """A request for a stream; ``script`` is put into the simulator's header."""
    headers = [f"{HEADER}: {script}"] if script else []
    if surface in ("sse", "array"):
        target = f"/v1beta/models/{model}:streamGenerateContent"
        body = {"contents": [{"parts": [{"text": text}]}], **more}
        return request(target + ("?alt=sse" if surface == "sse" else ""), body, *headers)
    named = {"model": model, "stream": True, **more}
    messages = [{"role": "user", "content": text}]
    if surface == "anthropic":
        body = {"max_tokens": 1000, "messages": messages, **named}
        return request("/v1/messages", body, VERSION, *headers)
    if surface == "chat":
        return request("/v1/chat/completions", {"messages": messages, **named}, *headers)
    return request("/v1/completions", {"prompt": text, **named}, *headers)


async def stream(node: Simulator, surface: str, model: str = "sim", **more: Any) -> Message:
    return await ask(node.url, streaming(surface, model, **more))


def events(message: Message) -> list[tuple[str, dict]]:
    """(name, data) of every event except [DONE]."""
    found = []
    for block in message.body.decode().replace("\r\n", "\n").split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        if fields["data"] != "[DONE]":
            found.append((fields.get("event", ""), json.loads(fields["data"])))
    return found
