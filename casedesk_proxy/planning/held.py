"""Requests with held bodies, which are not in this process's own memory: routes that know where a
body is, and a plan from a planner with its bodies added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Protocol

from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.planning.route import Route
from casedesk_proxy.terms import record

__all__ = ["HeldContent", "HeldRoute", "hold_plan"]


class HeldContent(Protocol):
    """A body that is read in pieces."""

    size: int

    def read(self, at: int, most: int) -> bytes:
        """Up to ``most`` bytes from ``at`` on; b"" after the end."""


@record
class HeldRoute(Route):
    """A request whose body is ``content``; ``body`` is empty, and so is that of its question, which
    is ``question_content``."""

    content: HeldContent | None = None
    question_content: HeldContent | None = None

    def question_for(self, node: Any) -> bytes:
        """Its head."""
        assert self.question is not None
        asked = replace(
            self, target=self.question.path, content=self.question_content, head_templates={}
        )
        return asked.request_for(node)

    def request_for(self, node: Any) -> bytes:
        """Its head."""
        assert self.content is not None, "see the class"
        lead, ident = self.head_templates.get(node.name), self.request_id.encode("ascii")
        if lead is None:
            lead = self.head_templates[node.name] = self._head_template(node)
        return b"%b%b\r\nContent-Length: %d\r\n\r\n" % (lead, ident, self.content.size)


def hold_plan(
    plan: Plan, contents: Mapping[str, HeldContent], questions: Mapping[str, HeldContent]
) -> Plan:
    """The plan with bodies: ``contents`` and those of ``questions``, by the nodes' names."""
    made: dict[tuple[int, int], HeldRoute] = {}
    routes: dict[str, Route] = {}
    for name, route in plan.routes.items():
        content = contents[name]
        key = id(route), id(content)
        if key not in made:
            known = {field.name: getattr(route, field.name) for field in fields(Route)}
            made[key] = HeldRoute(**known, content=content, question_content=questions.get(name))
        routes[name] = made[key]
    return replace(plan, routes=routes)
