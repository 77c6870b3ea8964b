"""Removes what no client can use any more: expired files, abandoned uploads, and contents that a
killed process left. Each instance of a host does this."""

from __future__ import annotations

import asyncio
import logging

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.files.store import FileStore

__all__ = ["keep_swept"]

log = logging.getLogger(__name__)

#: Seconds between two rounds, and the number of rounds between two searches for contents without a
#: row.
_LOOK_S = 60.0
_CLEARED_TIMES = 30
#: How many files are removed in one transaction.
_MAX_STEP_FILES = 200


async def keep_swept(
    store: FileStore, *, look_s: float = _LOOK_S, cleared_times: int = _CLEARED_TIMES
) -> None:
    """Runs until cancelled."""
    looks = 0
    while True:
        try:
            if looks % cleared_times == 0 and (cleared := await store.clear()):
                log.info(
                    "deleted the contents of %d files that had expired or were deleted", cleared
                )
            while await store.sweep(_MAX_STEP_FILES) >= _MAX_STEP_FILES:
                pass
        except ProxyError:
            log.debug("files are swept later: the store cannot be used")
        looks += 1
        await asyncio.sleep(look_s)
