"""docs/engines.md, made of the registry: ``python -m tests.engines.table > docs/engines.md``."""

from __future__ import annotations

from casedesk_proxy.engines.registry import AUTO, ENGINES
from casedesk_proxy.engines.spec import EngineSpec

__all__ = ["page"]

_HEAD = """\
# Engines

What a node can run, as `engine:` in the configuration names it. This page is made of the engines'
own modules in `casedesk_proxy/engines/`; [adding-an-engine.md](adding-an-engine.md) says how to add
one. *Untested* means: written from documentation and public sources, and never seen at work. Any
other server with OpenAI's API is `openai`; `auto` is taken for it until it is recognised.

| `engine` | what it is | usual ports | speaks | recognised | tested |
|---|---|---|---|---|---|
"""


def page() -> str:
    return _HEAD + "".join(_row(one) for one in ENGINES.values() if one is not AUTO)


def _row(engine: EngineSpec) -> str:
    cells = (
        f"`{engine.name}`",
        engine.title,
        ", ".join(map(str, engine.ports)) or "–",
        ", ".join(engine.speaks),
        "yes" if engine.fingerprint is not None else "no",
        "yes" if engine.tested else "**untested**",
    )
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    print(page(), end="")
