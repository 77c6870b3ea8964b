"""A body that is sent to a node in memory: what is written, which side waits, and its failures."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from casedesk_proxy.errors import BadRequest, ProxyError, TooLarge
from casedesk_proxy.relay.pace import Pace
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.relay.upload import ClientUpload, UploadLimits
from casedesk_proxy.surfaces.form_changes import FormChange, FormEditor
from casedesk_proxy.upstream.uploading import Upload
from casedesk_proxy.wire.multipart import FormReader
from tests.server.clients import FakeClient, request_of

BEGIN = b'--XX\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--XX'
PART = b'\r\nContent-Disposition: form-data; name="file"\r\n\r\n'


@dataclass
class Node:
    """An `upstream.uploading.NodeSink`."""

    upload: Upload | None = None
    sent: list[bytes] = field(default_factory=list)
    within_s: float | None = None
    error: Exception | None = None

    def send_more(self, data: bytes) -> None:
        self.sent.append(data)

    def expect(self, within_s: float) -> None:
        self.within_s = within_s

    def fail(self, error: Exception) -> None:
        self.error = error


class Scene:
    """An upload to a node that has not begun: 1000 bytes after the beginning, or chunks."""

    def __init__(
        self, *, chunked: bool = False, most: int = 10_000, pause: float = 60.0, least: float = 1
    ) -> None:
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {self.size}"
        head = f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n".encode()
        begin = b"%x\r\n%b\r\n" % (len(BEGIN), BEGIN) if chunked else BEGIN
        self.request: ClientRequest = request_of(FakeClient(), head + begin)
        reader = FormReader(b"XX", frozenset({b"model"}))
        reader.read(BEGIN)
        limits = UploadLimits(most, Pace(pause, least))
        loop = asyncio.get_running_loop()
        self.upload = ClientUpload(loop, self.request, reader, len(BEGIN), limits)
        self.node = Node()

    @property
    def size(self) -> int:
        return len(BEGIN) + len(PART) + 1000

    def send(self, data: bytes) -> None:
        self.request.feed(data)
        self.request.wake()


async def test_what_comes_is_written_at_once_and_the_end_starts_the_wait_for_a_head() -> None:
    scene = Scene()
    assert not scene.upload.is_begun
    scene.upload.begin(scene.node, 9.0)
    scene.send(PART)
    scene.send(b"a" * 999)
    assert scene.node.sent == [PART, b"a" * 999]
    assert (scene.node.within_s, scene.upload.is_done) == (None, False)
    scene.send(b"b")
    assert (scene.node.within_s, scene.upload.is_done) == (9.0, True)
    assert scene.upload.received == scene.size
    await scene.upload.wait()
    scene.upload.stop()
    assert scene.node.upload is None


async def test_what_came_while_the_node_was_chosen_goes_first() -> None:
    scene = Scene()
    scene.send(PART)
    scene.upload.begin(scene.node, 9.0)
    scene.send(b"a")
    assert scene.node.sent == [PART, b"a"]
    scene.upload.stop()


async def test_chunks_go_as_chunks() -> None:
    scene = Scene(chunked=True)
    scene.upload.begin(scene.node, 9.0)
    scene.send(b"%x\r\n%b\r\n" % (len(PART), PART))
    scene.send(b"0\r\n\r\n")
    assert scene.node.sent == [b"%x\r\n%b\r\n" % (len(PART), PART), b"0\r\n\r\n"]
    assert scene.upload.is_done


async def test_what_an_editor_makes_of_it_goes_in_chunks() -> None:
    scene = Scene()
    editor = FormEditor(b"XX", FormChange.of({"default": {"a": 1}}))
    editor.edit(BEGIN)
    scene.upload.editor = editor
    scene.upload.begin(scene.node, 9.0)
    scene.send(PART + b"b" * 992)
    scene.send(b"\r\n--XX--")
    assert all(one.startswith(b"%x\r\n" % (len(one) - one.index(b"\r\n") - 4))
               for one in scene.node.sent)  # fmt: skip
    assert scene.node.sent[-1] == b"0\r\n\r\n"
    assert scene.upload.is_done


async def test_what_an_editor_refuses_fails_the_request() -> None:
    scene = Scene()
    scene.upload.editor = FormEditor(b"XX", FormChange.of({"cap": {"a": 1}}))
    scene.upload.editor.edit(BEGIN)
    scene.upload.begin(scene.node, 9.0)
    scene.send(PART.replace(b"file", b"a") + b"many\r\n--XX--")
    assert isinstance(scene.node.error, BadRequest)
    assert scene.node.error.message == "a: a number is required"


async def test_a_node_that_takes_no_more_holds_its_client() -> None:
    scene = Scene()
    scene.upload.begin(scene.node, 9.0)
    assert scene.request.wants
    scene.upload.pause()
    assert not scene.request.wants
    scene.upload.resume()
    assert scene.request.wants
    scene.upload.stop()
    assert not scene.request.wants


async def test_a_client_that_is_too_slow_fails_the_request() -> None:
    scene = Scene(pause=0.01, least=5)
    scene.upload.begin(scene.node, 9.0)
    scene.send(PART)
    while scene.node.error is None:
        await asyncio.sleep(0.01)
    assert isinstance(scene.node.error, BadRequest)
    assert scene.node.error.status == 408
    assert scene.node.upload is None


async def test_a_node_that_takes_nothing_is_waited_for_only_so_long() -> None:
    scene = Scene(pause=0.01)
    scene.upload.begin(scene.node, 0.02)
    scene.upload.pause()
    while scene.node.error is None:
        await asyncio.sleep(0.01)
    assert isinstance(scene.node.error, TimeoutError)
    scene = Scene()
    scene.upload.begin(scene.node, float("inf"))
    scene.upload.pause()
    scene.upload.stop()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b'\r\nContent-Disposition: form-data; name="model"\r\n\r\n', BadRequest),
        (PART + b"x" * 990, TooLarge),
    ],
)
async def test_what_may_not_go_on_fails_the_request_and_is_not_sent(
    data: bytes, error: type[ProxyError]
) -> None:
    scene = Scene(most=500)
    scene.upload.begin(scene.node, 9.0)
    scene.send(data)
    assert isinstance(scene.node.error, error)
    assert scene.node.sent == []
    scene.send(b"x")
    assert scene.node.sent == []


async def test_broken_chunks_fail_the_request() -> None:
    scene = Scene(chunked=True)
    scene.upload.begin(scene.node, 9.0)
    scene.send(b"no chunk\r\n")
    assert isinstance(scene.node.error, BadRequest)
    assert not scene.upload.is_done


async def test_an_answer_that_is_early_waits_for_the_end() -> None:
    scene = Scene()
    scene.upload.begin(scene.node, 9.0)
    waiting = asyncio.ensure_future(scene.upload.wait())
    await asyncio.sleep(0)
    scene.send(PART + b"a" * 1000)
    await waiting
    assert scene.upload.is_done


async def test_an_answer_that_is_early_does_not_wait_for_a_lost_node_or_client() -> None:
    scene = Scene()
    scene.upload.lose()
    scene.upload.begin(scene.node, 9.0)
    waiting = asyncio.ensure_future(scene.upload.wait())
    await asyncio.sleep(0)
    scene.upload.lose()
    await waiting
    scene.upload.stop()
    scene = Scene(pause=0.01, least=5)
    scene.upload.begin(scene.node, 9.0)
    with pytest.raises(BadRequest):
        await scene.upload.wait()
