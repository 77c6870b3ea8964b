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
    """A request whose body is ``content``; ``body`` is empty. ``side_content`` is the body of its
    side request."""

    content: HeldContent | None = None
    side_content: HeldContent | None = None

    def side_request_for(self, node: Any) -> bytes:
        """Its head."""
        assert self.side_request is not None
        asked = replace(
            self, target=self.side_request.path, content=self.side_content, head_templates={}
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
    plan: Plan, contents: Mapping[str, HeldContent], side_contents: Mapping[str, HeldContent]
) -> Plan:
    """The plan with its bodies, ``contents``, and those of its side requests, ``side_contents``, by
    the nodes' names."""
    made: dict[tuple[int, int], HeldRoute] = {}
    routes: dict[str, Route] = {}
    for name, route in plan.routes.items():
        content = contents[name]
        key = id(route), id(content)
        if key not in made:
            known = {field.name: getattr(route, field.name) for field in fields(Route)}
            made[key] = HeldRoute(**known, content=content, side_content=side_contents.get(name))
        routes[name] = made[key]
    return replace(plan, routes=routes)
