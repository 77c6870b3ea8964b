"""Translates requests for nodes that do not speak the client's protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from casedesk_proxy.dialects.core.contract import Answered, Context, Translate, TranslatedRequest
from casedesk_proxy.dialects.registry import find_translations
from casedesk_proxy.engines.restrictions import Restrictions
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import BadRequest, ClientFault
from casedesk_proxy.jsonio import TooDeep, loads, with_exact_numbers
from casedesk_proxy.planning.restrictions import find_model, find_restrictions
from casedesk_proxy.planning.route import PlanInputs, Route
from casedesk_proxy.snapshot import DeploymentSpec, NodeSpec
from casedesk_proxy.surfaces.parameter_changes import change_body
from casedesk_proxy.terms import Dialect, ResolvedModel
from casedesk_proxy.wire.headers import forward_request_headers
from casedesk_proxy.wire.http1 import header

__all__ = ["Translation", "translate_for"]

#: Headers that a node of another protocol gets, with every ``x-goog-`` header: such a node does not
#: know them, but a gateway in front of it may.
_FORWARDED = (b"user-agent", b"traceparent", b"tracestate")

#: Header of a reply to a request of which something was left out.
_DROPPED = "x-casedesk-dropped"
#: How many paths it names; the log has more.
_MAX_LISTED_PATHS = 10
_MAX_PATH_CHARS = 100
_PRINTABLE = bytes(one if 0x20 <= one < 0x7F else ord("?") for one in range(256))


@dataclass(slots=True)
class Translation:
    """The result: a route for each node that can serve the request, or a whole answer.

    ``dropped`` names what was left out although the client asked for it: harmless, but worth a note
    in the log, and in a header of the reply.
    """

    routes: dict[str, Route] = field(default_factory=dict)
    answer: Answered | None = None
    dropped: tuple[str, ...] = ()


def translate_for(
    inputs: PlanInputs,
    value: dict[str, object],
    resolved: ResolvedModel,
    holders: Sequence[NodeSpec],
    deployment: DeploymentSpec,
) -> Translation:
    """The request for those of ``holders`` that speak the best dialect that any of them speaks.

    Engines and chat templates differ in what they support, so the request is made once for each
    kind of them. If none can serve it, the first one's fault is raised: BadRequest or Unsupported,
    before any node is asked. The result is empty if there is no translation.
    """
    value = with_exact_numbers(value, inputs.raw)
    for dialect, translate in find_translations(inputs.call):
        speakers = [node for node in holders if dialect in node.speaks]
        if speakers:
            source = _Source(inputs, value, resolved, deployment)
            return source.translate(dialect, translate, speakers)
    return Translation()


@dataclass(frozen=True, slots=True)
class _Source:
    """The request to be translated: ``value`` is its parsed body."""

    inputs: PlanInputs
    value: dict[str, object]
    resolved: ResolvedModel
    deployment: DeploymentSpec

    def translate(
        self, dialect: Dialect, translate: Translate, speakers: Sequence[NodeSpec]
    ) -> Translation:
        """For nodes that speak ``dialect``, once for each kind of them. Raises a ClientFault."""
        result = Translation()
        fault: ClientFault | None = None
        made: dict[tuple[EngineSpec, str, Restrictions], Route | None] = {}
        for node in speakers:
            restrictions = find_restrictions(self.inputs, self.resolved.model, node)
            kind = (node.engine, node.config.system_role, restrictions)
            if kind not in made:
                try:
                    one = self._translate(translate, node, restrictions)
                except ClientFault as error:
                    fault, made[kind] = fault or error, None
                    continue
                if isinstance(one, Answered):
                    result.answer = one
                    return result
                made[kind] = self._route(one, dialect)
                result.dropped = one.dropped
            route = made[kind]
            if route is not None:
                result.routes[node.name] = route
        if fault is not None and not result.routes:
            try:
                raise fault
            finally:
                # Its traceback holds this frame: only the garbage collector could free the two
                # together.
                del fault
        return result

    def _translate(
        self, translate: Translate, node: NodeSpec, restrictions: Restrictions
    ) -> TranslatedRequest | Answered:
        try:
            return translate(self.inputs.call, self.value, self._context(node, restrictions))
        except TooDeep:
            raise BadRequest("the request body is nested too deeply; flatten it") from None

    def _context(self, node: NodeSpec, restrictions: Restrictions) -> Context:
        inputs, resolved, deployment = self.inputs, self.resolved, self.deployment
        headers = inputs.headers
        client = header(headers, b"x-goog-api-client") or header(headers, b"user-agent") or b""
        model = find_model(inputs.reported, node, resolved.model)
        return Context(
            model=resolved.model,
            asked=resolved.asked,
            engine=node.engine,
            request_id=inputs.request_id,
            client=client.decode("latin-1"),
            refuse_unknown=deployment.refuse_unknown,
            refuse_tools=deployment.refuse_tools,
            now=inputs.now,
            count_prompt=deployment.config.count_prompt,
            output_limit=model.output_limit if model is not None else None,
            fold_system=node.config.system_role == "none",
            system_first=node.config.system_role == "first",
            restrictions=restrictions,
        )

    def _route(self, made: TranslatedRequest, dialect: Dialect) -> Route:
        inputs = self.inputs
        headers = [
            pair
            for pair in forward_request_headers(inputs.headers)
            if (name := pair[0].lower()) in _FORWARDED or name.startswith(b"x-goog-")
        ]
        headers.append((b"Content-Type", b"application/json"))
        if dialect is Dialect.ANTHROPIC:
            headers.append((b"anthropic-version", b"2023-06-01"))
        rules = self.deployment.find_parameters(self.resolved.alias)
        change = rules.for_node(inputs.call, dialect) if rules is not None else None
        return Route(
            dialect=dialect,
            target=made.path,
            headers=tuple(headers),
            request_id=inputs.request_id,
            body=change_body(change, made.body, loads(made.body)) if change else made.body,
            translator=made.translator,
            reply_headers=made.headers + _warn(made.dropped),
            side_request=made.side_request,
            controls=made.controls,
        )


def _warn(dropped: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """What the client asked for and does not get. Names in a path may be the client's own, so only
    printable ASCII is returned."""
    if not dropped:
        return ()
    paths = [
        path[:_MAX_PATH_CHARS].encode("ascii", "replace").translate(_PRINTABLE).decode()
        for path in dropped[:_MAX_LISTED_PATHS]
    ]
    if len(dropped) > _MAX_LISTED_PATHS:
        paths.append(f"and {len(dropped) - _MAX_LISTED_PATHS} more")
    return ((_DROPPED, ", ".join(paths)),)
