"""All known engines: every module of this package that has a ``SPEC``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping

from casedesk_proxy import engines
from casedesk_proxy.engines.paths import InferencePath
from casedesk_proxy.engines.spec import EngineSpec, Fingerprint

__all__ = [
    "AUTO",
    "ENGINES",
    "FINGERPRINTS",
    "INFERENCE_PATHS",
    "context_remedy",
    "find_administered",
    "find_engine",
    "usual_ports",
]

#: The most segments of a path that is searched for.
_MAX_SEGMENTS = 4


def _find_specs() -> Iterator[EngineSpec]:
    for module in pkgutil.iter_modules(engines.__path__):
        name = f"{engines.__name__}.{module.name}"
        if name != __name__ and hasattr(found := importlib.import_module(name), "SPEC"):
            yield found.SPEC


def _by_name(specs: Iterator[EngineSpec]) -> dict[str, EngineSpec]:
    return {one.name: one for one in sorted(specs, key=lambda one: (one.rank, one.name))}


#: By name, in the order of lists for people.
ENGINES: Mapping[str, EngineSpec] = _by_name(_find_specs())
#: A node without a configured engine, until its engine is detected.
AUTO = ENGINES["auto"]
#: In the order in which they are tried at a node.
FINGERPRINTS: tuple[Fingerprint, ...] = tuple(
    sorted(
        (one.fingerprint for one in ENGINES.values() if one.fingerprint is not None),
        key=lambda one: one.turn,
    )
)
#: Of all engines together, by path. Engines agree about where a path has its model.
INFERENCE_PATHS: Mapping[str, InferencePath] = {one.path: one for one in AUTO.paths}
_ADMINISTERED: Mapping[str, EngineSpec] = {
    path: engine for engine in ENGINES.values() for path in engine.administration.split()
}


def find_engine(name: str) -> EngineSpec:
    """Raises KeyError for a name that no configuration can contain."""
    return ENGINES[name]


def context_remedy(engine: EngineSpec, trained: int) -> str:
    """What an operator can do about prompts that were cut. For an engine that is not known to cut
    prompts: what helps at engines that do, since the node may run one of them."""
    cutters = [engine] if engine.contexts is not None else ENGINES.values()
    return "; or ".join(one.contexts.remedy(trained) for one in cutters if one.contexts)


def usual_ports() -> dict[int, list[EngineSpec]]:
    """The default ports, with the engines that listen there."""
    ports: dict[int, list[EngineSpec]] = {}
    for engine in ENGINES.values():
        for port in engine.ports:
            ports.setdefault(port, []).append(engine)
    return ports


def find_administered(path: str) -> EngineSpec | None:
    """The engine that a path administers; the path is without a leading slash and its version."""
    segments = path.lower().split("/", _MAX_SEGMENTS)
    starts = ("/".join(segments[:count]) for count in range(1, len(segments) + 1))
    return next((_ADMINISTERED[one] for one in starts if one in _ADMINISTERED), None)
