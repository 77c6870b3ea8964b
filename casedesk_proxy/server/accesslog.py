"""One line per exchange, to stderr, as logfmt or JSON. No prompt text, no credential."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.exchange.outcome import Outcome
from casedesk_proxy.server.lines import Lines, write_soon

__all__ = ["Sink", "access_log", "as_logfmt"]

Sink = Callable[[Outcome], None]

_PLAIN = re.compile(r"[^\s\"=\\\x00-\x1f\x7f]+")


def as_logfmt(facts: dict[str, Any]) -> bytes:
    """``key=value`` pairs; values that hold blanks, quotes or control characters are quoted."""
    pairs = []
    for name, value in facts.items():
        if value.__class__ is int:
            pairs.append(f"{name}={value}")
        elif value.__class__ is float:
            pairs.append(f"{name}={value:.6f}".rstrip("0").rstrip("."))
        else:
            pairs.append(f"{name}={_quoted(str(value))}")
    return " ".join(pairs).encode("utf-8", "backslashreplace")


def access_log(lines: Lines) -> Sink:
    """A sink that writes to stderr."""

    def tell(outcome: Outcome) -> None:
        facts = outcome.facts()
        text = b"" if lines.form == "json" else as_logfmt(facts)
        write_soon(lines.render_facts(logging.INFO, facts, text))

    return tell


@lru_cache(maxsize=512)
def _quoted(text: str) -> str:
    """Most are names out of the configuration, and come again and again."""
    return text if _PLAIN.fullmatch(text) else jsonio.dumps(text).decode()
