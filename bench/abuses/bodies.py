"""Request bodies that are legal HTTP and cost much."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

from bench.abuses.kind import Abuse, Victim
from bench.abuses.nodes import answer_all
from bench.abuses.wire import connect, crowd, drain, head, post, pour, status_of

__all__ = ["BODIES", "MAX_BODIES"]

_MB = 1_000_000
_CHUNKS = 3_000_000
_SLOW_BODIES = 20
_SLOW_BODY_BYTES = 30 * _MB
_TRANSLATED_BYTES = 30 * _MB
#: MB that one body of 30 MB may take, including the result of parsing it.
_ONE_BODY_MB = 320.0
#: The proxy's setting, and the MB that it may take with as many bodies.
MAX_BODIES = "256MiB"
_ALL_BODIES_MB = 340.0

_CHAT = "/proxy/abuse/openai/v1/chat/completions"
_MESSAGES = "/proxy/abuse/anthropic/v1/messages"
_GENERATE = "/proxy/abuse/gemini/v1beta/models/bad:generateContent"


def _send_tiny_chunks(victim: Victim) -> None:
    """A body of 3 million chunks of one byte."""
    data = head(_CHAT, key=victim.key) + b"1\r\nx\r\n" * victim.scaled(_CHUNKS)
    with suppress(OSError), connect(victim.port) as peer:
        first = pour(peer, data + b"0\r\n\r\n", victim)
        victim.said[status_of(first or drain(peer, victim))] += 1


def _send_unknown_fields(victim: Victim, most: int = 1_400_000) -> None:
    """28 MB of fields that Gemini's API does not have, so that each is a fault."""
    count = victim.scaled(most)
    fields = ",".join(f'"field{number:08}":0' for number in range(count))
    post(victim, _GENERATE, b'{"contents":[{"parts":[{"text":"x"}]}],' + fields.encode() + b"}")


def _send_some_unknown_fields(victim: Victim) -> None:
    _send_unknown_fields(victim, 99_000)


def _fill(before: str, one: str, after: str, size: int) -> bytes:
    """As many of ``one`` as ``size`` bytes hold."""
    return f"{before}{','.join([one] * max(1, size // (len(one) + 1)))}{after}".encode()


def _send_tiny(path: str, before: str, one: str, after: str) -> Callable[[Victim], None]:
    """A request that must be translated and consists of very many small items."""

    def act(victim: Victim) -> None:
        post(victim, path, _fill(before, one, after, victim.scaled(_TRANSLATED_BYTES)))

    return act


def _send_just_too_few(
    path: str, before: str, one: str, after: str, count: int
) -> Callable[[Victim], None]:
    """As many small items as a proxy with its defaults accepts (server.body_items)."""

    def act(victim: Victim) -> None:
        post(victim, path, _fill(before, one, after, victim.scaled(count * (len(one) + 1))))

    return act


def _send_wide_schema(victim: Victim) -> None:
    """One tool whose schema has very many properties."""
    count = victim.scaled(_TRANSLATED_BYTES) // 34
    properties = ",".join(f'"p{number:07}":{{"type":"string"}}' for number in range(count))
    schema = f'{{"type":"object","properties":{{{properties}}}}}'
    tool = f'{{"name":"t","description":"d","input_schema":{schema}}}'
    said = json.dumps([{"role": "user", "content": "x"}])
    body = f'{{"model":"bad","max_tokens":9,"messages":{said},"tools":[{tool}]}}'
    post(victim, _MESSAGES, body.encode())


def _hold_slow_bodies(victim: Victim) -> None:
    """20 bodies of 30 MB, all but a few bytes of each, then a byte a second."""
    most = victim.scaled(_SLOW_BODY_BYTES)
    begun = head(_CHAT, key=victim.key, length=most + 1_000_000) + b"x" * most
    with ExitStack() as stack:
        peers = []
        for _ in range(_SLOW_BODIES):
            with suppress(OSError):
                peers.append(stack.enter_context(connect(victim.port)))
                first = pour(peers[-1], begun, victim)
                victim.said[status_of(first) if first else "bodies held"] += 1
        while victim.left > 0:
            for peer in peers:
                with suppress(OSError):
                    peer.send(b"x")
            time.sleep(max(0.0, min(1.0, victim.left)))


_TURNS = '{"model":"bad","max_tokens":9,"messages":['

BODIES = (
    Abuse("body-chunks", "3 million chunks of one byte in a request", crowd(1, _send_tiny_chunks),
          answer_all),
    Abuse("errors", "28 MB of unknown fields", crowd(1, _send_unknown_fields), answer_all,
          bound_mb=_ONE_BODY_MB),
    Abuse("parts", "30 MB of tiny parts, translated",
          crowd(1, _send_tiny(_GENERATE, '{"contents":[{"role":"user","parts":[',
                              '{"text":"x"}', "]}]}")),
          answer_all, bound_mb=_ONE_BODY_MB),
    Abuse("turns", "30 MB of tiny turns, translated",
          crowd(1, _send_tiny(_MESSAGES, _TURNS, '{"role":"user","content":"x"}', "]}")),
          answer_all, bound_mb=_ONE_BODY_MB),
    Abuse("tools", "30 MB of tiny tools, translated",
          crowd(1, _send_tiny(_MESSAGES, _TURNS + '{"role":"user","content":"x"}],"tools":[',
                              '{"name":"t","input_schema":{"type":"object"}}', "]}")),
          answer_all, bound_mb=_ONE_BODY_MB),
    Abuse("schema", "a tool with 30 MB of schema, translated", crowd(1, _send_wide_schema),
          answer_all, bound_mb=_ONE_BODY_MB),
    Abuse("parts-within", "49 000 tiny parts, as many as are parsed",
          crowd(1, _send_just_too_few(_GENERATE, '{"contents":[{"role":"user","parts":[',
                                      '{"text":"x"}', "]}]}", 49_000)),
          answer_all, bound_mb=_ONE_BODY_MB),
    Abuse("fields-within", "99 000 unknown fields, as many as are taken",
          crowd(1, _send_some_unknown_fields),
          answer_all, bound_mb=_ONE_BODY_MB),
    Abuse("slow-bodies", "20 bodies of 30 MB, then a byte a second", _hold_slow_bodies, answer_all,
          bound_mb=_ALL_BODIES_MB),
)  # fmt: skip
