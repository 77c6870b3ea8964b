"""A task waits for a reply to begin, or to end."""

from __future__ import annotations

import asyncio

from casedesk_proxy.relay.progress import Progress
from casedesk_proxy.turns import Turns


def progress() -> Progress:
    loop = asyncio.get_running_loop()
    return Progress(loop, Turns(loop))


async def test_a_begin_wakes_who_waits_for_it() -> None:
    made = progress()
    waiting = asyncio.ensure_future(made.wait_begun())
    await asyncio.sleep(0)
    assert not waiting.done()
    made.begin()
    made.begin()
    await waiting


async def test_an_end_is_also_a_begin() -> None:
    made = progress()
    waiting = asyncio.ensure_future(made.wait_begun())
    await asyncio.sleep(0)
    made.end()
    await waiting
    assert waiting.done()


async def test_an_end_wakes_in_its_turn() -> None:
    made = progress()
    waiting = asyncio.ensure_future(made.wait_ended())
    await asyncio.sleep(0)
    made.begin()
    await asyncio.sleep(0)
    assert not waiting.done()
    made.end()
    assert not waiting.done(), "it continues in a later turn, not within the call"
    await waiting


async def test_no_task_has_to_wait() -> None:
    """The test passes if nothing is raised."""
    made = progress()
    made.begin()
    made.end()
