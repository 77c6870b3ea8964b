"""One line per exchange, to stderr, as logfmt or JSON. No prompt text, no credential."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.exchange.outcome import Outcome

__all__ = ["Sink", "access_log", "as_json", "as_logfmt"]

Sink = Callable[[Outcome], None]

_PLAIN = re.compile(r"[^\s\"=\\\x00-\x1f\x7f]+")


def as_json(facts: dict[str, Any]) -> bytes:
    return jsonio.dumps(facts)


def as_logfmt(facts: dict[str, Any]) -> bytes:
    """``key=value`` pairs; values that hold blanks, quotes or control characters are quoted."""
    return " ".join(f"{name}={_value(value)}" for name, value in facts.items()).encode(
        "utf-8", "backslashreplace"
    )


def access_log(form: str) -> Sink:
    """A sink that writes to stderr, one system call a line."""
    render = as_json if form == "json" else as_logfmt

    def write(outcome: Outcome) -> None:
        sys.stderr.buffer.write(render(outcome.facts()) + b"\n")
        sys.stderr.buffer.flush()

    return write


def _value(value: Any) -> str:
    text = f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return text if _PLAIN.fullmatch(text) else jsonio.dumps(text).decode()
