"""What a simulated model does: how long it takes, in which pieces it answers, how it ends.

A script belongs to a model name (``PRESETS``), and any request may change it with the header
``x-goog-simulator: ending=cut&after_events=2``, whose name the proxy forwards on every surface.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, get_type_hints
from urllib.parse import parse_qsl

from casedesk_proxy.errors import BadRequest

__all__ = ["HEADER", "PRESETS", "Ending", "Script", "find_script"]

HEADER = "x-goog-simulator"


class Ending(StrEnum):
    """How a reply ends. The endings after FINISH come at ``after_events`` or ``after_bytes``, or
    after the last event of a shorter reply."""

    #: As its protocol requires.
    FINISH = "finish"
    #: The HTTP message ends correctly, in the middle of its content.
    UNFINISHED = "unfinished"
    #: The connection closes without the message's end: a FIN.
    CUT = "cut"
    #: The connection is reset: an RST.
    RESET = "reset"
    #: An error frame of the protocol, then a correct end of the HTTP message.
    ERROR = "error"
    #: Bytes of no protocol, then a correct end of the HTTP message.
    GARBAGE = "garbage"
    #: Nothing more, until the client leaves.
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class Script:
    """Seconds, bytes and counts; ``events`` are all frames of the protocol, words included.

    ``words_per_second``: 0 is as fast as possible, None the simulator's own pace. ``words``: that
    many numbers in place of a sentence, so that a missing one is noticed. ``head_delay``: from the
    whole request to the head of the reply; ``pause`` comes once, after ``pause_after`` events.
    ``piece``: bytes per write, which cuts events and characters anywhere or joins several; None
    writes each event separately. ``status``: an error in place of an answer, with ``body`` or the
    protocol's own envelope.
    """

    words_per_second: float | None = None
    words: int | None = None
    head_delay: float = 0.0
    pause: float = 0.0
    pause_after: int = 3
    piece: int | None = None
    status: int = 200
    body: str | None = None
    retry_after: int | None = None
    ending: Ending = Ending.FINISH
    after_events: int = 3
    after_bytes: int | None = None

    def amended(self, text: str) -> Script:
        """The script with the values of a HEADER, written as a query string. Raises BadRequest."""
        types = get_type_hints(Script)
        changes: dict[str, Any] = {}
        for name, value in parse_qsl(text, keep_blank_values=True):
            if name not in types:
                known = ", ".join(field.name for field in fields(Script))
                raise BadRequest(f"{HEADER}: {name!r} is none of {known}")
            try:
                changes[name] = _CONVERT[types[name]](value)
            except ValueError:
                raise BadRequest(f"{HEADER}: {name} cannot be {value!r}") from None
        return replace(self, **changes)


_CONVERT: Mapping[Any, Any] = {
    int: int,
    int | None: int,
    float: float,
    float | None: float,
    str | None: str,
    Ending: Ending,
}

#: Statuses with a model of their own in the list; any ``sim-error-NNN`` works.
_ERRORS = (400, 401, 403, 404, 429, 500, 503, 529)
#: The models that every simulator has.
PRESETS: Mapping[str, Script] = MappingProxyType(
    {
        "sim": Script(),
        "sim-fast": Script(words_per_second=0),
        "sim-slow": Script(words_per_second=2, head_delay=2),
        "sim-long": Script(words=100_000),
        "sim-crumbs": Script(piece=7),
        "sim-lumps": Script(piece=1500, words_per_second=0),
        "sim-pause": Script(pause=5),
        "sim-unfinished": Script(ending=Ending.UNFINISHED),
        "sim-cut": Script(ending=Ending.CUT),
        "sim-reset": Script(ending=Ending.RESET),
        "sim-broken": Script(ending=Ending.ERROR),
        "sim-garbage": Script(ending=Ending.GARBAGE),
        "sim-hang": Script(ending=Ending.HANG),
        "sim-embed": Script(),
        **{f"sim-error-{status}": Script(status=status) for status in _ERRORS},
    }
)
_ERROR_NAME = re.compile(r"sim-error-([45]\d\d)")


def find_script(model: str, scripts: Mapping[str, Script]) -> Script | None:
    """The script of a model; None if there is no such model."""
    script = scripts.get(model)
    if script is None and (match := _ERROR_NAME.fullmatch(model)):
        return Script(status=int(match[1]))
    return script
