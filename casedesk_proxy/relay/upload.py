"""A request's body on its way from its client's connection to a node's: the counterpart of the
relay.

What the client sends is written to the node in the same call. The transports apply backpressure:
while a node accepts it slowly, the client is not read. So a body of any size only costs what both
buffers hold. A client that sends too slowly, and a node that accepts nothing, are given up.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from casedesk_proxy.errors import BadRequest, ProxyError, TooLarge
from casedesk_proxy.fastpath.fibers import OneShot
from casedesk_proxy.relay.body_faults import too_slow
from casedesk_proxy.relay.pace import Pace, PaceTimer
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.surfaces.form_changes import FormEditor
from casedesk_proxy.surfaces.forms import bad_form
from casedesk_proxy.upstream.uploading import NodeSink
from casedesk_proxy.wire.chunked import LAST_CHUNK, frame_chunk
from casedesk_proxy.wire.http1 import BodyFraming
from casedesk_proxy.wire.multipart import FormReader, MalformedForm

__all__ = ["ClientUpload", "UploadLimits"]


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """``size``: most bytes of a body; ``pace``: how fast the client must send it."""

    size: int
    pace: Pace


class ClientUpload:
    """See `upstream.uploading.Upload`. ``held``: bytes of the beginning, which ``reader`` has read;
    it also gets the rest. ``received``: bytes that have arrived. ``editor`` changes the rest, which
    is then sent in chunks, as its length is not known. ``stop`` must be called."""

    __slots__ = (
        "_client_timer", "_error", "_held", "_is_paused", "_loop", "_node", "_node_timer",
        "_one_shot", "_reader", "_request", "_size", "_within_s", "editor", "is_begun", "is_done",
        "received",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        request: ClientRequest,
        reader: FormReader,
        held: int,
        limits: UploadLimits,
    ) -> None:
        self._loop = loop
        self._request = request
        self._reader = reader
        self._held = held
        self._size = limits.size
        self.editor: FormEditor | None = None
        self._node: NodeSink | None = None
        self._within_s = float("inf")
        self._is_paused = False
        self._error: ProxyError | None = None
        self._one_shot: OneShot[None] | None = None
        #: One of them runs: either side may keep the other waiting.
        self._client_timer = PaceTimer(loop, limits.pace)
        self._node_timer: asyncio.TimerHandle | None = None
        self.received = held
        self.is_begun = False
        self.is_done = False

    # Called by the attempt.

    def begin(self, node: NodeSink, within_s: float) -> None:
        self.is_begun = True
        self._node, self._within_s = node, within_s
        node.upload = self
        self._watch_client()
        self._request.pour(self, self._held)
        self.wake(None)

    async def wait(self) -> None:
        if not self.is_done and self._node is not None:
            self._one_shot = OneShot(self._loop)
            await self._one_shot

    def stop(self) -> None:
        self._stop_timers()
        node, self._node = self._node, None
        if node is not None:
            node.upload = None
            self._request.stop_pouring()

    # Called by the node's connection.

    def pause(self) -> None:
        self._is_paused = True
        self._watch_node()
        self._request.client.read_more()

    def resume(self) -> None:
        self._is_paused = False
        if not self.is_done:
            self._watch_client()
        self._request.client.read_more()

    def lose(self) -> None:
        if self._one_shot is not None and not self._one_shot.done:
            self._one_shot.set(None)

    # Called by the request.

    @property
    def wants(self) -> bool:
        return not self._is_paused and self._error is None

    def take(self, payload: bytes) -> None:
        self.received += len(payload)
        if self._node is None or self._error is not None:
            return
        if self.received > self._size:
            self._error = too_large(self._size)
            return
        try:
            self._reader.read(payload)
            self._send(payload if self.editor is None else self.editor.edit(payload))
        except MalformedForm as error:
            self._error = bad_form(error).with_traceback(None)
        except BadRequest as error:
            self._error = error.with_traceback(None)

    def finish(self) -> None:
        if self._node is None or self._error is not None:
            return
        if self.editor is not None:
            self._send(self.editor.finish())
        if self._is_chunked:
            self._node.send_more(LAST_CHUNK)
        self.is_done = True
        self._stop_timers()
        self._node.expect(self._within_s)

    def wake(self, fault: ProxyError | None) -> None:
        error = self._error or fault
        if error is not None:
            self._fail(error)
        elif self.is_done and self._one_shot is not None and not self._one_shot.done:
            self._one_shot.set(None)

    @property
    def _is_chunked(self) -> bool:
        return self.editor is not None or self._request.head.body is BodyFraming.CHUNKED

    def _send(self, data: bytes) -> None:
        if data and self._node is not None:
            self._node.send_more(frame_chunk(data) if self._is_chunked else data)

    # Timeouts.

    def give_up(self) -> None:
        """Called by the `PaceTimer`."""
        self._fail(too_slow())

    def _watch_client(self) -> None:
        self._stop_timers()
        self._client_timer.start(self)

    def _watch_node(self) -> None:
        self._stop_timers()
        if self._within_s != float("inf"):
            self._node_timer = self._loop.call_later(self._within_s, self._fail, TimeoutError())

    def _stop_timers(self) -> None:
        self._client_timer.stop()
        if self._node_timer is not None:
            self._node_timer.cancel()
            self._node_timer = None

    def _fail(self, error: Exception) -> None:
        """Callers must do this last: see `OneShot.fail`."""
        node, one_shot = self._node, self._one_shot
        self.stop()
        if one_shot is not None and not one_shot.done:
            one_shot.fail(error)
        elif node is not None:
            node.fail(error)


def too_large(size: int) -> TooLarge:
    return TooLarge(f"the form is larger than {size} bytes (server.max_upload); send a smaller one")
