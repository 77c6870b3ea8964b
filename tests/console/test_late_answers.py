"""The pages when answers come late: after later ones, after another page was opened, after the end
of the session, or not at all."""

from __future__ import annotations

import itertools

import pytest
from playwright.async_api import Page, expect

from tests.console.visits import (
    HeldAnswer,
    begin_stream,
    hold_timers,
    open_page,
    press_twice,
    sign_in,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]


async def create_key(page: Page, name: str) -> None:
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("desk", exact=True).check()
    await page.get_by_role("button", name="Create the key").click()
    await page.get_by_role("button", name="I have copied it").click()


async def test_the_answer_to_an_earlier_choice_does_not_take_the_later_one_s_place(
    page: Page,
) -> None:
    usage = {
        days: {"time_zone": "UTC", "days": [{"day": "2026-01-05", "key": "", "model": f"{days} d"}]}
        for days in (90, 7)
    }
    await sign_in(page)
    await open_page(page, "usage")
    late = await HeldAnswer(page, "usage?days=90", json=usage[90]).begin()
    await page.route("**/usage?days=7", lambda route: route.fulfill(json=usage[7]))
    await page.get_by_label("Last").select_option("90 days")
    await late.made.wait()
    await page.get_by_label("Last").select_option("7 days")
    models = page.locator("[data-label=Model]")
    await expect(models).to_have_text(["7 d"])
    await late.release()
    assert await models.all_inner_texts() == ["7 d"]


async def test_an_earlier_list_of_keys_does_not_take_the_later_one_s_place(page: Page) -> None:
    await sign_in(page)
    await open_page(page, "keys")
    await create_key(page, "early")
    row = page.get_by_role("row").filter(has_text="early")
    await expect(row).to_have_count(1)
    late = await HeldAnswer(page, "keys").begin()
    await create_key(page, "late")
    await late.made.wait()
    await press_twice(page, row.get_by_role("button", name="Revoke"))
    await expect(row).to_have_count(0)
    await late.release()
    assert await row.count() == 0
    await press_twice(page, page.get_by_role("button", name="Revoke key late"))
    await expect(page.get_by_text("No keys in the state file yet")).to_be_visible()


async def test_a_change_saved_late_does_not_close_the_next_one(page: Page) -> None:
    await sign_in(page)
    await open_page(page, "keys")
    for name in ("one", "two"):
        await create_key(page, name)
    late = await HeldAnswer(page, "keys/one", "PATCH").begin()
    change = page.locator("#changing")
    await page.get_by_role("button", name="Change key one").click()
    await change.get_by_label("Note").fill("first")
    await change.get_by_role("button", name="Save").click()
    await late.made.wait()
    await page.get_by_role("button", name="Change key two").click()
    await change.get_by_label("Note").fill("second")
    await late.release()
    assert await change.get_by_label("Note").input_value() == "second"
    await change.get_by_role("button", name="Save").click()
    # Whoever uses the keyboard goes on where the change began.
    await expect(page.get_by_role("button", name="Change key two")).to_be_focused()
    for name in ("one", "two"):
        await press_twice(page, page.get_by_role("button", name=f"Revoke key {name}"))
    await expect(page.get_by_text("No keys in the state file yet")).to_be_visible()


async def test_a_key_is_created_once(page: Page) -> None:
    await sign_in(page)
    await open_page(page, "keys")
    late = await HeldAnswer(page, "keys", "POST").begin()
    await page.get_by_label("Name").fill("once")
    create = page.get_by_role("button", name="Create the key")
    await create.click()
    await create.click()
    await late.made.wait()
    await late.release()
    await expect(page.locator("#secret")).to_have_count(1)
    assert await page.locator("form .fault").inner_text() == ""
    await press_twice(page, page.get_by_role("button", name="Revoke key once"))
    await expect(page.get_by_text("No keys in the state file yet")).to_be_visible()


@pytest.mark.parametrize("status", [401, 500])
async def test_a_page_that_was_left_is_answered(page: Page, status: int) -> None:
    """Neither what it says nor the end of an earlier session disturbs the page of now."""
    await sign_in(page)
    late = await HeldAnswer(page, "usage?days=30", status=status, json={}).begin()
    await page.get_by_role("link", name="Usage", exact=True).click()
    await late.made.wait()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.evaluate("location.hash = 'status'")
    await sign_in(page)
    await open_page(page, "playground")
    await page.get_by_label("Your text").fill("half a sentence")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await late.release()
    await open_page(page, "playground")
    assert await page.get_by_label("Your text").input_value() == "half a sentence"
    await expect(page.locator("#notice")).to_be_hidden()
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".answer .badge")).to_have_text("complete")
    assert [one for one in asked if "/console/api/" in one] == []


async def test_who_signs_out_hears_of_no_end_of_the_session(page: Page) -> None:
    """Even if the page learns from the events that the session is over, before it has an answer."""
    await sign_in(page)
    late = await HeldAnswer(page, "session", "DELETE").begin()
    await page.get_by_role("button", name="Sign out").click()
    await late.made.wait()
    # As what hears the events does.
    await page.evaluate("dispatchEvent(new Event('signed-out'))")
    await late.release()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(page.locator("#fault")).to_have_text("")


async def test_a_proxy_that_does_not_answer_is_asked_again(page: Page) -> None:
    await page.route("**/console/api/session", lambda route: route.abort())
    await page.reload()
    await expect(page.get_by_role("alert").first).to_contain_text("The proxy does not answer.")
    await page.unroute("**/console/api/session")
    await page.get_by_role("button", name="Try again").click()
    await sign_in(page)
    await page.route("**/console/api/session", lambda route: route.abort())
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("alert").first).to_contain_text("The proxy does not answer.")


async def test_what_is_typed_before_the_first_answer_stays(page: Page) -> None:
    await sign_in(page)
    late = await HeldAnswer(page, "deployments").begin()
    await page.get_by_role("link", name="Playground", exact=True).click()
    await late.made.wait()
    await page.get_by_label("Model").fill("sim-fast")
    await expect(page.get_by_role("button", name="Send")).to_be_disabled()
    await page.get_by_label("Your text").press("Control+Enter")
    await late.release()
    assert await page.get_by_label("Model").input_value() == "sim-fast"
    assert await page.locator(".answer .badge").inner_text() == ""
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".answer .badge")).to_have_text("complete")


async def test_a_search_is_answered_after_other_words_were_typed(page: Page) -> None:
    await sign_in(page)
    await begin_stream(page)
    await begin_stream(page)
    rows = page.locator("#streams tbody tr")
    await expect(rows).to_have_count(2)
    late = await HeldAnswer(page, "streams?*", json={"rows": [], "found": 0, "total": 2}).begin()
    await page.get_by_label("Find streams").fill("other")
    await late.made.wait()
    await hold_timers(page)
    await page.get_by_label("Find streams").fill("sim-long")
    await late.release()
    assert await rows.count() == 2


async def test_a_button_keeps_the_focus_while_rows_around_it_come_and_go(page: Page) -> None:
    await sign_in(page)
    await begin_stream(page)
    rows = page.locator("#streams tbody tr")
    await expect(rows).to_have_count(1)
    await begin_stream(page)
    await expect(rows).to_have_count(2)
    button, other = rows.last.get_by_role("button"), rows.first.get_by_role("button")
    ident = await other.get_attribute("title")
    await hold_timers(page)
    await button.click()
    await page.evaluate(
        "(id) => fetch(`/console/api/streams/${id}/cancel`, {method: 'POST'})", ident
    )
    await expect(rows).to_have_count(1)
    await expect(rows.get_by_role("button")).to_have_text("Cancel it?")
    await expect(rows.get_by_role("button")).to_be_focused()


async def test_a_row_with_the_focus_keeps_it_in_every_order(page: Page) -> None:
    orders = ["".join(one) for size in (3, 4) for one in itertools.permutations("abcd", size)]
    wrong = await page.evaluate(
        """async (orders) => {
            const { h, keep } = await import("/console/dom.js");
            const body = document.body.appendChild(h("ul"));
            const make = (name) => h("li", {}, h("button", {}, name));
            const show = (order) => keep(body, [...order], (name) => name, make, () => {});
            const wrong = [];
            for (const order of orders) for (const name of "abcd") {
                show("abcd");
                body.querySelector(`[data-key=${name}] button`).focus();
                show(order);
                const stays = !order.includes(name) || document.activeElement.textContent === name;
                if (body.textContent !== order || !stays) wrong.push([order, name]);
            }
            return wrong;
        }""",
        orders,
    )
    assert wrong == []
