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
#: The name of this instance for people.
_INSTANCE = "CASEDESK_PROXY_INSTANCE"


def open_table(config: Config, environ: Mapping[str, str]) -> HostTable | None:
    """None if nothing is shared, or sharing fails, which is logged: requests are served
    nevertheless, and limits count only what this process sees."""
    place = config.server.instances_directory or environ.get(_INSTANCES)
    if not place:
        return None
    try:
        return HostTable(Path(place), environ.get(_INSTANCE, ""))
    except TableError as error:
        log.error("slots and queues are not shared with other instances: %s", error)
        return None
