"""The root page: what there is, and buttons that do what the controls do, pressed by nobody's page but its own."""

import re

import pytest

from tests.sandbox.sandbox_running import Running


async def read(sandbox: Running) -> str:
    async with sandbox.http.get(sandbox.url) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/html"
        return await answer.text()


def token_of(text: str) -> str:
    return re.search(r'name="token" value="([^"]+)"', text)[1]


async def press(sandbox: Running, action: str, object_id: str, token: str | None = None) -> int:
    fields = {"action": action, "id": object_id, "token": token_of(await read(sandbox)) if token is None else token}
    async with sandbox.http.post(sandbox.url, data=fields, allow_redirects=False) as answer:
        await answer.text()
        return answer.status


def rows_of(text: str, title: str) -> list[str]:
    section = text.partition(f"<h2>{title}")[2].partition("</section>")[0]
    return re.findall(r"<tr>.*?</tr>", section, re.DOTALL)


async def test_an_empty_sandbox_says_what_to_do(sandbox: Running) -> None:
    text = await read(sandbox)
    assert "create a checkout session, open its page here and pay with 4242 4242 4242 4242" in text
    assert text.count("None yet.") == 4
    assert sandbox.received.url in text


@pytest.mark.parametrize("token", ["", "x", "é"])
async def test_a_button_of_another_page_does_nothing(sandbox: Running, token: str) -> None:
    session = await sandbox.session()
    assert await press(sandbox, "expire", session.id, token) == 403
    assert (await sandbox.stripe.v1.checkout.sessions.retrieve_async(session.id)).status == "open"


async def test_a_button_that_is_none_is_refused(sandbox: Running) -> None:
    session = await sandbox.session()
    assert await press(sandbox, "open_safe", session.id) == 400
    assert await press(sandbox, "expire", "cs_none") == 404
    assert await press(sandbox, "refunded", session.id) == 404


async def test_sessions_are_opened_and_expired(sandbox: Running) -> None:
    first, second = await sandbox.session(), await sandbox.session()
    rows = rows_of(await read(sandbox), "Checkout sessions")
    assert [second.id in rows[0], first.id in rows[1]] == [True, True]
    assert f'href="/c/pay/{first.id}"' in rows[1]
    assert await press(sandbox, "expire", first.id) == 303
    expired = rows_of(await read(sandbox), "Checkout sessions")[1]
    assert "expired, unpaid" in expired
    assert "/c/pay/" not in expired


@pytest.mark.parametrize(("action", "status"), [("arrives", "succeeded"), ("fails", "requires_payment_method")])
async def test_delayed_money_arrives_or_fails(sandbox: Running, action: str, status: str) -> None:
    session = await sandbox.session()
    await sandbox.pay(session.id, method="debit", course="arrives")
    (row,) = rows_of(await read(sandbox), "Payments")
    assert "processing" in row
    intent = re.search(r"pi_\w+", row)[0]
    assert await press(sandbox, action, intent) == 303
    (row,) = rows_of(await read(sandbox), "Payments")
    assert status in row
    assert "<form" not in row
    assert await press(sandbox, action, intent) == 400


async def test_refunds_are_settled_and_events_sent_again(sandbox: Running) -> None:
    session = await sandbox.session()
    await sandbox.pay(session.id, number="4000000000007726")
    paid = await sandbox.stripe.v1.checkout.sessions.retrieve_async(session.id)
    refund = await sandbox.stripe.v1.refunds.create_async({"payment_intent": str(paid.payment_intent)})
    (row,) = rows_of(await read(sandbox), "Refunds")
    assert ("pending" in row, row.count("<form")) == (True, 2)
    assert await press(sandbox, "refunded", refund.id) == 303
    (row,) = rows_of(await read(sandbox), "Refunds")
    assert ("succeeded" in row, "<form" in row) == (True, False)

    await sandbox.control("webhooks/drain")
    event = next(event for event in sandbox.received.events if event["type"] == "checkout.session.completed")
    row = next(row for row in rows_of(await read(sandbox), "Events") if event["id"] in row)
    assert "answered 200 at try 1" in row
    before = len(sandbox.received.bodies)
    assert await press(sandbox, "send", event["id"]) == 303
    await sandbox.control("webhooks/drain")
    assert [each["id"] for each in sandbox.received.events[before:]] == [event["id"]]


async def test_many_are_counted_and_the_newest_shown(sandbox: Running) -> None:
    for _ in range(52):
        last = await sandbox.session()
    text = await read(sandbox)
    assert "<h2>Checkout sessions <small>50 of 52</small></h2>" in text
    rows = rows_of(text, "Checkout sessions")
    assert (len(rows), last.id in rows[0]) == (50, True)


async def test_what_callers_named_is_text(sandbox: Running) -> None:
    product = {"currency": "usd", "unit_amount": 1000, "product_data": {"name": "<script>alert(1)</script>"}}
    await sandbox.session(line_items=[{"price_data": product, "quantity": 1}])
    text = await read(sandbox)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


@pytest.mark.parametrize(
    ("delay_s", "words"),
    [(None, "settles when you say so"), (3.0, "settles after 3 s"), (0.0, "settles at once")],
)
async def test_the_card_whose_refund_pends_says_when_it_settles(start, delay_s: float | None, words: str) -> None:
    sandbox = await start(settlement_delay_s=delay_s)
    session = await sandbox.session()
    async with sandbox.http.get(session.url) as answer:
        text = await answer.text()
    assert f"Pays, refund {words}" in text
    assert "Any future expiry date, security code, e-mail address and name will do." in text


@pytest.mark.parametrize(
    ("fields", "words"), [({}, "are paid"), ({"method": "debit", "course": "arrives"}, "takes some business days")]
)
async def test_the_landing_page_says_what_was_paid(sandbox: Running, fields: dict[str, str], words: str) -> None:
    session = await sandbox.session()
    await sandbox.pay(session.id, **fields)
    async with sandbox.http.get(f"{sandbox.url}/_sandbox/success", params={"session_id": session.id}) as answer:
        text = await answer.text()
    assert "$10.00 for " in text
    assert words in text
