"""What the tests know of each engine: it stands in the engine's own test file, as constants.

``HEARD``: what one answered, and its answer to whatever it does not know. ``SENT``: what is sent to
it otherwise than usual, see test_profile.MATRIX. ``MEDIA``: what it takes beside PNG and JPEG, of
what pairs/gemini_openai/test_request.py sends. ``STREAM``: how it writes a stream with reasoning,
text and a call. ``FAILS``: how it writes that it failed. Both only of engines that were heard.

Of what was recorded of one, as far as it is its own: ``IGNORES``: what it ignores, by the ends of
the recordings' names; ``BLOCKS``: what a reply then holds, and why it ended, in Anthropic's words;
``CUT``: a recording of which every byte is a place to cut; ``USAGE``: a recording, and its counts
as Gemini's; ``ERRORS``: recordings with the status and the message that they become.
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
    """A constant, by engine, of all files that have it."""
    files = {
        one: import_module(f"tests.engines.test_{one.name.replace('-', '_')}") for one in CHATS
    }
    return {one: vars(file)[name] for one, file in files.items() if name in vars(file)}


def ignored(recording: str) -> tuple[str, ...]:
    """``IGNORES`` of the engine that was recorded."""
    found = [ends for one, ends in known("IGNORES").items() if recording.startswith(one.name)]
    return found[0] if found else ()
