"""A person at the checkout page, played by a real browser."""

import os
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.sandbox.sandbox_running import Running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
SCREENSHOTS = os.environ.get("SANDBOX_SCREENSHOTS", "")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine (looked for chromium, chromium-browser, google-chrome)"
)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    page = await browser.new_page(viewport={"width": 1200, "height": 860})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console", lambda message: problems.append(message.text) if "Content Security Policy" in message.text else None
    )
    yield page
    assert problems == []


async def photograph(page: Page, name: str) -> None:
    if SCREENSHOTS:
        await page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)


async def fill(page: Page, number: str) -> None:
    await page.get_by_label("Card number").fill("")
    await page.get_by_label("Card number").press_sequentially(number)
    await page.get_by_label("Expiry").fill("")
    await page.get_by_label("Expiry").press_sequentially("1240")
    await page.get_by_label("Security code").fill("123")
    await page.get_by_label("Name on card").fill("Jenny Rosen")


async def open_checkout(sandbox: Running, page: Page, **more: Any) -> str:
    urls = {
        "success_url": f"{sandbox.url}/_sandbox/success?sid={{CHECKOUT_SESSION_ID}}",
        "cancel_url": f"{sandbox.url}/_sandbox/cancel",
    }
    session = await sandbox.session(amount=4500, **urls, **more)
    assert session.url is not None
    await page.goto(session.url)
    return session.id


async def test_declined_then_paid(sandbox: Running, page: Page) -> None:
    session_id = await open_checkout(sandbox, page)
    await photograph(page, "checkout")
    await expect(page.get_by_text("buyer@example.com")).to_be_visible()
    await page.get_by_role("button", name="Pay $45.00").click()
    await expect(page.locator("#number-error")).to_have_text("Enter the card number.")
    await expect(page.get_by_label("Card number")).to_be_focused()
    await fill(page, "4000000000000002")
    await expect(page.get_by_label("Card number")).to_have_value("4000 0000 0000 0002")
    await expect(page.get_by_label("Expiry")).to_have_value("12 / 40")
    await page.get_by_role("button", name="Pay $45.00").click()
    await expect(page.get_by_role("alert")).to_contain_text("Your card was declined.")
    await photograph(page, "declined")
    await fill(page, "4242424242424242")
    await page.get_by_role("button", name="Pay $45.00").click()
    await expect(page).to_have_url(f"{sandbox.url}/_sandbox/success?sid={session_id}")
    await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    await photograph(page, "success")
    await sandbox.drained()
    assert "checkout.session.completed" in sandbox.received.types


async def test_3d_secure_failed_then_completed(sandbox: Running, page: Page) -> None:
    await open_checkout(sandbox, page)
    await fill(page, "4000002760003184")
    await page.get_by_role("button", name="Pay").click()
    await photograph(page, "authenticate")
    await page.get_by_role("button", name="Fail").click()
    await expect(page.get_by_role("alert")).to_contain_text("unable to authenticate")
    await page.get_by_text("Test cards").click()
    await photograph(page, "test-cards")
    await page.get_by_role("button", name="4000 0025 0000 3155").click()
    await page.get_by_role("button", name="Pay $45.00").click()
    await page.get_by_role("button", name="Complete").click()
    await expect(page).to_have_url(re.compile("/_sandbox/success"))


async def test_bank_debit_expiry_and_cancel(sandbox: Running, page: Page) -> None:
    session_id = await open_checkout(sandbox, page)
    await page.get_by_label("Bank debit").check()
    await expect(page.get_by_label("Card number")).to_be_hidden()
    await photograph(page, "debit")
    await page.get_by_role("button", name="Pay $45.00").click()
    await expect(page).to_have_url(f"{sandbox.url}/_sandbox/success?sid={session_id}")
    expired = await open_checkout(sandbox, page, allowed_payment_method_types=["card"])
    await page.get_by_role("link", name="Cancel and go back").click()
    await expect(page.get_by_role("heading", name="Nothing was charged")).to_be_visible()
    await sandbox.control(f"sessions/{expired}/expire")
    await page.goto(f"{sandbox.url}/c/pay/{expired}")
    await expect(page.get_by_role("heading", name="This checkout has expired")).to_be_visible()
    await photograph(page, "expired")


async def test_narrow_screen_and_unknown_customer(sandbox: Running, browser: Browser) -> None:
    page = await browser.new_page(viewport={"width": 390, "height": 844}, java_script_enabled=False)
    customer = await sandbox.stripe.v1.customers.create_async({})
    await open_checkout(sandbox, page, customer=customer.id)
    await photograph(page, "narrow")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await page.get_by_label("Email").fill("new@example.com")
    await page.get_by_label("Card number").fill("5555555555554444")
    await page.get_by_label("Expiry").fill("12/40")
    await page.get_by_label("Security code").fill("123")
    await page.get_by_label("Name on card").fill("Jenny Rosen")
    await page.get_by_role("button", name="Pay $45.00").click()
    await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    await page.close()
