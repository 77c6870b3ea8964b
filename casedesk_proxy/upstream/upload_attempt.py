"""An attempt that sends a request while its body is still arriving from the client."""

from __future__ import annotations

from dataclasses import replace

from casedesk_proxy.errors import UpstreamTimeout
from casedesk_proxy.pools.circuit_breaker import NodeFault
from casedesk_proxy.pools.retry import Failure
from casedesk_proxy.terms import record
from casedesk_proxy.upstream.attempt import Attempt, AttemptFailed
from casedesk_proxy.upstream.connection import ConnectionBroken, NodeConnection
from casedesk_proxy.upstream.uploading import Upload
from casedesk_proxy.wire.http1 import ResponseHead
from casedesk_proxy.wording import AboutNode

__all__ = ["UploadAttempt"]


@record
class UploadAttempt(Attempt):
    """``request`` ends with the beginning of the body. An error before the node has the whole body
    is the reply, and the rest is not sent; any other reply waits until the node has the whole
    body."""

    upload: Upload

    async def run(self) -> tuple[NodeConnection, ResponseHead]:
        connection = await self._connect()
        try:
            waiter = connection.send_request(self.request)
            self.upload.begin(connection, self.first_byte_timeout)
            head = await waiter
            if head.status < 300:
                await self.upload.wait()
        except ConnectionBroken as error:
            raise self._broken(error) from None
        except TimeoutError:
            connection.abort()
            raise self._late() from None
        except BaseException:
            connection.abort()
            raise
        finally:
            self.upload.stop()
        self._check(connection, head)
        return connection, head if self.upload.is_done else replace(head, keep_alive=False)

    def _late(self) -> AttemptFailed:
        error = UpstreamTimeout(
            AboutNode("stopped reading the request, or sent no reply in time; try again")
        )
        return self._failed(Failure.TIMEOUT, NodeFault.SILENT, error)
