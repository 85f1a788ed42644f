"""Each family's handler takes an object that Stripe was asked for: no event says anything of it."""

from dataclasses import replace

import pytest
from prepaid.billing.v1 import refunds_pb2

from billing_service.domain.refusals import Failure
from billing_service.domain.sales.purchases import PurchaseStatus
from billing_service.payments.objects.charge import read_charge
from billing_service.payments.objects.checkout_session import read_checkout_session
from billing_service.payments.objects.customer import read_customer
from billing_service.payments.objects.dispute import read_dispute
from billing_service.payments.objects.early_fraud_warning import read_early_fraud_warning
from billing_service.payments.objects.payment_intent import read_payment_intent
from billing_service.payments.objects.refund import read_refund
from billing_service.payments.ports.outcomes import ProviderUnavailable
from billing_service.stripe_events.family import Occasion
from billing_service.stripe_events.ownership import Owner, Whose
from billing_service.stripe_events.registry import FAMILIES
from billing_service.stripe_events.runs import Runs
from tests.support.event_world import CREDITS

READERS = {
    "checkout.session": read_checkout_session,
    "payment_intent": read_payment_intent,
    "charge": read_charge,
    "refund": read_refund,
    "dispute": read_dispute,
    "radar.early_fraud_warning": read_early_fraud_warning,
    "customer": read_customer,
}
"""By the kind of the object."""
NO_EVENT = Occasion()


@pytest.fixture
def hand(world):
    """Hands an object to its family's handler; answers the status and note of the result."""

    async def hand(page, about, occasion=NO_EVENT):
        family = next(family for family in FAMILIES if family.kind == about["object"])
        owner = Owner(Whose.OURS, (page.account_id, page.purchase_id), page.account_id)
        runs = Runs(world.environment)
        read = READERS[family.kind](about)
        result = await runs.write(lambda: family.handle(world.environment, owner, read, occasion, runs))
        return result.status.value, result.note

    return hand


def test_every_family_has_an_object():
    assert {family.kind for family in FAMILIES} == READERS.keys()


@pytest.mark.parametrize(
    ("about", "status", "note"),
    [
        ({"status": "open", "payment_status": "unpaid"}, "IGNORED", "not finished"),
        ({"status": "a_word_of_next_year"}, "QUARANTINED", "status"),
        ({"payment_status": "a_word_of_next_year"}, "QUARANTINED", "payment_status"),
        ({"payment_status": None}, "QUARANTINED", "payment_status"),
        ({"amount_total": "1"}, "QUARANTINED", "amount_total"),
        ({"amount_total": None}, "QUARANTINED", "amount_total"),
        ({"currency": "eur"}, "QUARANTINED", "currency"),
        ({"livemode": None}, "QUARANTINED", "livemode"),
        ({"client_reference_id": "pur_of_another"}, "QUARANTINED", "disagree"),
    ],
)
async def test_a_session_that_must_not_move_its_purchase(*, world, hand, about, status, note):
    page = await world.open_page()
    before = await page.stands()
    found, why = await hand(page, page.session(**about))
    assert found == status
    assert note in why
    assert await page.stands() == before


async def test_a_purchase_and_its_money(world, hand):
    page = await world.open_page()
    assert await hand(page, page.payment()) == ("PROCESSED", "")
    assert (await page.stands())["purchase"]["payment_time_us"] == world.service.clock(), "no event says when"
    assert await hand(page, page.session()) == ("PROCESSED", "")
    assert (await page.stands())["purchase"]["status"] is PurchaseStatus.COMPLETED
    assert await hand(page, page.session()) == ("PROCESSED", ""), "once more changes nothing"
    assert (await page.stands())["available"] == CREDITS
    assert await hand(page, page.refund(1, amount=100)) == ("PROCESSED", "")
    assert (await hand(page, page.refund(2, amount="100")))[0] == "QUARANTINED"
    page.list_at_stripe(page.refund(1, amount=100), page.refund(3, amount=50))
    assert await hand(page, page.charge(amount_refunded=150)) == ("PROCESSED", "")
    assert world.asked == [("list_refunds", page.payment_intent_id)]
    for about in (page.dispute(-200, 100, amount=200), page.warning()):
        assert await hand(page, about) == ("PROCESSED", "")
    stands = await page.stands()
    assert (stands["available"], [minor for _, minor, _ in stands["refunds"]]) == (CREDITS - 250, [100, 50])


async def test_a_page_that_ran_out(world, hand):
    page = await world.open_page()
    assert await hand(page, page.session(status="expired", payment_status="unpaid")) == ("PROCESSED", "")
    assert (await page.stands())["purchase"]["status"] is PurchaseStatus.EXPIRED


@pytest.mark.parametrize("kind", ["refund", "charge", "dispute", "warning"])
async def test_what_has_no_payment_is_nothing_of_ours(world, hand, kind):
    page = await world.open_page()
    assert await hand(page, getattr(page, kind)() | {"payment_intent": None}) == (
        "IGNORED",
        "it belongs to no payment intent",
    )


async def test_a_customer(world, hand):
    """The newest word of it counts, so that whoever asked says when."""
    page = await world.open_page()
    about = world.customer(page.account_id, page.customer_id, email="a@example.org", name="Ada")
    assert (await hand(page, about))[0] == "QUARANTINED"
    assert await hand(page, about, Occasion(time_us=world.service.clock())) == ("PROCESSED", "")
    assert (await world.profile(page.account_id))["email"] == "a@example.org"


@pytest.mark.parametrize("field", ["amount_minor", "currency"])
async def test_a_refund_of_ours_that_stripe_lists_without_its_money_is_not_settled(*, world, hand, monkeypatch, field):
    """Its answer was lost, and the list is no better: the outcome is unknown, and what was set aside stays so."""
    page = await world.open_page()
    await hand(page, page.session())
    create = world.provider.create_refund

    async def lost(**asked):
        made = await create(**asked)
        world.provider.stripe.refunds[0] = replace(made, **{field: None})
        raise ProviderUnavailable("the answer was lost")

    monkeypatch.setattr(world.provider, "create_refund", lost)
    request = refunds_pb2.RefundRequest(purchase_id=page.purchase_id, amount_minor=300, idempotency_key="k")
    for _ in range(2):
        with pytest.raises(Failure):
            await world.service.answer("refund", request)
    assert [state for _, _, state in (await page.stands())["refunds"]] == ["PENDING"]
    world.provider.stripe.refunds[0] = replace(world.provider.stripe.refunds[0], amount_minor=300, currency="usd")
    made = (await world.service.answer("refund", request)).refund
    assert made.status == refunds_pb2.REFUND_STATUS_SUCCEEDED
    assert (await page.stands())["available"] == CREDITS - 300
