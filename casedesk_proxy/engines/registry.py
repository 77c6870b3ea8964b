"""All engines that are known: every module of this package that has a ``SPEC``."""

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

#: No path that is looked for is deeper.
_MAX_SEGMENTS = 4


def _find_specs() -> Iterator[EngineSpec]:
    for module in pkgutil.iter_modules(engines.__path__):
        name = f"{engines.__name__}.{module.name}"
        if name != __name__ and hasattr(found := importlib.import_module(name), "SPEC"):
            yield found.SPEC


def _by_name(specs: Iterator[EngineSpec]) -> dict[str, EngineSpec]:
    return {one.name: one for one in sorted(specs, key=lambda one: (one.rank, one.name))}


#: By name, in the order in which people are shown them.
ENGINES: Mapping[str, EngineSpec] = _by_name(_find_specs())
#: A node of which nobody has said what it is, until it is recognised.
AUTO = ENGINES["auto"]
#: In the order in which they look at a node.
FINGERPRINTS: tuple[Fingerprint, ...] = tuple(
    sorted(
        (one.fingerprint for one in ENGINES.values() if one.fingerprint is not None),
        key=lambda one: one.turn,
    )
)
#: Of all engines together, by path. None differs about where a path has its model.
INFERENCE_PATHS: Mapping[str, InferencePath] = {one.path: one for one in AUTO.paths}
_ADMINISTERED: Mapping[str, EngineSpec] = {
    path: engine for engine in ENGINES.values() for path in engine.administration.split()
}


def find_engine(name: str) -> EngineSpec:
    """Raises KeyError for a name that no configuration can hold."""
    return ENGINES[name]


def context_remedy(engine: EngineSpec, trained: int) -> str:
    """What an operator can do about prompts that were cut; of an engine that is not known to cut
    any, what helps at those that are: it may be one of them behind a name that says less."""
    cutters = [engine] if engine.contexts is not None else ENGINES.values()
    return "; or ".join(one.contexts.remedy(trained) for one in cutters if one.contexts)


def usual_ports() -> dict[int, list[EngineSpec]]:
    """Where engines listen unless told otherwise, and which do so there."""
    ports: dict[int, list[EngineSpec]] = {}
    for engine in ENGINES.values():
        for port in engine.ports:
            ports.setdefault(port, []).append(engine)
    return ports


def find_administered(path: str) -> EngineSpec | None:
    """The engine that a path administers, given without a leading slash and its version."""
    segments = path.lower().split("/", _MAX_SEGMENTS)
    starts = ("/".join(segments[:count]) for count in range(1, len(segments) + 1))
    return next((_ADMINISTERED[one] for one in starts if one in _ADMINISTERED), None)
