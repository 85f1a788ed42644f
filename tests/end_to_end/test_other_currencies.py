"""Money in other currencies than dollars: refunds in Stripe's steps, amounts only where they are stated."""

import pytest
from billing_client.errors import CreditsAlreadySpent, InvalidField
from prepaid.billing.v1 import referrals_pb2
from prepaid.billing.v1.refunds_pb2 import REFUND_POLICY_WITH_DEBT as WITH_DEBT
from structlog.testing import capture_logs

from tests.end_to_end.event_changes import changed
from tests.support.stack import CREDIT, running_stack
from tests.support.webhooks_withheld import webhooks_withheld
from tests.support.wire import Wire, told

pytestmark = pytest.mark.asyncio(loop_scope="session")


def shop(path, currency, price_minor, sold=1_000):
    """A catalogue of one package; answers the setting that names it."""
    path.write_text(
        f'currency = "{currency}"\n[[packages]]\ncode = "starter"\nname = "S"\ncredits = '
        f"{sold}\nprice_minor = {price_minor}\n"
    )
    return {"BILLING_CATALOG_FILE": str(path)}


@pytest.mark.parametrize(
    ("currency", "price_minor", "step", "spent", "refundable_minor"),
    [
        ("kwd", 3_070, 10, 333, 2_040),  # 2,047.69 of what is unused
        ("tnd", 10_000, 10, 1, 9_990),
        ("isk", 140_000, 100, 333, 93_300),  # 93,380
        ("ugx", 3_700_000, 100, 999, 3_700),
        ("jpy", 1_550, 1, 333, 1_033),  # 1,033.85
        ("usd", 1_000, 1, 333, 667),
    ],
)
async def test_refunds_go_in_the_currencys_steps(
    *, database, tmp_path, currency, price_minor, step, spent, refundable_minor
):
    settings = shop(tmp_path / "shop.toml", currency, price_minor)
    async with running_stack(database.url, **settings) as stack:
        client = stack.client
        bought = await stack.buy("acme")
        assert (bought.currency, bought.paid_minor) == (currency, price_minor)
        await client.deduct_credits(account_id="acme", amount_microcredits=spent * CREDIT)
        quote = await client.quote_refund(purchase_id=bought.purchase_id)
        assert (quote.refundable_minor, quote.currency, quote.debt_microcredits) == (refundable_minor, currency, 0)
        taken = -(-1_000 * CREDIT * refundable_minor // price_minor)
        assert quote.reversed_microcredits == taken
        for off in {1, step // 2, step - 1} - {0} if step > 1 else ():
            with pytest.raises(InvalidField) as refused:
                await client.refund(purchase_id=bought.purchase_id, amount_minor=step + off, idempotency_key="k")
            assert refused.value.violations == (("amount_minor", f"must be a multiple of {step} in {currency!r}"),)
        with pytest.raises(CreditsAlreadySpent) as spent_already:
            await client.refund(
                purchase_id=bought.purchase_id, amount_minor=refundable_minor + step, idempotency_key="k"
            )
        assert spent_already.value.refundable_minor == refundable_minor
        part = await client.refund(purchase_id=bought.purchase_id, amount_minor=step, idempotency_key="k")
        assert part.refund.amount_minor == step
        rest = await client.refund(purchase_id=bought.purchase_id)
        assert part.refund.amount_minor + rest.refund.amount_minor == refundable_minor
        assert (await client.get_balance(account_id="acme")).balance.available_microcredits == (
            1_000 - spent
        ) * CREDIT - taken
        with_debt = await client.refund(purchase_id=bought.purchase_id, policy=WITH_DEBT)
        assert with_debt.refund.amount_minor == price_minor - refundable_minor
        assert (await client.get_balance(account_id="acme")).balance.debt_microcredits == spent * CREDIT
        await stack.webhooks()


@pytest.mark.parametrize(("currency", "price_minor"), [("eur", 900), ("inr", 85_000), ("krw", 14_000), ("kwd", 3_070)])
async def test_what_nobody_stated_in_the_currency_is_off_and_says_so(*, database, tmp_path, currency, price_minor):
    with capture_logs() as lines:
        async with running_stack(database.url, **shop(tmp_path / "shop.toml", currency, price_minor)) as stack:
            wire = Wire(stack.service.address)
            off = {
                line["event"]: (line["currency"], line["amounts_currency"])
                for line in lines
                if line["event"].endswith("_off")
            }
            assert off == {"custom_amounts_off": (currency, "usd"), "referrals_off": (currency, "usd")}
            [package] = (await wire.call("ListPackages")).packages
            assert package.discount_percent == 0
            refused = await wire.error(
                "CreatePurchase", account_id="acme", custom_amount_minor=1_000, idempotency_key="k"
            )
            assert (told(refused)[1], refused.violations[0][0]) == ("INVALID_FIELD", "custom_amount_minor")
            assert repr(currency) in refused.message
            await wire.do("CreateAccount", account_id="friend")
            code = (await wire.call("GetReferral", account_id="friend")).referral_code
            for rpc in ("ApplyReferral", "CreateAccount"):
                refused = await wire.error(rpc, account_id="acme", referral_code=code, idempotency_key="k")
                assert (told(refused)[1], refused.violations[0][0]) == ("INVALID_FIELD", "referral_code"), rpc
                assert repr(currency) in refused.message
            assert await stack.buy("acme")
            assert await stack.available("acme") == 1_000
            await wire.channel.close()


RUPEES = {
    "BILLING_AMOUNTS_CURRENCY": "inr",
    "BILLING_CUSTOM_AMOUNT_MIN_MINOR": "8500",
    "BILLING_CUSTOM_AMOUNT_MAX_MINOR": "8500000",
    "BILLING_CUSTOM_AMOUNT_MICROCREDITS_PER_MINOR": "11765",
    "BILLING_REFERRAL_PURCHASE_MIN_MINOR": "85000",
    "BILLING_REFERRAL_VESTING_DELAY_S": "0",
}


@pytest.mark.parametrize(
    ("amount_minor", "state", "bonus"),
    [(84_999, referrals_pb2.REFERRAL_STATE_CLOSED, 0), (85_000, referrals_pb2.REFERRAL_STATE_REWARDED, 1_000)],
)
async def test_what_is_stated_in_the_currency_holds(*, database, tmp_path, amount_minor, state, bonus):
    with capture_logs() as lines:
        async with running_stack(database.url, **shop(tmp_path / "shop.toml", "inr", 68_000), **RUPEES) as stack:
            assert not [line for line in lines if line["event"].endswith("_off")]
            async with Wire(stack.service.address) as wire:
                [package] = (await wire.call("ListPackages")).packages
                assert package.discount_percent == 19  # 680 rupees for 1,000 credits; 850 buy 1,000.025
                for beyond in (8_499, 8_500_001):
                    refused = await wire.error(
                        "CreatePurchase", account_id="acme", custom_amount_minor=beyond, idempotency_key="k"
                    )
                    assert refused.violations == (("custom_amount_minor", "must be from 8500 to 8500000"),)
                await wire.do("CreateAccount", account_id="friend")
                code = (await wire.call("GetReferral", account_id="friend")).referral_code
                await wire.do("ApplyReferral", account_id="acme", referral_code=code)
                made = (await wire.do("CreatePurchase", account_id="acme", custom_amount_minor=amount_minor)).purchase
                assert (made.currency, made.credits_microcredits) == ("inr", amount_minor * 11_765)
                await stack.pay(made.checkout_url)
                await stack.webhooks()
                assert (await wire.call("GetReferral", account_id="acme")).referral.state == state
                assert await stack.available("friend") == bonus


async def test_a_referral_bound_before_the_programme_was_off_is_closed_unrewarded(database, tmp_path):
    async with running_stack(database.url) as stack:
        await stack.client.create_account(account_id="friend")
        code = (await stack.client.get_referral(account_id="friend")).referral_code
        await stack.client.apply_referral(account_id="acme", referral_code=code)
    async with running_stack(database.url, **shop(tmp_path / "shop.toml", "krw", 14_000)) as stack:
        await stack.buy("acme")
        referral = (await stack.client.get_referral(account_id="acme")).referral
        assert referral.state == referrals_pb2.REFERRAL_STATE_CLOSED
        assert (await stack.available("acme"), await stack.available("friend")) == (1_000, 0)


async def test_an_object_in_another_currency_is_quarantined_and_moves_nothing(database):
    async with webhooks_withheld(database.url) as withheld:
        purchase = await withheld.paid_checkout("acme", granted=0)
        paid = await withheld.events("payment_intent.succeeded", "checkout.session.completed")
        for number, event in enumerate(paid):
            assert await withheld.wire.deliver(changed(event, number, "currency", "eur")) == "QUARANTINED", event[
                "type"
            ]
        for event in paid:
            assert await withheld.wire.deliver(event) == "PROCESSED", event["type"]
        await withheld.stripe("POST", "refunds", payment_intent=await withheld.payment_intent(purchase), amount=400)
        for event in await withheld.events("refund.created", "charge.refund.updated", "refund.updated"):
            assert await withheld.wire.deliver(changed(event, 9, "currency", "eur")) == "QUARANTINED", event["type"]
        end = await withheld.ends("acme", purchase)
        assert (end["available"], end["refunded"], end["paid"]) == (1_000, 0, 1_000)


async def test_tax_and_shipping_are_paid_and_not_sold(database):
    async with webhooks_withheld(database.url) as withheld:
        made = await withheld.paid_checkout("acme", granted=0)
        [paid] = await withheld.events("checkout.session.completed")
        taxed = changed(paid, 1, "total_details", {"amount_discount": 0, "amount_tax": 200, "amount_shipping": 300})
        taxed["data"]["object"]["amount_total"] = 1_501
        assert await withheld.wire.deliver(taxed) == "QUARANTINED"
        taxed = changed(taxed, 2, "amount_total", 1_500)
        assert await withheld.wire.deliver(taxed) == "PROCESSED"
        end = await withheld.ends("acme", made)
        assert (end["available"], end["paid"]) == (1_000, 1_500)
