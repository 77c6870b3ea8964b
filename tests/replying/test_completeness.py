"""An answer that its node ended too early is distinguished from a complete one."""

from __future__ import annotations

from pathlib import Path

from casedesk_proxy.replying.completeness import is_answered, is_given_up, is_unfinished
from casedesk_proxy.terms import Dialect
from tests.fixtures.messages import read_message
from tests.fixtures.table import table

OPENAI = b'data: {"choices":[{"index":0,"delta":{"content":"w"},"finish_reason":null}]}\n\n'
GEMINI = b'data: {"candidates":[{"content":{"parts":[{"text":"w"}]}}]}\r\n\r\n'
ANTHROPIC = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"w"}}\n\n'
)


@table(
    ("surface", "piece", "ends"),
    [
        (
            Dialect.OPENAI,
            OPENAI,
            [
                b"data: [DONE]\n\n",
                b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
                b'data: {"choices":[{"delta":{}, "finish_reason": "length"}]}\n\n',
                b'data: {"error":{"message":"no"}}\n\n',
            ],
        ),
        (
            Dialect.GEMINI,
            GEMINI,
            [
                b'data: {"candidates":[{"finishReason":"STOP"}]}\r\n\r\n',
                b'data: {"promptFeedback":{"blockReason":"SAFETY"}}\r\n\r\n',
                b'data: {"error":{"code":500}}\r\n\r\n',
            ],
        ),
        (
            Dialect.ANTHROPIC,
            ANTHROPIC,
            [
                b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
                b'event: error\ndata: {"type":"error","error":{}}\n\n',
            ],
        ),
    ],
)
def test_an_answer_is_finished_by_its_end_alone(
    surface: Dialect, piece: bytes, ends: list[bytes]
) -> None:
    assert is_unfinished(surface, piece, piece)
    assert is_unfinished(surface, piece, piece * 20)
    assert is_unfinished(surface, b"{before}", piece * 20)
    for end in ends:
        assert not is_unfinished(surface, piece, piece * 3 + end)
        assert not is_unfinished(surface, b"{before}", piece * 3 + end)


def test_counts_may_come_behind_the_end() -> None:
    end = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'
    assert not is_unfinished(Dialect.OPENAI, OPENAI, OPENAI + end + usage)


def test_garbage_is_no_end() -> None:
    """However little is known of the bytes before it, garbage is not taken for an end."""
    assert is_unfinished(Dialect.OPENAI, b"{before}", OPENAI * 2 + b"<html>fault\x00\n")


@table(
    "body", [b"", b": ping\n\n", b": ping\n\n: ping\n\nevent: x\n\n", b"\xef\xbb\xbf\nretry: 9\n\n",
     b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}'],
)  # fmt: skip
def test_an_answer_of_nothing_is_none(body: bytes) -> None:
    """Clients read no event of it."""
    assert is_unfinished(Dialect.OPENAI, body, body)


LAST = {
    Dialect.OPENAI: b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    Dialect.GEMINI: b'data: {"candidates":[{"finishReason":"STOP","index":0}]}\r\n\r\n',
    Dialect.ANTHROPIC: b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    Dialect.RESPONSES: b'data: {"type":"response.completed","response":{}}\n\n',
}


@table("before", [b"", b": ping\n\n", b'data: {"n":1}\n\n' * 3])
@table("surface", LAST)
def test_a_stream_that_ends_inside_its_last_event_is_unfinished(
    surface: Dialect, before: bytes
) -> None:
    """Clients ignore such an event."""
    last = LAST[surface]
    whole = len(last.rstrip())
    for size in range(len(b"event:"), len(last) + 1):
        body = before + last[:size]
        assert is_unfinished(surface, body, body) is (size < whole), body
        if before:
            assert is_unfinished(surface, b"{before}", body) is (size < whole), body


@table(
    ("surface", "end"),
    [
        (Dialect.OPENAI, b'"logprobs":{"p":-Infinity},"finish_reason":"stop"}]}\n'),
        (Dialect.OPENAI, b'"delta":{"content":"\\ud83d"},"finish_reason":"stop"}]}\n'),
        (Dialect.OPENAI, b'"delta":{"content":"\xff\t"},"finish_reason":"stop"}]}\n'),
        (Dialect.OPENAI, b'"finish_reason":"stop"}]}\ndata: [DONE]\n'),
        (Dialect.OPENAI, b'\ndata: "finish_reason":"stop"}]}\n'),
        (Dialect.OPENAI, b'"finish_reason":"stop"}]}\r: ping\r'),
        (Dialect.OPENAI, b'"finish_reason":"stop"}]}\rid: 5\r'),
    ],
)
def test_what_clients_read_in_a_last_event_without_a_blank_line(
    surface: Dialect, end: bytes
) -> None:
    """Only where its text breaks off is it cut: clients accept more than strict JSON."""
    last = b'data: {"choices":[{"index":0,' + end
    assert not is_unfinished(surface, OPENAI, OPENAI * 3 + last)
    assert is_unfinished(surface, OPENAI, OPENAI * 3 + last[: last.rindex(b'"stop"') + 4])


def test_a_last_event_that_is_too_deep_to_be_read() -> None:
    deep = b"[" * 3000 + b"]" * 3000
    last = b'data: {"choices":[{"a":' + deep + b',"finish_reason":"stop"}]}\n'
    assert not is_unfinished(Dialect.OPENAI, OPENAI, OPENAI + last)


def test_an_event_that_is_cut_after_the_end_takes_nothing_back() -> None:
    body = OPENAI + LAST[Dialect.OPENAI]
    for rest in (b'data: {"choices":[],"usa', b": pi", b"data: [DO", b"data: [DONE]"):
        assert not is_unfinished(Dialect.OPENAI, body, body + rest)


def test_the_end_of_an_event_of_which_only_that_is_known() -> None:
    assert is_unfinished(Dialect.OPENAI, OPENAI, b"x" * 8192)
    assert not is_unfinished(Dialect.OPENAI, OPENAI, b"x" * 8192 + b'"}')


def test_data_that_are_not_json_are_not_judged() -> None:
    assert not is_unfinished(Dialect.OPENAI, b"data: one", b"data: one\n\ndata: tw")


def test_in_doubt_it_is_finished() -> None:
    huge = (
        b'data: {"candidates":[{"finishReason":"STOP","grounding":"' + b"x" * 9000 + b'"}]}\r\n\r\n'
    )
    assert not is_unfinished(Dialect.GEMINI, GEMINI, huge[-8192:])
    assert not is_unfinished(Dialect.OPENAI, b"data: something", b"data: something\n\n" * 5)


CORPUS = Path(__file__).parents[1] / "corpus" / "replies"
#: Those of routes that are relayed, which /v1/responses is not; cyllama answers with a document.
OTHERS = {*CORPUS.glob("*responses*"), *CORPUS.glob("cyllama-*.chat-stream*")}
RECORDED = sorted(set(CORPUS.glob("*stream*.http")) - OTHERS)


@table("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_streams_are_finished(path: Path) -> None:
    message = read_message(path.read_bytes(), at_eof=True)
    assert message is not None
    body, surface = message.body, Dialect.OPENAI
    if "messages" in path.stem:
        surface = Dialect.ANTHROPIC
    elif "gemini" in path.stem:
        surface = Dialect.GEMINI
    assert not is_unfinished(surface, body[:8192], body[-8192:])
    cut = body[: len(body) // 2].rpartition(b"\n\n")[0] + b"\n\n"
    if b"delta" in cut[-200:]:
        assert is_unfinished(surface, cut[:8192], cut[-8192:])


@table(
    ("surface", "body"),
    [(Dialect.GEMINI, b'"candidates"'), (Dialect.OPENAI, b'"choices":[{"delta"')],
)
def test_a_body_without_any_event_is_no_answer_that_could_lack_its_end(
    surface: Dialect, body: bytes
) -> None:
    assert not is_unfinished(surface, body, body)


CALL_THAT_SAYS_SO = (
    b'data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":'
    b'{"finish_reason":"abort"}}}]},"finish_reason":"tool_calls"}]}\n\n'
)


@table("word", ["abort", "aborted", "error", "insufficient_system_resource"])
def test_a_node_says_that_it_gave_up(word: str) -> None:
    end = f'data: {{"choices":[{{"delta":{{}}, "finish_reason": "{word}"}}]}}\n\n'.encode()
    whole = f'{{"choices":[{{"message":{{}},"finish_reason":"{word}"}}],"usage":{{}}}}'.encode()
    delta = (
        b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"%b"}}\n\n'
        % word.encode()
    )
    message = b'{"type":"message","content":[],"stop_reason":"%b"}' % word.encode()
    assert is_given_up(Dialect.OPENAI, OPENAI * 9 + end + b"data: [DONE]\n\n")
    assert is_given_up(Dialect.OPENAI, whole)
    assert is_given_up(Dialect.ANTHROPIC, ANTHROPIC * 9 + delta)
    assert is_given_up(Dialect.ANTHROPIC, message)
    assert not is_given_up(Dialect.OPENAI, whole[9:])


@table(
    "body",
    [b"", OPENAI, CALL_THAT_SAYS_SO, CALL_THAT_SAYS_SO[9:],
     b'{"choices":[{"message":{"content":"\\"finish_reason\\":\\"abort\\""}}]}',
     b'[{"finish_reason":"abort"}]', b'{"choices":7,"usage":{"finish_reason":"abort"}}',
     b'{"choices":[{"finish_reason":"stop","stop_reason":"</s>"}]}'],
)  # fmt: skip
def test_other_bodies_do_not(body: bytes) -> None:
    for surface in Dialect:
        assert not is_given_up(surface, body)


@table("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_streams_are_not_given_up(path: Path) -> None:
    message = read_message(path.read_bytes(), at_eof=True)
    assert message is not None
    others = [surface for surface in Dialect if surface is not Dialect.OLLAMA]
    assert not any(is_given_up(surface, message.body[-8192:]) for surface in others)


@table("comment", [b": ping\n\n", b": a\n: b\n\n: c\n\n", b":\r\n\r\n"])
def test_a_comment_behind_the_last_event_takes_nothing_back(comment: bytes) -> None:
    """Proxies in front of a node send such pings until the connection ends."""
    done = b'data: {"choices":[]}\n\ndata: [DONE]\n\n'
    stop = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    assert is_answered(Dialect.OPENAI, done + comment)
    assert is_answered(Dialect.ANTHROPIC, stop + comment)
    assert not is_answered(Dialect.OPENAI, done + comment + b'data: {"choices":[]}\n\n')
    assert not is_answered(Dialect.OPENAI, done + comment + b": cut")


def test_lines_may_end_with_cr_alone() -> None:
    assert is_answered(Dialect.OPENAI, b'data: {"choices":[]}\r\rdata: [DONE]\r\r')
    assert not is_answered(Dialect.OPENAI, b'data: {"choices":[]}\r\rdata: [DONE]\r')


OLLAMA = sorted(CORPUS.glob("*ollama*stream*.http"))
OLLAMA = [path for path in OLLAMA if "v1-" not in path.stem]


@table("path", OLLAMA, ids=lambda path: path.stem)
def test_lines_that_end_with_the_last_one(path: Path) -> None:
    message = read_message(path.read_bytes(), at_eof=True)
    assert message is not None
    body = message.body
    assert not is_unfinished(Dialect.OLLAMA, body[:8192], body[-8192:])
    assert is_answered(Dialect.OLLAMA, body[-8192:]) or b'"context":[' in body or b": " in body
    assert not is_given_up(Dialect.OLLAMA, body[-8192:])
    lines = body.splitlines(keepends=True)
    for kept in range(len(lines)):
        tail = b"".join(lines[:kept])[-8192:]
        assert is_unfinished(Dialect.OLLAMA, body[:8192], tail)
        assert not is_answered(Dialect.OLLAMA, tail)
    for cut in range(1, len(lines[-1]) - 2):
        assert is_unfinished(Dialect.OLLAMA, body[:8192], body[: -1 - cut][-8192:])


@table(
    ("tail", "unfinished"),
    [
        (b'{"done":false}\n{"error":"out of memory"}\n', False),
        (b'{"message":{"content":"{\\"done\\":true}"},"done":false}\n', True),
        (
            b'{"message":{"tool_calls":[{"function":{"arguments":{"done":true}}}]},"done":false}\n',
            True,
        ),
        (b'{"model":"m","done_reason":"load","done":true}', False),
        (b'{"done": true, "eval_count": 3}\n', False),
        (b"", True),
        (b"7\n", True),
        # Of a longer line.
        (b'2,3],"done":true,"eval_count":3}\n', False),
        (b'2,3],"done":false}\n', True),
    ],
)
def test_lines(tail: bytes, unfinished: bool) -> None:
    assert is_unfinished(Dialect.OLLAMA, b"", tail) is unfinished


def test_an_error_s_line_gives_the_answer_up() -> None:
    assert is_given_up(Dialect.OLLAMA, b'{"done":false}\n{"error":"out of memory"}\n')
    assert not is_given_up(Dialect.OLLAMA, b'{"done":false}\n{"err')
