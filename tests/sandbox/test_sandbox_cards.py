"""Each test card on the checkout page, 3-D Secure, debits that settle later, refunds that don't go smoothly."""

from typing import Any

import pytest
import stripe

from tests.sandbox.sandbox_running import CANCEL, Running

DECLINES = [
    ("4000000000000002", "Your card was declined.", "card_declined", "generic_decline"),
    ("4000000000009995", "Your card has insufficient funds.", "card_declined", "insufficient_funds"),
    ("4000000000000069", "Your card has expired.", "expired_card", None),
    ("4000000000000127", "security code is incorrect", "incorrect_cvc", None),
    ("4000000000000119", "An error occurred while processing", "processing_error", None),
    ("4111111111111111", "used a non test (live) card", "card_declined", "test_mode_live_card"),
]


def escaped(text: str) -> str:
    return text.replace("'", "&#x27;")


@pytest.mark.parametrize(("number", "words", "code", "decline_code"), DECLINES)
async def test_declined_card_leaves_the_session_open_and_another_pays(
    sandbox: Running, number: str, words: str, code: str, decline_code: str | None
) -> None:
    session = await sandbox.session()
    status, _, text = await sandbox.pay(session.id, number)
    assert status == 402
    assert escaped(words) in text
    after: Any = await sandbox.stripe.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["payment_intent"]})
    assert (after.status, after.payment_status, after.payment_intent.status) == (
        "open",
        "unpaid",
        "requires_payment_method",
    )
    error = after.payment_intent.last_payment_error.to_dict()
    assert (error["code"], error.get("decline_code")) == (code, decline_code)
    assert (await sandbox.pay(session.id))[0] == 303
    paid: Any = await sandbox.stripe.v1.checkout.sessions.retrieve_async(session.id)
    assert (paid.payment_status, paid.payment_intent) == ("paid", after.payment_intent.id)
    types = [
        event.type
        for event in await sandbox.events(
            "charge.failed", "payment_intent.payment_failed", "checkout.session.completed"
        )
    ]
    assert types == ["charge.failed", "payment_intent.payment_failed", "checkout.session.completed"]


@pytest.mark.parametrize("number", ["4242 4242 4242 4242", "5555555555554444", "378282246310005"])
async def test_card_that_pays_once_however_often_the_button_is_pressed(sandbox: Running, number: str) -> None:
    session = await sandbox.session()
    cvc = "1234" if number.startswith("37") else "123"
    answers = [await sandbox.pay(session.id, number, cvc=cvc) for _ in range(3)]
    assert [(status, location) for status, location, _ in answers] == [
        (303, f"https://shop.example/ok?sid={session.id}")
    ] * 3
    assert len((await sandbox.stripe.v1.charges.list_async()).data) == 1


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("number", "", "Enter the card number."),
        ("number", "4242", "incomplete"),
        ("number", "4242424242424241", "not valid"),
        ("expiry", "", "MM / YY"),
        ("expiry", "13/40", "01 to 12"),
        ("expiry", "01/20", "in the past"),
        ("expiry", "01/2099", "not valid"),
        ("cvc", "", "Enter the security code."),
        ("cvc", "12", "incomplete"),
        ("name", " ", "Enter the name on the card."),
    ],
)
async def test_form_error_stands_at_its_field_and_nothing_is_tried(
    sandbox: Running, field: str, typed: str, words: str
) -> None:
    session = await sandbox.session()
    status, _, text = await sandbox.pay(session.id, **{field: typed})
    assert status == 422
    after_field = text[text.index(f'id="{field}-error"') :]
    assert words in after_field[: after_field.index("</p>")]
    assert (await sandbox.events("payment_intent.created")) == []


async def test_what_is_typed_or_named_is_never_markup(sandbox: Running) -> None:
    item = {
        "price_data": {"currency": "usd", "unit_amount": 999, "product_data": {"name": "<script>x</script>"}},
        "quantity": 1,
    }
    session = await sandbox.session(line_items=[item])
    _, _, text = await sandbox.pay(session.id, "1", name='"><script>y</script>')
    assert "<script>x" not in text
    assert "<script>y" not in text


@pytest.mark.parametrize("number", ["4000002760003184", "4000002500003155"])
async def test_3d_secure_completed(sandbox: Running, number: str) -> None:
    session = await sandbox.session()
    status, location, _ = await sandbox.pay(session.id, number)
    assert (status, location.startswith("/_sandbox/authenticate/pi_")) == (303, True)
    waiting: Any = await sandbox.stripe.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["payment_intent"]})
    assert (waiting.status, waiting.payment_intent.status) == ("open", "requires_action")
    for _ in range(2):  # the second click changes nothing
        assert await sandbox.answer_3ds(location, "complete") == (303, f"https://shop.example/ok?sid={session.id}")
    assert len(await sandbox.events("checkout.session.completed")) == 1
    assert len(await sandbox.events("charge.succeeded")) == 1


async def test_3d_secure_failed_then_another_card(sandbox: Running) -> None:
    session = await sandbox.session()
    _, location, _ = await sandbox.pay(session.id, "4000002760003184")
    assert (await sandbox.answer_3ds(location, "perhaps"))[0] == 400
    assert await sandbox.answer_3ds(location, "fail") == (303, f"/c/pay/{session.id}")
    async with sandbox.http.get(f"{sandbox.url}/c/pay/{session.id}") as page:
        assert "unable to authenticate" in await page.text()
    assert [event.type for event in await sandbox.events("payment_intent.payment_failed", "charge.failed")] == [
        "payment_intent.payment_failed"
    ]
    assert (await sandbox.pay(session.id))[0] == 303


async def test_3d_secure_left_for_another_card(sandbox: Running) -> None:
    session = await sandbox.session()
    _, location, _ = await sandbox.pay(session.id, "4000002760003184")
    assert (await sandbox.pay(session.id))[0] == 303
    assert (await sandbox.answer_3ds(location, "complete"))[0] == 303
    assert len(await sandbox.events("charge.succeeded")) == 1


async def test_3d_secure_completed_and_then_declined(sandbox: Running) -> None:
    session = await sandbox.session()
    _, location, _ = await sandbox.pay(session.id, "4000008260003178")
    assert await sandbox.answer_3ds(location, "complete") == (303, f"/c/pay/{session.id}")
    async with sandbox.http.get(f"{sandbox.url}/c/pay/{session.id}") as page:
        assert "insufficient funds" in await page.text()


@pytest.mark.parametrize(
    ("outcome", "payment_status", "event"),
    [
        ("succeeded", "paid", "checkout.session.async_payment_succeeded"),
        ("failed", "unpaid", "checkout.session.async_payment_failed"),
    ],
)
async def test_bank_debit_settles_by_control(sandbox: Running, outcome: str, payment_status: str, event: str) -> None:
    session = await sandbox.session()
    assert (await sandbox.pay(session.id, method="debit"))[0] == 303
    (completed,) = await sandbox.events("checkout.session.completed")
    assert (completed.data.object["payment_status"], completed.data.object["status"]) == ("unpaid", "complete")
    with pytest.raises(stripe.InvalidRequestError, match="successful charge"):
        await sandbox.stripe.v1.refunds.create_async({"payment_intent": completed.data.object["payment_intent"]})
    await sandbox.control(f"payments/{session.id}/settle", {"outcome": outcome})
    (settled,) = await sandbox.events(event)
    assert settled.data.object["payment_status"] == payment_status
    status, _, _ = await sandbox.call("GET", "/v1/events?limit=1")
    assert status == 200
    async with sandbox.http.post(
        f"{sandbox.url}/_sandbox/payments/{session.id}/settle", json={"outcome": "failed"}
    ) as again:
        assert again.status == 400


@pytest.mark.parametrize(
    ("course", "event"), [("arrives", "async_payment_succeeded"), ("fails", "async_payment_failed")]
)
async def test_bank_debit_settles_when_time_passes(start: Any, course: str, event: str) -> None:
    sandbox = await start(settlement_delay_s=3600.0)
    session = await sandbox.session()
    await sandbox.pay(session.id, method="debit", course=course)
    await sandbox.control("advance", {"seconds": 3599})
    assert await sandbox.events(f"checkout.session.{event}") == []
    await sandbox.control("advance", {"seconds": 2})
    assert len(await sandbox.events(f"checkout.session.{event}")) == 1


async def test_bank_debit_waits_where_the_sandbox_is_told_so(start: Any) -> None:
    sandbox = await start(settlement_delay_s=60.0)
    await sandbox.control("switches", {"settles": False})
    session = await sandbox.session()
    await sandbox.pay(session.id, method="debit")
    await sandbox.control("advance", {"seconds": 3600})
    assert await sandbox.events("checkout.session.async_payment_succeeded") == []
    await sandbox.control(f"payments/{session.id}/settle", {"outcome": "succeeded"})
    assert len(await sandbox.events("checkout.session.async_payment_succeeded")) == 1


async def test_bank_debit_is_not_offered_to_a_card_only_session(sandbox: Running) -> None:
    session = await sandbox.session(allowed_payment_method_types=["card"])
    assert session.payment_method_types == ["card"]
    status, _, text = await sandbox.pay(session.id, number="", method="debit")
    assert status == 422
    assert "Bank debit" not in text


@pytest.mark.parametrize("by", ["api", "control", "time"])
async def test_expired_session_takes_no_money(sandbox: Running, by: str) -> None:
    session = await sandbox.session()
    await sandbox.pay(session.id, "4000000000000002")
    if by == "api":
        await sandbox.stripe.v1.checkout.sessions.expire_async(session.id)
    elif by == "control":
        await sandbox.control(f"sessions/{session.id}/expire")
    else:
        await sandbox.control("advance", {"seconds": 24 * 3600 + 1})
    status, _, text = await sandbox.pay(session.id)
    assert (status, "expired" in text, CANCEL in text) == (410, True, True)
    types = [
        event.type
        for event in await sandbox.events("checkout.session.expired", "payment_intent.canceled", "charge.succeeded")
    ]
    assert types == ["payment_intent.canceled", "checkout.session.expired"]
    with pytest.raises(stripe.InvalidRequestError, match="status of `expired`"):
        await sandbox.stripe.v1.checkout.sessions.expire_async(session.id)


async def test_paid_session_cannot_be_expired_and_its_page_says_so(sandbox: Running) -> None:
    session = await sandbox.paid_session()
    with pytest.raises(stripe.InvalidRequestError, match="status of `complete`"):
        await sandbox.stripe.v1.checkout.sessions.expire_async(session.id)
    async with sandbox.http.get(f"{sandbox.url}/c/pay/{session.id}") as page:
        assert (page.status, "Already paid" in await page.text()) == (200, True)
    async with sandbox.http.get(f"{sandbox.url}/c/pay/cs_none") as page:
        assert page.status == 404


async def test_refunds_never_exceed_the_charge(sandbox: Running) -> None:
    session = await sandbox.paid_session()
    refunds = sandbox.stripe.v1.refunds
    intent = str(session.payment_intent)
    for amount, words in (
        (0, "greater than or equal to 1"),
        (
            1001,
            (
                r"\$10.01.*greater than unrefunded "
                r"amount.*\$10.00"
            ),
        ),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=words):
            await refunds.create_async({"payment_intent": intent, "amount": amount})
    await refunds.create_async({"payment_intent": intent, "amount": 400})
    rest = await refunds.create_async({"payment_intent": intent})
    assert rest.amount == 600
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await refunds.create_async({"payment_intent": intent})
    assert refused.value.code == "charge_already_refunded"
    amounts = [event.data.object["amount_refunded"] for event in await sandbox.events("charge.refunded")]
    assert amounts == [400, 1000]
    assert [row.amount for row in (await refunds.list_async({"payment_intent": intent})).data] == [600, 400]
    with pytest.raises(stripe.InvalidRequestError, match="requires_action"):
        await refunds.cancel_async(rest.id)


@pytest.mark.parametrize(
    ("number", "first", "settled", "events", "left"),
    [
        ("4000000000007726", "pending", "succeeded", ["refund.created", "refund.updated"], 1000),
        ("4000000000005126", "succeeded", "failed", ["refund.created", "refund.updated", "refund.failed"], 0),
    ],
)
async def test_refund_that_changes_later(
    start: Any, *, number: str, first: str, settled: str, events: list[str], left: int
) -> None:
    sandbox = await start(settlement_delay_s=60.0)
    session = await sandbox.session()
    await sandbox.pay(session.id, number)
    paid = await sandbox.stripe.v1.checkout.sessions.retrieve_async(session.id)
    refund = await sandbox.stripe.v1.refunds.create_async({"payment_intent": str(paid.payment_intent)})
    assert refund.status == first
    await sandbox.control("advance", {"seconds": 61})
    after = await sandbox.stripe.v1.refunds.retrieve_async(refund.id)
    assert after.status == settled
    assert [event.type for event in await sandbox.events("refund.created", "refund.updated", "refund.failed")] == events
    assert (await sandbox.stripe.v1.charges.retrieve_async(str(refund.charge))).amount_refunded == left


async def test_refund_driven_by_control(sandbox: Running) -> None:
    session = await sandbox.session()
    await sandbox.pay(session.id, "4000000000007726")
    paid = await sandbox.stripe.v1.checkout.sessions.retrieve_async(session.id)
    refund = await sandbox.stripe.v1.refunds.create_async({"payment_intent": str(paid.payment_intent)})
    await sandbox.control(f"refunds/{refund.id}/settle", {"status": "requires_action"})
    assert (await sandbox.stripe.v1.refunds.cancel_async(refund.id)).status == "canceled"
    again = await sandbox.stripe.v1.refunds.create_async({"payment_intent": str(paid.payment_intent)})
    failed = await sandbox.control(f"refunds/{again.id}/settle", {"status": "failed", "reason": "lost_or_stolen_card"})
    assert (failed["status"], failed["failure_reason"]) == ("failed", "lost_or_stolen_card")
    assert failed["failure_balance_transaction"].startswith("txn_")
