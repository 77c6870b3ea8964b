"""What this process shares with other instances of its host, if any."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from casedesk_proxy.config.schema import Config
from casedesk_proxy.instances.table import HostTable, TableError

__all__ = ["open_table"]

log = logging.getLogger(__name__)

_INSTANCES = "CASEDESK_PROXY_INSTANCES"
#: What people call this one.
_INSTANCE = "CASEDESK_PROXY_INSTANCE"


def open_table(config: Config, environ: Mapping[str, str]) -> HostTable | None:
    """None where nothing is to be shared, or cannot be, which the log says: requests are served
    all the same, and limits count what this process sees."""
    place = config.server.instances_directory or environ.get(_INSTANCES)
    if not place:
        return None
    try:
        return HostTable(Path(place), environ.get(_INSTANCE, ""))
    except TableError as error:
        log.error("slots and queues are not shared with other instances: %s", error)
        return None
