"""Requests that are forms with files: the beginning is held, up to the model's name, and the rest
goes to the node while it arrives. A short form is held whole, so that another node can have it."""

from __future__ import annotations

import asyncio

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.relay.pace import Pace
from casedesk_proxy.relay.upload import ClientUpload, UploadLimits, too_large
from casedesk_proxy.server.forwarding import Forwarder
from casedesk_proxy.server.pending import PendingRequest
from casedesk_proxy.server.results import Result
from casedesk_proxy.surfaces.forms import FormBeginning, bad_form, has_model
from casedesk_proxy.wire.http1 import BodyFraming
from casedesk_proxy.wire.multipart import FormReader, MalformedForm

__all__ = ["forward_form"]

#: A form of up to so many bytes is held whole.
_HELD_WHOLE_BYTES = 2**20


class _Scan:
    """Follows the held part of a form of ``length`` bytes, if that is known. At most ``most`` bytes
    of it may be held."""

    def __init__(self, reader: FormReader, length: int | None, most: int) -> None:
        self._reader = reader
        self._most = most
        whole = min(_HELD_WHOLE_BYTES, most)
        #: With fewer bytes more is awaited, although the model is known.
        self._least: float = whole
        if length is not None:
            self._least = float("inf") if length <= whole else 0
        self._read = 0
        self.error: MalformedForm | None = None

    def has_enough(self, body: bytes | bytearray) -> bool:
        """Whether the form can be passed on, or must be refused."""
        size = len(body)
        if self.error is None and size > self._read:
            try:
                self._reader.read(bytes(body[self._read :]))
            except MalformedForm as error:
                self.error = error.with_traceback(None)
            self._read = size
        if self.error is not None or size > self._most:
            return True
        return has_model(self._reader) and size >= self._least


async def forward_form(
    forwarder: Forwarder, pending: PendingRequest, boundary: bytes, reader: FormReader
) -> Result:
    """``boundary`` is the form's. Raises a ProxyError while nothing has been sent."""
    request, exchange, snapshot = pending.request, pending.exchange, pending.snapshot
    head, timing = request.head, pending.timing
    length = head.length if head.body is BodyFraming.LENGTH else None
    if length is not None and length > snapshot.max_upload:
        raise too_large(snapshot.max_upload)
    pace = Pace.of(snapshot)
    scan = _Scan(reader, length, snapshot.max_body)
    timing.pause()
    pending.raw = raw = await request.read_beginning(scan.has_enough, pace)
    timing.resume()
    scan.has_enough(raw)
    exchange.received = len(raw)
    if scan.error is not None:
        raise bad_form(scan.error)
    if len(raw) > snapshot.max_body and not has_model(reader):
        raise _late_model(snapshot.max_body)
    pending.form = FormBeginning.of(boundary, reader, is_whole=request.complete, length=length)
    if pending.form.is_whole:
        return await forwarder.forward(pending)
    limits = UploadLimits(snapshot.max_upload, pace)
    pending.upload = upload = ClientUpload(
        asyncio.get_running_loop(), request, reader, len(raw), limits
    )
    try:
        return await forwarder.forward(pending)
    finally:
        exchange.received = upload.received


def _late_model(most: int) -> BadRequest:
    why = (
        f"the first {most} bytes of the form do not name it (server.max_body); put it before the"
        " file"
    )
    return BadRequest.about("model", why, status=413, code="model_too_late")
