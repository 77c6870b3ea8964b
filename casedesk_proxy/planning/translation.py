"""Translates requests for nodes that do not speak the client's protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from casedesk_proxy.dialects.core.contract import Answered, Context, Translate, TranslatedRequest
from casedesk_proxy.dialects.registry import find_translations
from casedesk_proxy.engines.restrictions import Restrictions
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import BadRequest, ClientFault
from casedesk_proxy.jsonio import TooDeep, loads, with_exact_numbers
from casedesk_proxy.planning.restrictions import find_model, find_restrictions
from casedesk_proxy.planning.route import PlanInput, Route
from casedesk_proxy.snapshot import DeploymentSpec, NodeSpec
from casedesk_proxy.surfaces.parameter_changes import BodyChange, change_body
from casedesk_proxy.terms import Dialect, ModelInfo, Target
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
    ask: PlanInput,
    value: dict[str, object],
    target: Target,
    holders: Sequence[NodeSpec],
    deployment: DeploymentSpec,
) -> Translation:
    """The request for those of ``holders`` that speak the best dialect that any of them speaks.

    Engines and chat templates differ in what they support, so the request is made once for each
    kind of them. If none can serve it, the first one's fault is raised: BadRequest or Unsupported,
    before any node is asked. The result is empty if there is no translation.
    """
    value = with_exact_numbers(value, ask.raw)
    for dialect, translate in find_translations(ask.call):
        speakers = [node for node in holders if dialect in node.speaks]
        if speakers:
            return _for_speakers(ask, value, target, speakers, dialect, translate, deployment)
    return Translation()


def _for_speakers(
    ask: PlanInput,
    value: dict[str, object],
    target: Target,
    speakers: Sequence[NodeSpec],
    dialect: Dialect,
    translate: Translate,
    deployment: DeploymentSpec,
) -> Translation:
    result = Translation()
    fault: ClientFault | None = None
    made: dict[tuple[EngineSpec, str, Restrictions], Route | None] = {}
    parameters = deployment.find_parameters(target.alias)
    change = parameters.for_node(ask.call, dialect) if parameters is not None else None
    for node in speakers:
        restrictions = find_restrictions(ask, target.model, node)
        kind = (node.engine, node.config.system_role, restrictions)
        if kind not in made:
            context = _context(ask, target, node, deployment, restrictions)
            try:
                one = _translate(translate, ask, value, context)
            except ClientFault as error:
                fault, made[kind] = fault or error, None
                continue
            if isinstance(one, Answered):
                result.answer = one
                return result
            made[kind] = _route(ask, one, dialect, change)
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
    translate: Translate, ask: PlanInput, value: dict[str, object], context: Context
) -> TranslatedRequest | Answered:
    try:
        return translate(ask.call, value, context)
    except TooDeep:
        raise BadRequest("the request body is nested too deeply; flatten it") from None


def _context(
    ask: PlanInput,
    target: Target,
    node: NodeSpec,
    deployment: DeploymentSpec,
    restrictions: Restrictions,
) -> Context:
    client = header(ask.headers, b"x-goog-api-client") or header(ask.headers, b"user-agent") or b""
    return Context(
        model=target.model,
        asked=target.asked,
        engine=node.engine,
        request_id=ask.request_id,
        client=client.decode("latin-1"),
        refuse_unknown=deployment.refuse_unknown,
        refuse_tools=deployment.refuse_tools,
        now=ask.now,
        count_prompt=deployment.config.count_prompt,
        output_limit=_output_limit(ask.reported, target, node),
        fold_system=node.config.system_role == "none",
        system_first=node.config.system_role == "first",
        restrictions=restrictions,
    )


def _output_limit(
    reported: Mapping[str, tuple[ModelInfo, ...]], target: Target, node: NodeSpec
) -> int | None:
    model = find_model(reported, node, target.model)
    return model.output_limit if model is not None else None


def _route(
    ask: PlanInput, made: TranslatedRequest, dialect: Dialect, change: BodyChange | None
) -> Route:
    headers = [
        pair
        for pair in forward_request_headers(ask.headers)
        if (name := pair[0].lower()) in _FORWARDED or name.startswith(b"x-goog-")
    ]
    headers.append((b"Content-Type", b"application/json"))
    if dialect is Dialect.ANTHROPIC:
        headers.append((b"anthropic-version", b"2023-06-01"))
    return Route(
        dialect=dialect,
        target=made.path,
        headers=tuple(headers),
        request_id=ask.request_id,
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
