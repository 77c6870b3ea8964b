"""The catalogue of errors: the code's facts about each, and the additions of error-causes.toml.

Messages are read from the source (`docs/messages.py`); status and type for each API are those of
the envelopes.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from casedesk_proxy import errors
from casedesk_proxy.jsonio import loads
from casedesk_proxy.surfaces.envelopes import error_reply
from casedesk_proxy.terms import Dialect

sys.path.insert(0, str(Path(__file__).parent))
from messages import find_error_messages

__all__ = ["CAUSES", "write_errors"]

CAUSES: dict[str, dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "error-causes.toml").read_text()
)
_MAX_MESSAGES = 12
_SURFACES = (
    (Dialect.GEMINI, "Gemini", "status"),
    (Dialect.ANTHROPIC, "Anthropic", "type"),
    (Dialect.OPENAI, "OpenAI", "type"),
)
_HEAD = """# Error codes

Every error has a code for programs. OpenAI's envelope has it as `error.code`, Google's as `reason`
in `details`, the log as `code=`, the console's API and that of keys as `error.code`; Anthropic's
envelope has only a type. Written by `make pages` from the code and from `error-causes.toml`; in a
message, … marks a part that varies, and where one begins with "the node", clients read the node's
name.
[errors.md](errors.md) says which of them programs act on.
"""


def write_errors() -> str:
    messages = find_error_messages()
    return "\n".join(
        [_HEAD, *(_section(code, messages.get(code, set()) | _composed(code)) for code in CAUSES)]
    )


def _composed(code: str) -> set[str]:
    """Messages that the code puts together of parts, where they cannot be read from one place."""
    return set(CAUSES[code].get("messages", ()))


def _section(code: str, messages: set[str]) -> str:
    known = CAUSES[code]
    lines = [f"## `{code}`\n", *_statuses(code, known["status"]), ""]
    lines += [f"*Cause:* {known['cause']}\n", f"*Remedy:* {known['remedy']}\n"]
    shown = sorted(messages, key=lambda one: (len(one), one))[:_MAX_MESSAGES]
    if shown:
        lines.append("*Messages:*\n")
        lines += [f"- {_plain(one)}" for one in sorted(shown)]
        if len(messages) > len(shown):
            lines.append(f"- and {len(messages) - len(shown)} more")
        lines.append("")
    return "\n".join(lines)


def _statuses(code: str, statuses: list[int]) -> Iterator[str]:
    """A line for each status, with what clients of each API get."""
    for status in statuses:
        error = _example(code, status)
        forms = []
        for surface, title, field in _SURFACES:
            reply = error_reply(surface, error, "id")
            kind = loads(reply.body)["error"][field]
            forms.append(f"{title} {reply.status} `{kind}`")
        yield f"{', '.join(forms)}  "


def _example(code: str, status: int) -> errors.ProxyError:
    """An error of the class that has this code, since some statuses depend on the class."""
    for one in vars(errors).values():
        if not isinstance(one, type) or not issubclass(one, errors.ProxyError):
            continue
        if one.code == code and one not in (errors.LimitReached, errors.NodeError):
            error = one("")
            error.code, error.status = code, status
            return error
    return errors.ProxyError("", code=code, status=status)


def _plain(message: str) -> str:
    """A template, escaped so that Markdown shows it unchanged."""
    return "`" + " ".join(message.replace("`", "'").split()) + "`"
