"""The engines that a configuration can name."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from casedesk_proxy.engines.registry import ENGINES

__all__ = ["OTHER_NAMES", "EngineName"]

if TYPE_CHECKING:
    EngineName = str
else:
    EngineName = StrEnum("EngineName", {name: name for name in ENGINES}, module=__name__)
    EngineName.__doc__ = "What a node runs. ``auto`` is recognised by asking the node."

#: Names that people write, and the engine's real name.
OTHER_NAMES = {other: one.name for one in ENGINES.values() for other in one.other_names}
