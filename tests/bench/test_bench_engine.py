"""The load engine counts every event, late or broken, and reports what happened to it."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bench.engine import build as building
from bench.engine.clients import Request, Snapshot, ask, load_command
from bench.engine.process import child
from tests.fixtures.patience import PATIENCE_S

CALM = ("--rate", "20", "--tick-us", "0")
STREAMS = ("--streams", "20", "--seconds", "2")


def test_without_a_compiler_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(building.BuildFailed, match=r"no C compiler.*apt-get install gcc"):
        building.build(tmp_path)


def test_loads_of_one_folder_read_what_was_meant_for_them(tmp_path: Path) -> None:
    def files(body: bytes) -> list[Path]:
        request = Request("127.0.0.1", 1, "/", {"Authorization": f"Bearer {body.decode()}"}, body)
        command = load_command(Path("load"), request, tmp_path)
        return [Path(command[command.index(flag) + 1]) for flag in ("--headers", "--body-file")]

    first, second = files(b"one"), files(b"two")
    assert [path.read_bytes() for path in first] == [b"Authorization: Bearer one\r\n", b"one"]
    assert [path.read_bytes() for path in second] == [b"Authorization: Bearer two\r\n", b"two"]
    assert {path.stat().st_mode & 0o777 for path in first + second} == {0o600}


def test_nothing_is_lost_straight_or_through_the_floor(
    start_node: Any, start_floor: Any, load: Any
) -> None:
    node = start_node(*CALM)
    ports = [node, start_floor(node)]
    with ThreadPoolExecutor() as pool:
        straight, floor = pool.map(lambda port: load(port, *STREAMS), ports)
    for told in (straight, floor):
        assert told["errors"] == {}
        assert {name: told[name] for name in ("lost", "duplicated", "reordered", "crossed")} == {
            "lost": 0, "duplicated": 0, "reordered": 0, "crossed": 0,
        }  # fmt: skip
        assert told["statuses"] == {"200": 20}
        assert told["left"] == told["open"] == 20
        # 20 streams, each 20 events/s for 2 s; the machine may be slow, but not invent any.
        assert 20 <= told["marked"] <= 20 * 41
        assert told["events"] == told["marked"] + 20
        assert told.histograms["added"].count == told["marked"]
        assert told.histograms["gap"].count == told["events"] - 20
        assert told.histograms["first_byte"].count == 20


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/messages", "/v1/models/b:streamGenerateContent"]
)
def test_streams_end_and_begin_again_on_their_connections(
    start_node: Any, load: Any, path: str
) -> None:
    port = start_node("--rate", "500", "--events", "10")
    told = load(port, "--streams", "5", "--seconds", "0.3", path=path)
    assert told["errors"] == {} == told.faults
    assert told["finished"] >= 5
    assert told["opened"] >= told["finished"]
    assert told["reconnects"] == 0


def test_replies_in_one_piece(start_node: Any, load: Any) -> None:
    told = load(start_node(), "--streams", "4", "--seconds", "0.2", "--unary")
    assert told["errors"] == {}
    assert told["finished"] > 4
    assert told.histograms["reply"].count == told["finished"]


EVENTS, EVERY, MANY = 30, 7, 10
#: Kind of fault → what the load calls it and how often it must occur in each stream.
FAULTS = {
    "lose": ({"lost": EVENTS // EVERY}, {}),
    "duplicate": ({"duplicated": EVENTS // EVERY}, {}),
    "reorder": ({"reordered": EVENTS // EVERY}, {}),
    "cut": ({}, {"truncated": 1}),
    "stall": ({}, {"silent": 1}),
    "none": ({}, {}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_tells_what_a_faulty_node_did(start_node: Any, load: Any, fault: str) -> None:
    port = start_node(
        "--rate", "200", "--events", str(EVENTS), "--fault", fault, "--every", str(EVERY)
    )
    told = load(port, "--streams", str(MANY), "--once", "--idle", "0.5")
    faults, errors = FAULTS[fault]
    grave = {name: told[name] for name in ("lost", "duplicated", "reordered", "crossed")}
    assert {name: n for name, n in grave.items() if n} == {n: k * MANY for n, k in faults.items()}
    assert told["errors"] == {name: number * MANY for name, number in errors.items()}
    assert told["finished"] == (0 if errors else MANY)


def test_tells_events_that_were_held_back(start_node: Any, load: Any) -> None:
    port = start_node("--rate", "100", "--events", "30", "--fault", "merge", "--every", "3")
    told = load(port, "--streams", "10", "--once")
    # How many it can swear to depends on how punctually it could read itself.
    assert 0 < told["merged_late"] <= told["merged"] <= 100
    assert told["lost"] == told["duplicated"] == 0


def test_tells_refusals(start_node: Any, load: Any) -> None:
    port = start_node("--rate", "500", "--events", "5", "--fault", "refuse", "--every", "5")
    told = load(port, "--streams", "10", "--once")
    assert told["errors"] == {"status": 2}
    assert told["statuses"] == {"200": 8, "503": 2}


def test_nobody_listens(load: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        told = load(unused.getsockname()[1], "--streams", "3", "--once")
    assert told["errors"] == {"connect": 3}


def test_answers_while_it_runs_and_ends_with_its_stdin(
    engines: Any, start_node: Any, tmp_path: Path
) -> None:
    (tmp_path / "body").write_text('{"stream": true}')
    command = [
        engines.load, "--port", str(start_node()), "--path", "/v1/messages", "--body-file",
        tmp_path / "body", "--streams", "3", "--control",
    ]  # fmt: skip
    with child(engines.tether, command, piped=True) as process:
        earlier = ask(process)
        while (later := ask(process))["events"] < 20:
            pass
        assert not later["final"]
        assert later.histograms["gap"].since(earlier.histograms["gap"]).count > 0
        assert process.stdin is not None
        process.stdin.close()
        assert process.stdout is not None
        assert Snapshot.of(process.stdout.readline())["final"]
        assert process.wait(PATIENCE_S) == 0


# --- replies played byte by byte -------------------------------------------------------------

SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = SSE + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSE = SSE + b"\r\n"


def event(seq: int, stream: int = 1) -> bytes:
    return b'data: {"text":"[[b%08x%08x%016x]]"}\n\n' % (seq, stream, 1)


def chunk(payload: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(payload), payload)


END = b"data: [DONE]\n\n"
USAGE = b'data: {"usage":{"completion_tokens":3}}\n\n'
LAST = b"0\r\n\r\n"
TWO = event(0) + event(1)

REPLIES: dict[str, tuple[bytes, dict[str, Any]]] = {
    "chunked": (CHUNKED + chunk(TWO) + chunk(END) + LAST, {"marked": 2, "finished": 1}),
    "trailers": (
        CHUNKED + b"%x;a=b\r\n" % len(END) + END + b"\r\n0\r\nx-t: y\r\n\r\n",
        {"events": 1, "finished": 1},
    ),
    "frames across chunks": (
        CHUNKED
        + b"".join(chunk(TWO[i : i + 7]) for i in range(0, len(TWO), 7))
        + chunk(END)
        + LAST,
        {"marked": 2, "lost": 0, "finished": 1},
    ),
    "sized": (
        SSE + b"Content-Length: %d\r\n\r\n" % len(TWO + END) + TWO + END,
        {"marked": 2, "finished": 1},
    ),
    "until close": (CLOSE + TWO + END, {"marked": 2, "finished": 1}),
    "CRLF frames": (CLOSE + (TWO + END).replace(b"\n", b"\r\n"), {"marked": 2, "finished": 1}),
    "after an interim head": (
        b"HTTP/1.1 100 Continue\r\n\r\n" + CLOSE + TWO + END,
        {"marked": 2, "finished": 1},
    ),
    "comments": (CLOSE + b": quiet\n\n" + TWO + END, {"events": 3, "finished": 1}),
    "cut between chunks": (CHUNKED + chunk(TWO), {"errors": {"truncated": 1}}),
    "closed before the end": (CLOSE + TWO, {"errors": {"truncated": 1}}),
    "clean end without the last event": (
        CHUNKED + chunk(TWO) + LAST,
        {"errors": {"unfinished": 1}, "finished": 0},
    ),
    "fewer events than were told": (
        CHUNKED + chunk(TWO + USAGE + END) + LAST,
        {"lost": 1, "marked": 2},
    ),
    "an error inside": (
        CHUNKED + chunk(b'data: {"error":{"code":500}}\n\n') + chunk(END) + LAST,
        {"errors": {"error_event": 1}},
    ),
    "events of another stream": (CLOSE + event(0) + event(1, stream=2) + END, {"crossed": 1}),
    "late, not lost": (
        CLOSE + event(0) + event(2) + event(1) + END,
        {"reordered": 1, "lost": 0, "duplicated": 0},
    ),
    "no chunk size": (CHUNKED + b"xyz\r\n", {"errors": {"malformed": 1}}),
    "chunk too long": (CHUNKED + b"2\r\nabcd\r\n", {"errors": {"malformed": 1}}),
    "more than its size": (
        SSE + b"Content-Length: 3\r\n\r\nabcdef",
        {"errors": {"malformed": 1}},
    ),
    "no HTTP": (b"SSH-2.0-x\r\n\r\n", {"errors": {"malformed": 1}}),
    "no stream": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        {"errors": {"not_a_stream": 1}},
    ),
    "nothing": (b"", {"errors": {"reset": 1}}),
}


@pytest.fixture
def play() -> Iterable[Callable[[bytes, int], int]]:
    """Answer one connection with these bytes, in pieces of ``size``, and close it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = []

        def answer(reply: bytes, size: int) -> None:
            client, _ = listener.accept()
            with client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client.recv(65536)
                for place in range(0, len(reply), size):
                    client.sendall(reply[place : place + size])

        def start(reply: bytes, size: int) -> int:
            threads.append(threading.Thread(target=answer, args=(reply, size)))
            threads[-1].start()
            port: int = listener.getsockname()[1]
            return port

        yield start
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("size", [1, 1 << 20], ids=["byte by byte", "whole"])
@pytest.mark.parametrize("name", REPLIES)
def test_reads_any_reply(play: Any, load: Any, name: str, size: int) -> None:
    reply, wanted = REPLIES[name]
    told = load(play(reply, size), "--streams", "1", "--once")
    assert {key: told[key] for key in wanted} == wanted
    if "errors" not in wanted:
        assert told["errors"] == {}


@pytest.mark.parametrize("flags", [[], ["--port", "x1", "--streams", "0"], ["--nonsense"]])
def test_wrong_flags_end_in_one_line(engines: Any, flags: list[str]) -> None:
    done = subprocess.run([engines.load, *flags], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.strip()
