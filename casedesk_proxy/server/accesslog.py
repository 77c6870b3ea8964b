"""One line per exchange, to stderr, as logfmt or JSON. No prompt text, no credential."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.exchange.outcome import Outcome
from casedesk_proxy.server.lines import Lines, write

__all__ = ["Sink", "access_log", "as_logfmt"]

Sink = Callable[[Outcome], None]

_PLAIN = re.compile(r"[^\s\"=\\\x00-\x1f\x7f]+")


def as_logfmt(facts: dict[str, Any]) -> bytes:
    """``key=value`` pairs; values that hold blanks, quotes or control characters are quoted."""
    return " ".join(f"{name}={_value(value)}" for name, value in facts.items()).encode(
        "utf-8", "backslashreplace"
    )


def access_log(lines: Lines) -> Sink:
    """A sink that writes to stderr, one system call a line."""

    def tell(outcome: Outcome) -> None:
        facts = outcome.facts()
        text = b"" if lines.form == "json" else as_logfmt(facts)
        write(lines.render_facts(logging.INFO, facts, text))

    return tell


def _value(value: Any) -> str:
    text = f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return text if _PLAIN.fullmatch(text) else jsonio.dumps(text).decode()
