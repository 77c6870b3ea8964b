"""What tests of the pages do in a browser, each step with what it waits for."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from playwright.async_api import Locator, Page, Route, expect

from casedesk_proxy.simulator.app import Received, Simulator

__all__ = [
    "KEY",
    "PAGES",
    "HeldAnswer",
    "begin_stream",
    "hold_timers",
    "last_asked",
    "open_page",
    "press_twice",
    "sign_in",
]

KEY = "sk-pages"
#: What stands in each page once it has an answer to each of its questions.
PAGES = {
    "status": "article.node",
    "playground": "[name=deployment] option",
    "usage": "section.panel",
    "keys": ".choices label",
}


async def sign_in(page: Page) -> None:
    await page.get_by_label("Key", exact=True).fill(KEY)
    await page.get_by_role("button", name="Sign in with the key").click()
    await expect(page.get_by_role("status").first).to_have_text("Live")


async def open_page(page: Page, name: str) -> None:
    """Open a page of the console, and wait until it shows what it asked for."""
    await page.evaluate("(name) => { location.hash = name; }", name)
    link = page.locator(f"nav [href='#{name}']")
    await expect(link).to_have_attribute("aria-current", "page")
    await expect(page.locator(f"main {PAGES[name]}").first).to_be_attached()
    moment = page.locator("main .empty").filter(has_text="One moment", visible=True)
    await expect(moment).to_have_count(0)


async def hold_timers(page: Page) -> None:
    """A button that asks once more does so for four seconds: less than a machine with much else to
    do may take to press it again."""
    await page.clock.install()
    await page.clock.pause_at(datetime.now() + timedelta(hours=1))


async def press_twice(page: Page, button: Locator) -> None:
    await hold_timers(page)
    await button.click()
    await button.click()
    await page.clock.resume()


def last_asked(node: Simulator) -> Received:
    """The latest request of a client; the proxy's own have no body."""
    return next(one for one in reversed(node.requests) if one.method == "POST")


async def begin_stream(page: Page) -> None:
    """Begin a stream of one minute by the page's own request."""
    await page.evaluate(
        """() => void fetch("/proxy/desk/openai/v1/chat/completions", {
            method: "POST", body: JSON.stringify({
                model: "sim-long", stream: true, messages: [{role: "user", content: "x"}],
            })}).then((reply) => reply.text()).catch(() => {})"""
    )


#: Says when a page has acted on the answer with a name. A timer runs behind all that the page does
#: at once with the text of an answer.
_WATCH = """
() => {
    if (window.whenActed) return;
    const { fetch, setTimeout } = window;
    const acted = new Map();
    const of = (name) => acted.get(name) ?? acted.set(name, Promise.withResolvers()).get(name);
    window.whenActed = (name) => of(name).promise;
    window.fetch = async (...given) => {
        const reply = await fetch(...given);
        const name = reply.headers.get("x-held");
        const read = reply.text.bind(reply);
        if (name) reply.text = async () => {
            const text = await read();
            setTimeout(of(name).resolve);
            return text;
        };
        return reply;
    };
}
"""


class HeldAnswer:
    """The answer to the page's next request to ``path``, held back from when it is ``made`` until
    ``release``. ``reply``: what is answered in place of the proxy's own answer."""

    def __init__(self, page: Page, path: str, method: str = "GET", **reply: Any) -> None:
        self.made = asyncio.Event()
        self._is_asked = False
        self._page, self._path, self._method, self._reply = page, path, method, reply
        self._released = asyncio.Event()

    async def begin(self) -> HeldAnswer:
        await self._page.evaluate(_WATCH)
        await self._page.route(f"**/console/api/{self._path}", self._answer)
        return self

    async def release(self) -> None:
        """Let the answer come, and wait until the page has acted on it."""
        self._released.set()
        await self._page.evaluate("(name) => window.whenActed(name)", self._name)

    @property
    def _name(self) -> str:
        return f"{self._method} {self._path}"

    async def _answer(self, route: Route) -> None:
        if self._is_asked or route.request.method != self._method:
            await route.fallback()
            return
        self._is_asked = True
        headers = {"x-held": self._name}
        reply = {**self._reply, "headers": headers}
        if not self._reply:
            response = await route.fetch()
            reply = {"response": response, "headers": {**response.headers, **headers}}
        self.made.set()
        await self._released.wait()
        await route.fulfill(**reply)
