"""Nodes that are down are asked again and again: that leaves nothing to the garbage collector."""

from __future__ import annotations

import asyncio
import socket
from types import FrameType

import aiohttp

from casedesk_proxy.engines.inquiries import Inquiry, NodeAnswer
from casedesk_proxy.upstream.inquiries import Inquirer
from tests.fixtures.garbage import collecting
from tests.upstream.test_probes import probing, until

DEAD = "http://127.0.0.1:9"


def our_frames(found: list[object]) -> list[str]:
    """Frames of the program, in which an error was raised and which hold it."""
    codes = [one.f_code for one in found if isinstance(one, FrameType)]
    return [code.co_qualname for code in codes if "casedesk_proxy" in code.co_filename]


async def test_by_probes_that_are_refused() -> None:
    async with probing(DEAD, "vllm") as state:

        async def probed() -> None:
            before = state.breaker.last_error_at or 0.0
            await until(lambda: (state.breaker.last_error_at or 0.0) > before)

        await probed()
        with collecting() as found:
            await probed()
            await probed()
    assert our_frames(found) == []


async def test_by_inquiries() -> None:
    """Refused ones, and those that get no answer."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        urls = DEAD, f"http://127.0.0.1:{silent.getsockname()[1]}"
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            for url in urls:
                inquirer = Inquirer(session, url, answer_timeout_s=0.01)
                assert await inquirer.ask(Inquiry("/v1/models")) == NodeAnswer()
                with collecting() as found:
                    assert await inquirer.ask(Inquiry("/v1/models")) == NodeAnswer()
                    await asyncio.sleep(0)
                assert our_frames(found) == [], url
