"""The abuses, grouped by kind; each runs as a process of its own."""

from __future__ import annotations

from bench.abuses.bodies import BODIES
from bench.abuses.floods import FLOODS
from bench.abuses.kind import Abuse
from bench.abuses.nodes import NODES
from bench.abuses.operation import OPERATION

__all__ = ["ABUSES"]

#: By name, in the order of the table.
ABUSES: dict[str, Abuse] = {one.name: one for one in (*FLOODS, *BODIES, *NODES, *OPERATION)}
