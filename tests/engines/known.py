"""What the tests know of each engine: constants in the engine's own test file.

``HEARD``: its answers, and its answer to unknown requests. ``SENT``: what is sent to it in a
special form, see test_profile.MATRIX. ``MEDIA``: what it accepts besides PNG and JPEG, of the types
that pairs/gemini_openai/test_request.py sends. ``STREAM``: its stream with reasoning, text and a
call. ``FAILS``: its stream that fails. The last two exist only for engines whose answers we have.

From its recordings, if they differ from others: ``IGNORES``: what it ignores, by the ends of the
recordings' names; ``BLOCKS``: the blocks of such a reply, and why it ended, in Anthropic's words;
``CUT``: a recording that is cut at every byte; ``USAGE``: a recording, and its counts as Gemini's;
``ERRORS``: recordings with the status and the message that they become.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from casedesk_proxy.engines.registry import ENGINES
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.terms import Dialect

__all__ = ["CHATS", "REFUSED", "ignored", "known"]

#: In place of a value that is sent.
REFUSED = "refused"
#: Engines with OpenAI's chat, but for the one that may be any.
CHATS = [one for one in ENGINES.values() if Dialect.OPENAI in one.speaks and one.fingerprint]


def known(name: str) -> dict[EngineSpec, Any]:
    """The values of a constant, by engine, in all files that have it."""
    files = {
        one: import_module(f"tests.engines.test_{one.name.replace('-', '_')}") for one in CHATS
    }
    return {one: vars(file)[name] for one, file in files.items() if name in vars(file)}


def ignored(recording: str) -> tuple[str, ...]:
    """``IGNORES`` of the recorded engine."""
    found = [ends for one, ends in known("IGNORES").items() if recording.startswith(one.name)]
    return found[0] if found else ()
