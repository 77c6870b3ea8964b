"""docs/engines.md, made from the registry: ``python -m tests.engines.table > docs/engines.md``."""

from __future__ import annotations

from casedesk_proxy.engines.paths import InferencePath
from casedesk_proxy.engines.registry import AUTO, ENGINES, INFERENCE_PATHS
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


_PATHS = """
## Inference paths

Beside the protocols above, these paths are relayed to nodes whose engine has them, with the
client's key, aliases, queue and log like any other. No other path reaches a node: what administers
one is refused. *Model*: where the request names it.

| path | model | reply | engines |
|---|---|---|---|
"""


def page() -> str:
    engines = "".join(_row(one) for one in ENGINES.values() if one is not AUTO)
    return _HEAD + engines + _PATHS + "".join(map(_path_row, INFERENCE_PATHS.values()))


def _path_row(path: InferencePath) -> str:
    having = [one for one in ENGINES.values() if path in one.paths and one is not AUTO]
    names = ", ".join(f"`{one.name}`" for one in having)
    return f"| `{path.path}` | {path.model} | {path.reply} | {names} |\n"


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
