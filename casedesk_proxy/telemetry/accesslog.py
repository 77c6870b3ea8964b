"""One line per exchange, to stderr, as logfmt or JSON. No prompt text, no credential."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.fastpath.switches import Trick, is_on
from casedesk_proxy.replying.record import NAMES, ExchangeRecord, Terminal
from casedesk_proxy.telemetry.log_output import LogFormatter, write

__all__ = ["Sink", "access_log", "as_logfmt", "usual_line"]

Sink = Callable[[ExchangeRecord], None]

_PLAIN = re.compile(r"[^\s\"=\\\x00-\x1f\x7f]+")


def as_logfmt(facts: dict[str, Any]) -> bytes:
    """``key=value`` pairs; values that contain blanks, quotes or control characters are quoted."""
    pairs = []
    for name, value in facts.items():
        if value.__class__ is int:
            pairs.append(f"{name}={value}")
        elif value.__class__ is float:
            pairs.append(f"{name}={_seconds(value)}")
        else:
            text = str(value)
            pairs.append(f"{name}={text if text.isalnum() else _quoted(text)}")
    return " ".join(pairs).encode("utf-8", "backslashreplace")


def access_log(formatter: LogFormatter) -> Sink:
    """A sink that writes to stderr."""
    quick = usual_line if is_on(Trick.LOG_LINE) else _no_line

    def write_line(record: ExchangeRecord) -> None:
        if record.summed_up:
            return
        if formatter.form == "json":
            line = formatter.format_fields(logging.INFO, record.facts(), b"")
        else:
            text = quick(record) or as_logfmt(record.facts())
            line = formatter.format_fields(logging.INFO, {}, text)
        write(line)

    return write_line


def _no_line(record: ExchangeRecord) -> None:
    """Used in place of `usual_line` to render every line in the general way."""


def usual_line(record: ExchangeRecord) -> bytes | None:
    """The line of `as_logfmt` for an ordinary exchange, at a third of the cost; None for any
    other."""
    usage = record.usage
    if (
        record.terminal is not Terminal.COMPLETED
        or record.first_byte is None
        or not (record.action and record.received and record.events)
        or record.code or record.tried or record.queued or record.dropped
        or record.attempts > 1 or record.cut_to is not None
        or usage.prompt is None or usage.output is None or usage.estimated
        or not record.request_id.isalnum()
    ):  # fmt: skip
        return None
    names = _names(
        record.client, record.deployment, record.key, record.surface, record.action,
        record.asked if record.asked != record.model else "", record.model, record.node,
    )  # fmt: skip
    cached = "" if usage.cached is None else f" cached_tokens={usage.cached}"
    thoughts = "" if usage.thoughts is None else f" thought_tokens={usage.thoughts}"
    ttfb = duration = _seconds(record.first_byte - record.started)
    if record.ended != record.first_byte:
        duration = _seconds(record.ended - record.started)
    return (
        f"id={record.request_id} {names} status={record.status} end=completed"
        f" ttfb={ttfb} duration={duration}"
        f" bytes_in={record.received} bytes_out={record.sent} events={record.events}"
        f" prompt_tokens={usage.prompt} output_tokens={usage.output}{cached}{thoughts}"
    ).encode("utf-8", "backslashreplace")


@lru_cache(maxsize=512)
def _names(*values: str) -> str:
    """The fields that are the same for thousands of exchanges."""
    pairs = zip(("client", *NAMES), values, strict=True)
    return as_logfmt({name: value for name, value in pairs if value}).decode()


def _seconds(span: float) -> str:
    """Cached: spans are rounded to milliseconds, so short ones repeat."""
    microseconds = round(span * 1_000_000)
    return _short(microseconds) if microseconds < 1_000_000 else _spell(microseconds)


def _spell(microseconds: int) -> str:
    return f"{microseconds / 1_000_000:.6f}".rstrip("0").rstrip(".")


_short = lru_cache(maxsize=1024)(_spell)


@lru_cache(maxsize=512)
def _quoted(text: str) -> str:
    """Cached: most values are names from the configuration."""
    return text if _PLAIN.fullmatch(text) else jsonio.dumps(text).decode()
