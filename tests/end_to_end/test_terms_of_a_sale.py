"""What was allowed when a page was opened holds, whatever settings and catalogue say by the time of the repeat or the
payment."""

import pytest
import pytest_asyncio
from prepaid.billing.v1.purchases_pb2 import PURCHASE_STATUS_COMPLETED as COMPLETED
from prepaid.billing.v1.referrals_pb2 import REFERRAL_STATE_CLOSED, REFERRAL_STATE_QUALIFIED, REFERRAL_STATE_REWARDED

from tests.end_to_end.event_changes import changed
from tests.end_to_end.lasting_stripe import hasty, lasting_stripe
from tests.support.stack import CREDIT, running_stack
from tests.support.webhooks_withheld import webhooks_withheld
from tests.support.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAID = "checkout.session.completed"
PACKAGE = 'code = "starter"\nname = "{name}"\ncredits = {credits}\nprice_minor = {price}\n{more}\n'
CODES_ON, CODES_OFF = {"BILLING_ALLOW_PROMOTION_CODES": "true"}, {"BILLING_ALLOW_PROMOTION_CODES": "false"}


def catalog_file(path, *, currency="usd", name="Starter Pack", sold=1_000, price=1_000, more=""):
    """A catalogue of one package; answers the setting that names it."""
    path.write_text(
        f'currency = "{currency}"\n[[packages]]\n' + PACKAGE.format(name=name, credits=sold, price=price, more=more)
    )
    return {"BILLING_CATALOG_FILE": str(path)}


@pytest.fixture(autouse=True)
def _hasty_sdk(monkeypatch):
    hasty(monkeypatch)


@pytest_asyncio.fixture(loop_scope="session")
async def lasting(database):
    async with lasting_stripe(database.url) as stripe:
        yield stripe


async def test_a_resumed_purchase_says_to_stripe_what_it_said_first(lasting, tmp_path):
    """Same key, same parameters: Stripe answers with the page that it opened at first."""
    product = await lasting.call("POST", "products", name="Starter")
    price = await lasting.call("POST", "prices", product=product["id"], currency="usd", unit_amount=1_000)
    priced = catalog_file(tmp_path / "priced.toml", more=f'stripe_price_id = "{price["id"]}"')
    changes = {
        "codes": (CODES_ON, CODES_OFF),
        "no codes": (CODES_OFF, CODES_ON),
        "price id": (priced, catalog_file(tmp_path / "unpriced.toml")),
        "no price id": (catalog_file(tmp_path / "plain.toml"), priced),
        "another price": (priced, catalog_file(tmp_path / "dear.toml", price=2_000)),
        "another name": ({}, catalog_file(tmp_path / "named.toml", name="Small Pack", sold=900)),
        "package gone": ({}, catalog_file(tmp_path / "gone.toml", more="active = false")),
        "addresses": ({"FRONTEND_URL": "https://a.example"}, {"FRONTEND_URL": "https://b.example"}),
        "currency": ({}, catalog_file(tmp_path / "euros.toml", currency="eur")),
        "everything": (
            CODES_ON | priced,
            CODES_OFF | catalog_file(tmp_path / "all.toml", currency="eur", name="Other", price=99),
        ),
    }
    for number, (what, (before, after)) in enumerate(changes.items(), 1):
        fields = {"account_id": f"acct-{number}", "package_code": "starter", "idempotency_key": "k"}
        async with lasting.service(**before) as wire:
            await lasting.lose_answer()
            assert await wire.refusal("CreatePurchase", **fields) == ("UNAVAILABLE", "STRIPE_UNAVAILABLE"), what
            await lasting.mend()
        async with lasting.service(**after) as wire:
            made = await wire.attempt("CreatePurchase", **fields)
            assert getattr(made, "purchase", made).checkout_url, what
            assert (await wire.call("CreatePurchase", **fields)).replayed, what
        sessions = await lasting.sessions()
        assert (len(sessions), sessions[0]["id"]) == (number, made.purchase.checkout_session_id), what
        assert bool(sessions[0]["allow_promotion_codes"]) is (CODES_ON.items() <= before.items()), what


async def paid_event(withheld, account_id):
    """A purchase, and the event that tells of its payment, which nobody delivered yet."""
    purchase = await withheld.paid_checkout(account_id, granted=0)
    [event] = await withheld.events(PAID)
    return purchase, event


@pytest.mark.parametrize(
    ("opened_with", "paid_with", "outcome"), [(CODES_ON, CODES_OFF, "PROCESSED"), (CODES_OFF, CODES_ON, "QUARANTINED")]
)
async def test_a_promotion_code_counts_where_the_page_took_one(database, opened_with, paid_with, outcome):
    async with webhooks_withheld(database.url, **opened_with) as withheld:
        purchase, event = await paid_event(withheld, "acme")
    event = changed(event, 1, "total_details.amount_discount", 400)
    event["data"]["object"]["amount_total"] = 600
    async with running_stack(database.url, **paid_with) as stack, Wire(stack.service.address) as wire:
        assert await wire.deliver(event) == outcome
        kept = (await wire.call("GetPurchase", purchase_id=purchase.purchase_id)).purchase
        assert (kept.status == COMPLETED, kept.paid_minor) == ((True, 600) if outcome == "PROCESSED" else (False, 0))


async def test_what_was_sold_is_granted_whatever_the_catalogue_sells_by_then(database, tmp_path):
    async with webhooks_withheld(database.url) as withheld:
        purchase, event = await paid_event(withheld, "acme")
    dear = catalog_file(tmp_path / "dear.toml", currency="eur", sold=7, price=9_900)
    async with running_stack(database.url, **dear) as stack, Wire(stack.service.address) as wire:
        assert await wire.deliver(event) == "PROCESSED"
        assert await stack.available("acme") == 1_000
        assert (await wire.call("GetPurchase", purchase_id=purchase.purchase_id)).purchase.currency == "usd"


SMALL = {
    "BILLING_REFERRAL_BONUS_CREDITS": "5",
    "BILLING_REFERRAL_PURCHASE_MIN_MINOR": "1000",
    "BILLING_REFERRAL_VESTING_DELAY_S": "0",
}
LARGE = {
    "BILLING_REFERRAL_BONUS_CREDITS": "700",
    "BILLING_REFERRAL_PURCHASE_MIN_MINOR": "1001",
    "BILLING_REFERRAL_VESTING_DELAY_S": "3600",
}


@pytest.mark.parametrize(
    ("opened_with", "paid_with", "state", "bonus", "delay_s"),
    [
        (SMALL, LARGE, REFERRAL_STATE_REWARDED, 5, 0),
        (LARGE, SMALL, REFERRAL_STATE_CLOSED, 700, None),
        (LARGE | {"BILLING_REFERRAL_PURCHASE_MIN_MINOR": "1"}, SMALL, REFERRAL_STATE_REWARDED, 700, 3600),
    ],
)
async def test_a_referral_is_decided_by_the_terms_of_its_purchase(
    *, database, opened_with, paid_with, state, bonus, delay_s
):
    async with webhooks_withheld(database.url, **opened_with) as withheld:
        await withheld.wire.do("CreateAccount", account_id="referrer")
        code = (await withheld.wire.call("GetReferral", account_id="referrer")).referral_code
        await withheld.wire.do("ApplyReferral", account_id="acme", referral_code=code)
        purchase, event = await paid_event(withheld, "acme")
    async with running_stack(database.url, **paid_with) as stack, Wire(stack.service.address) as wire:
        assert await wire.deliver(event) == "PROCESSED"
        complete_time = (await wire.call("GetPurchase", purchase_id=purchase.purchase_id)).purchase.complete_time
        referral = (await wire.call("GetReferral", account_id="acme")).referral
        assert (referral.state, referral.bonus_microcredits) == (state, bonus * CREDIT)
        granted = bonus if delay_s is not None else 0
        for account_id, bought in (("acme", 1_000), ("referrer", 0)):
            shown = (await wire.call("GetBalance", account_id=account_id)).balance
            vested, waiting = (0, granted) if delay_s else (granted, 0)
            assert (shown.available_microcredits, shown.frozen_microcredits) == (
                (bought + vested) * CREDIT,
                waiting * CREDIT,
            )
        if delay_s is not None:
            assert referral.reward_time.seconds - complete_time.seconds == delay_s


async def test_the_cap_of_a_referrer_is_the_purchases(database):
    """One bonus was allowed when both pages were opened; that there is no limit by the time of payment changes
    nothing."""
    async with webhooks_withheld(database.url, BILLING_REFERRAL_REWARDS_MAX="1") as withheld:
        await withheld.wire.do("CreateAccount", account_id="referrer")
        code = (await withheld.wire.call("GetReferral", account_id="referrer")).referral_code
        events = []
        for account_id in ("first", "second"):
            await withheld.wire.do("ApplyReferral", account_id=account_id, referral_code=code)
            events.append((await paid_event(withheld, account_id))[1])
    async with running_stack(database.url) as stack, Wire(stack.service.address) as wire:
        for event in events:
            assert await wire.deliver(event) == "PROCESSED"
        states = [
            (await wire.call("GetReferral", account_id=account_id)).referral.state for account_id in ("first", "second")
        ]
        assert states == [REFERRAL_STATE_REWARDED, REFERRAL_STATE_QUALIFIED]


async def test_a_purchase_of_an_older_program_goes_by_todays_settings(database):
    """Its row keeps no terms."""
    async with webhooks_withheld(database.url, **CODES_OFF) as withheld:
        purchase, event = await paid_event(withheld, "acme")

        def forget():
            from billing_service.storage.rows.purchases import PURCHASES, read_purchase

            row = yield from read_purchase("acme", purchase.purchase_id)
            row.terms = ""
            yield from PURCHASES.replace(row)

        await withheld.stack.service.environment.store.write(forget)
    event = changed(event, 1, "total_details.amount_discount", 400)
    event["data"]["object"]["amount_total"] = 600
    async with running_stack(database.url, **CODES_ON) as stack, Wire(stack.service.address) as wire:
        assert await wire.deliver(event) == "PROCESSED"
        assert await stack.available("acme") == 1_000
