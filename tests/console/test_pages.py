"""The pages in a real Chromium: their use, the requests at the nodes, and axe-core."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
from collections.abc import AsyncIterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from casedesk_proxy.server.app import Gateway
from casedesk_proxy.simulator.app import Simulator
from tests.console.chromium import read_addresses
from tests.console.visits import (
    KEY,
    PAGES,
    begin_stream,
    hold_timers,
    last_asked,
    open_page,
    press_twice,
    sign_in,
)
from tests.fixtures.sdks import genai
from tests.node_sdks.scripts import NODE

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

ROOT = Path(__file__).parent.parent.parent
AXE = ROOT / "tests" / "node_sdks" / "node_modules" / "axe-core" / "axe.min.js"
SURFACES = ("gemini", "anthropic", "openai", "responses")
FILE = b"\x89PNG not really"
FILE_DATA = base64.b64encode(FILE).decode()
#: Modules one after the other, in one process.
IMPORT_ALL = "(async () => { for (const one of process.argv.slice(1)) await import(one); })()"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shown(browser: Browser, gateway: Gateway) -> AsyncIterator[Page]:
    """The requests to the console's origin for its own modules."""
    page = await browser.new_page(base_url=gateway.urls[0])
    await page.goto("/console/")
    yield page
    await page.close()


async def choose_file(page: Page, name: str, kind: str) -> None:
    chosen: Any = {"name": name, "mimeType": kind, "buffer": FILE}
    await page.get_by_label("File").set_input_files(chosen)
    await expect(page.locator(".preview > *")).to_have_count(1)


async def send(page: Page, ending: str) -> None:
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".answer .badge")).to_have_text(ending)


async def find_faults(page: Page, *, only: str = "") -> list[str]:
    """Faults that axe-core calls serious or worse, by one rule or by all."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    rules = {"runOnly": [only]} if only else {}
    found = await page.evaluate(
        "(rules) => axe.run(document, {resultTypes: ['violations'], ...rules})", rules
    )
    return [
        f"{one['id']}: {where['html'][:120]} {where['any'][:1]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for where in one["nodes"]
    ]


async def test_signing_in_and_out(page: Page) -> None:
    await page.get_by_label("Key", exact=True).fill("wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert").first).to_contain_text("Unknown key")
    await sign_in(page)
    await expect(page.get_by_role("heading", name="Nodes")).to_be_visible()
    await expect(page.locator("#name")).to_have_text("anna")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.goto("/console/#usage")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_a_session_that_ends_is_said_so(page: Page) -> None:
    """A user who signs in again returns to the same page."""
    await sign_in(page)
    await open_page(page, "usage")
    await page.context.clear_cookies()
    await page.get_by_label("Last").select_option("7 days")
    alert = page.get_by_role("alert").first
    await expect(alert).to_have_text("Your session has ended; sign in again.")
    await page.get_by_label("Key", exact=True).fill(KEY)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    await expect(page.locator("main section.panel").first).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(alert).to_be_hidden()


async def test_the_status_comes_back_after_an_error_of_a_reverse_proxy(page: Page) -> None:
    """A browser does not repeat a request on its own that a reverse proxy has answered with an
    error."""
    await sign_in(page)
    await page.route("**/console/api/events", lambda route: route.fulfill(status=502))
    await page.reload()
    live = page.get_by_role("status").first
    await expect(live).to_have_text("Connection lost; trying again")
    await page.unroute("**/console/api/events")
    await expect(live).to_have_text("Live")
    await page.route("**/console/api/events", lambda route: route.fulfill(status=502))
    await page.reload()
    await expect(live).to_have_text("Connection lost; trying again")
    await page.context.clear_cookies()
    await expect(page.get_by_role("alert").first).to_contain_text("session has ended")


async def test_models_nobody_asked_for_stand_behind_a_line(page: Page) -> None:
    names = ["asked", *(f"m{number}" for number in range(7)), "<b>x</b>", "نموذج-7b"]
    models = [
        {"name": name, "streams": 0, "waiting": 0, "requests": int(name == "asked"), "failures": 0}
        for name in names
    ]
    told = {"name": "many", "state": "up", "healthy": True, "in_flight": 0, "limit": None}
    nodes = [{**told, "waiting": 0, "models": models, "models_left": 1200}]
    event = f"event: nodes\ndata: {json.dumps(nodes)}\n\n"
    await sign_in(page)
    await page.route(
        "**/console/api/events",
        lambda route: route.fulfill(content_type="text/event-stream", body=event),
    )
    await page.reload()
    node = page.get_by_role("article", name="Node many")
    await expect(node.locator("tbody tr")).to_have_count(1)
    await node.get_by_text("1,209 more models, not asked for yet").click()
    await expect(node.get_by_role("listitem")).to_have_text([*names[1:], "and 1,200 more"])


async def test_replies_stream_in_the_playground_from_every_surface(page: Page) -> None:
    await sign_in(page)
    await open_page(page, "playground")
    await expect(page.get_by_label("Deployment")).to_have_value("desk")
    await page.get_by_label("Your text").fill("hello <b>there</b>")
    for surface in SURFACES:
        await page.get_by_label("Surface").select_option(surface)
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator(".answer .badge")).to_have_text("complete")
        assert "You said: hello <b>there</b>" in await page.locator("#reply").inner_text()
        assert await page.locator("#events li").count() > 3
        names = await page.locator(".answer dt").all_inner_texts()
        values = await page.locator(".answer dd").all_inner_texts()
        shown = {name for name, value in zip(names, values, strict=True) if value != "–"}
        assert {"First token", "Whole reply", "Tokens in", "Tokens out"} <= shown


async def test_a_file_is_sent_and_a_refusal_is_shown(page: Page, node: Simulator) -> None:
    await sign_in(page)
    await open_page(page, "playground")
    await expect(page.get_by_label("Model")).to_have_value("sim")
    await page.get_by_text("System text, file, limits").click()
    await choose_file(page, "dot.png", "image/png")
    await expect(page.get_by_role("img", name="Preview of dot.png")).to_be_attached()
    await send(page, "complete")
    parts = json.loads(last_asked(node).body)["contents"][0]["parts"]
    assert parts[0] == {"inlineData": {"mimeType": "image/png", "data": FILE_DATA}}
    await page.get_by_label("Model").fill("no-such")
    await send(page, "failed")
    await expect(page.locator(".answer .fault")).to_contain_text("no-such")


@pytest.mark.parametrize(
    ("surface", "name", "kind", "part"),
    [
        ("gemini", "a.ogg", "audio/ogg", {"inlineData": {"mimeType": "audio/ogg", "data": "DATA"}}),
        (
            "anthropic", "a.pdf", "application/pdf",
            {"type": "document",
             "source": {"type": "base64", "media_type": "application/pdf", "data": "DATA"}},
        ),
        ("anthropic", "a.wav", "audio/wav", "takes images and PDF, not audio/wav"),
        (
            "openai", "a.wav", "audio/wav",
            {"type": "input_audio", "input_audio": {"data": "DATA", "format": "wav"}},
        ),
        (
            "openai", "a.pdf", "application/pdf",
            {"type": "file",
             "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,DATA"}},
        ),
        ("openai", "a.flac", "audio/flac", "takes WAV and MP3"),
        ("responses", "a.wav", "audio/wav", "takes no audio"),
    ],
)  # fmt: skip
async def test_what_becomes_of_other_files(
    shown: Page, surface: str, name: str, kind: str, part: Any
) -> None:
    """The test is about the request that the page would send, not about the nodes that accept
    it."""
    outcome = await shown.evaluate(
        """async ([surface, file]) => {
            const { makeRequest } = await import("/console/surfaces.js");
            try {
                return makeRequest({surface, base: "", model: "m", text: "t", file}).body;
            } catch (error) { return error.message; }
        }""",
        [surface, {"name": name, "type": kind, "data": "DATA"}],
    )
    if isinstance(part, str):
        assert part in outcome
    else:
        assert json.dumps(part, separators=(",", ":")) in json.dumps(outcome, separators=(",", ":"))


async def test_what_the_playground_writes_as_code_runs(
    page: Page, gateway: Gateway, node: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code runs against the proxy. Only Python's is run with a file, since its libraries take
    long to import."""
    monkeypatch.setenv("CASEDESK_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it's a dot.png").write_bytes(FILE)
    (tmp_path / "node_modules").symlink_to(AXE.parent.parent)
    await sign_in(page)
    await open_page(page, "playground")
    await expect(page.get_by_label("Model")).to_have_value("sim")
    await page.get_by_label("Model").fill("sim-fast")
    await page.get_by_label("Your text").fill("it's 5 o'clock")
    await page.get_by_text("System text, file, limits").click()
    scripts: list[Path] = []
    for has_file in (False, True):
        if has_file:
            await choose_file(page, "it's a dot.png", "image/png")
        for surface in SURFACES:
            await page.get_by_label("Surface").select_option(surface)
            shell, python, script = [
                await read_code(page, language) for language in ("curl", "Python", "Node.js")
            ]
            out = await run("bash", "-c", shell)
            assert out.startswith(("data: {", "event: ")), (surface, out[:300])
            assert "o'clock" in out
            if has_file:
                assert "it's 5 o'clock" in await asyncio.to_thread(run_python, python)
            posted = [one for one in node.requests if one.method == "POST"]
            for one in posted[-1 - has_file :]:
                assert (FILE_DATA in one.body.decode()) == has_file
            scripts.append(tmp_path / f"{surface}-{has_file}.mjs")
            scripts[-1].write_text(script)
    out = await run(str(NODE), "-e", IMPORT_ALL, *map(str, scripts))
    assert out.count("it's 5 o'clock") == len(scripts), out


async def read_code(page: Page, language: str) -> str:
    await page.get_by_text(language, exact=True).click()
    return await page.locator("#code").inner_text()


async def run(*command: str) -> str:
    running = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await running.communicate()
    return out.decode()


def run_python(code: str) -> str:
    """Run the code in this process, as importing the libraries takes longer than an answer."""
    with redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "playground", "exec"), {})
    return out.getvalue()


async def test_a_stream_cancelled_in_the_table_ends_at_its_node(
    page: Page, node: Simulator
) -> None:
    await sign_in(page)
    await begin_stream(page)
    row = page.get_by_role("row").filter(has=page.get_by_role("button", name="Cancel stream"))
    await expect(row).to_contain_text("sim-long")
    received = last_asked(node)
    assert not received.closed.done()
    await hold_timers(page)
    await row.get_by_role("button", name="Cancel stream").click()
    await expect(row.get_by_role("button")).to_have_text("Cancel it?")
    assert not received.closed.done()
    await row.get_by_role("button", name="Cancel stream").click()
    await received.closed
    await expect(row).to_have_count(0)


async def test_a_stream_is_found_among_others(page: Page) -> None:
    await sign_in(page)
    await begin_stream(page)
    await begin_stream(page)
    rows = page.locator("#streams tbody tr")
    await expect(rows).to_have_count(2)
    ident = await rows.first.get_by_role("button").get_attribute("title")
    await page.get_by_label("Find streams").fill(f"sim-long {ident}")
    await expect(rows).to_have_count(1)
    await expect(page.get_by_text("1, of 2 streams")).to_be_visible()
    await page.get_by_label("Find streams").fill("nobody has this")
    await expect(page.get_by_text("No stream has these words.")).to_be_visible()
    await page.get_by_label("Find streams").fill("")
    await expect(rows).to_have_count(2)
    first = await rows.first.get_attribute("data-key")
    await page.get_by_label("Order of streams").select_option("Oldest first")
    await expect(rows.first).not_to_have_attribute("data-key", str(first))
    for row in [await one.get_attribute("data-key") for one in await rows.all()]:
        await press_twice(page, page.locator(f"[data-key='{row}'] button"))
    await expect(rows).to_have_count(0)


async def test_a_key_made_there_opens_its_deployment(page: Page, gateway: Gateway) -> None:
    await sign_in(page)
    await open_page(page, "keys")
    await page.get_by_label("Name").fill("laptop")
    await page.get_by_label("desk", exact=True).check()
    await page.get_by_text("Limits", exact=True).last.click()
    await page.get_by_label("Tokens a day").fill("100000")
    await page.get_by_role("button", name="Create the key").click()
    key = await page.locator("#secret").inner_text()
    await page.get_by_role("button", name="I have copied it").click()
    await expect(page.locator("#secret")).to_have_count(0)
    row = page.get_by_role("row").filter(has_text="laptop")
    await expect(row).to_contain_text("tokens a day: 100,000")
    assert key not in await page.content()
    assert gateway.serving.snapshot.find_principal(key) is not None
    http = {"base_url": f"{gateway.urls[0]}/proxy/desk/gemini"}
    client = genai.Client(api_key=key, http_options=http)  # type: ignore[arg-type]
    told = await asyncio.to_thread(client.models.generate_content, model="sim-fast", contents="hi")
    client.close()
    assert told.text
    await row.get_by_role("button", name="Change").click()
    change = page.locator("#changing")
    await expect(change.get_by_label("Tokens a day")).to_have_value("100000")
    await change.get_by_label("Tokens a day").fill("")
    await change.get_by_label("Requests at once").fill("3")
    await change.get_by_role("button", name="Save").click()
    await expect(row).to_contain_text("requests at once: 3")
    await expect(row).not_to_contain_text("tokens a day")
    await press_twice(page, row.get_by_role("button", name="Revoke"))
    await expect(row).to_have_count(0)


@pytest.mark.parametrize("secure", [True, False])
async def test_code_is_copied_with_https_and_without(page: Page, secure: bool) -> None:
    await sign_in(page)
    await open_page(page, "playground")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    if not secure:
        missing = "{value: undefined, configurable: true}"
        await page.evaluate(f"Object.defineProperty(navigator, 'clipboard', {missing})")
    await hold_timers(page)
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_focused()
    await page.evaluate("delete navigator.clipboard")
    text = await page.evaluate("navigator.clipboard.readText()")
    assert text == await page.locator("#code").inner_text()
    await page.evaluate("navigator.clipboard.writeText('')")


async def test_a_key_that_cannot_be_made_says_why(page: Page) -> None:
    await sign_in(page)
    await open_page(page, "keys")
    await page.get_by_label("Name").fill("anna")
    await page.get_by_role("button", name="Create the key").click()
    await expect(page.locator("form .fault")).to_contain_text(
        "the configuration has a key of this name"
    )


@pytest.mark.parametrize(
    ("size", "scheme", "other", "width", "height"),
    [("wide", "light", "dark", 1280, 860), ("phone", "dark", "light", 390, 844)],
)
async def test_no_serious_fault_and_nothing_wider_than_the_screen(
    page: Page, size: str, scheme: Any, other: Any, width: int, height: int, tmp_path: Path
) -> None:
    """Both colour schemes are checked; they differ only in colours. ``make pictures`` uses this
    test to take the documentation's pictures."""
    pictures = Path(os.environ.get("CASEDESK_PICTURES", tmp_path))
    await page.set_viewport_size({"width": width, "height": height})
    faults: dict[str, list[str]] = {}

    async def look(name: str) -> None:
        await page.emulate_media(color_scheme=other, reduced_motion="reduce")
        faults[f"{name}, {other}"] = await find_faults(page, only="color-contrast")
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        faults[f"{name}, {scheme}"] = await find_faults(page)
        inner = await page.evaluate("document.documentElement.scrollWidth")
        assert inner <= width, f"{name} is wider than the screen"
        await page.screenshot(path=pictures / f"{name}-{size}.png")

    await look("sign-in")
    await sign_in(page)
    await begin_stream(page)
    await expect(page.locator("#streams tbody tr")).to_have_count(1)
    links = page.get_by_role("navigation").get_by_role("link")
    for link in await links.all():
        box = await link.bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width
    for name in PAGES:
        await open_page(page, name)
        await page.evaluate("scrollTo(0, 0)")
        if name == "playground":
            await page.get_by_role("button", name="Send").click()
            await expect(page.locator(".answer .badge")).to_have_text("complete")
        await look(name)
    assert {name: found for name, found in faults.items() if found} == {}


async def test_an_operation_is_tried_out_in_swagger_ui(page: Page) -> None:
    """The session's cookie is the only credential."""
    await sign_in(page)
    await page.goto("/swagger-ui?urls.primaryName=OpenAI API, chat and Responses")
    operation = page.locator(".opblock").filter(has=page.locator('[data-path="/v1/models"]'))
    await operation.first.locator(".opblock-summary-control").click()
    await operation.first.get_by_role("button", name="Execute").click()
    live = operation.first.locator(".live-responses-table .response-col_status").last
    await expect(live).to_contain_text("200")
    await expect(operation.first.locator(".live-responses-table")).to_contain_text("sim-fast")
    assert await find_faults(page) == []
    await page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert await find_faults(page, only="color-contrast") == []
    await page.get_by_role("link", name="Console").click()
    await expect(page.get_by_role("heading", name="Nodes")).to_be_visible()


async def test_everything_by_keyboard(page: Page) -> None:
    await expect(page.get_by_label("Key", exact=True)).to_be_focused()
    await page.keyboard.type(KEY)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").first).to_have_text("Live")
    await begin_stream(page)
    await page.keyboard.press("Tab")
    button = page.get_by_role("button", name="Cancel stream").first
    await button.focus()
    await hold_timers(page)
    await page.keyboard.press("Enter")
    await expect(button).to_have_text("Cancel it?")
    await page.keyboard.press("Tab")
    await expect(button).to_have_text("Cancel")


async def test_no_request_leaves_the_machine(browser: Browser, folder: Path) -> None:
    """This is the last test, since the log is complete only when the browser has been closed."""
    await browser.close()
    found = read_addresses(folder)
    assert found
    assert [one for one in sorted(found) if not one.startswith("127.0.0.1:")] == []
