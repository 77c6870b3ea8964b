"""wire/jsonarray: the elements of a Gemini array, found in reads that cut them, and laid out.

The elements are Gemini chunks around the words of a recorded answer; reads are of 200 bytes.
"""

from __future__ import annotations

import json
import re

from bench.micro.recorded import read_reply
from bench.micro.work import Case, Work
from casedesk_proxy.wire.jsonarray import ArrayScanner, ArrayWriter

_READ = 200


def _elements() -> list[bytes]:
    words = re.findall(rb'"content":"([^"]+)"', read_reply("vllm-0.32.0.chat-stream").body)
    return [_element(word.decode()) for word in words]


def _element(word: str) -> bytes:
    content = {"parts": [{"text": word}], "role": "model"}
    chunk = {"candidates": [{"content": content, "index": 0}], "modelVersion": "tiny"}
    return json.dumps(chunk, separators=(",", ":")).encode()


def _prepare_scanner() -> Work:
    wanted = _elements()
    body = b"[" + b"\n,\r\n".join(wanted) + b"\n]"
    reads = [body[start : start + _READ] for start in range(0, len(body), _READ)]

    def run(scanner: ArrayScanner) -> tuple[list[bytes], bool]:
        elements = []
        for read in reads:
            elements += scanner.feed(read)
        return elements, scanner.ended

    def check(result: tuple[list[bytes], bool]) -> None:
        assert result == (wanted, True)

    return Work(run, check, len(wanted), ArrayScanner)


def _prepare_writer() -> Work:
    elements = _elements()
    wanted = [json.loads(one) for one in elements]

    def run(writer: ArrayWriter) -> list[bytes]:
        pieces = [writer.element(one) for one in elements]
        pieces.append(writer.close())
        return pieces

    def check(pieces: list[bytes]) -> None:
        assert json.loads(b"".join(pieces)) == wanted

    return Work(run, check, len(elements), ArrayWriter)


CASES = (
    Case("wire/jsonarray", "element found", _prepare_scanner),
    Case("wire/jsonarray writer", "element laid out", _prepare_writer),
)
