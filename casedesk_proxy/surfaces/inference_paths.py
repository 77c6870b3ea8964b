"""Which of the engines' inference paths a request means: written with a version, without one, or
with a version that a base URL added. The result is a path of the table in `engines.paths`; a node
never gets the path that a client wrote."""

from __future__ import annotations

from casedesk_proxy.engines.paths import InferencePath
from casedesk_proxy.engines.registry import INFERENCE_PATHS

__all__ = ["INFERENCE_NAMES", "find_inference_path"]

#: The paths without OpenAI's version: what follows a base URL.
INFERENCE_NAMES = frozenset(path.removeprefix("/v1")[1:] for path in INFERENCE_PATHS)


def find_inference_path(version: str, rest: str) -> InferencePath | None:
    """``rest`` is raw, after its mount and versions; ``version`` the last of those, or empty."""
    written = f"/{version}/{rest}" if version else f"/{rest}"
    for path in (written, f"/{rest}", f"/v1/{rest}"):
        if (known := INFERENCE_PATHS.get(path)) is not None:
            return known
    return None
