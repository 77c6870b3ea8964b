"""Questions to nodes about themselves, and their answers: values only; `upstream.inquiries` sends
them.

Code that needs facts is a generator (`Asking`). It yields inquiries that may be made at the same
time, is sent their answers in the same order, and returns what it found. So a test needs no node:
it sends the answers itself.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from casedesk_proxy.engines.reading import as_mapping

__all__ = ["Asking", "Inquiry", "NodeAnswer", "ask", "ask_facts", "ask_together"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Inquiry:
    """GET of a path below the node's URL; with a ``body``, a POST of it as JSON."""

    path: str
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class NodeAnswer:
    """``status`` is 0 if no usable answer arrived. ``server``: the header of that name."""

    status: int = 0
    server: str = ""
    json: Any = None

    @property
    def facts(self) -> Mapping[str, Any]:
        """The JSON object of a 200; empty for anything else."""
        return as_mapping(self.json) if self.status == 200 else {}

    @property
    def is_locked(self) -> bool:
        return self.status in (401, 403)


Asking = Generator[tuple[Inquiry, ...], tuple[NodeAnswer, ...], T]


def ask(path: str, body: Mapping[str, Any] | None = None) -> Asking[NodeAnswer]:
    (answer,) = yield (Inquiry(path, body),)
    return answer


def ask_facts(path: str) -> Asking[Mapping[str, Any]]:
    answer = yield from ask(path)
    return answer.facts


def ask_together(inquiries: Iterable[Inquiry]) -> Asking[tuple[NodeAnswer, ...]]:
    return (yield tuple(inquiries))
