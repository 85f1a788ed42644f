"""All that Stripe may tell of one purchase or customer, in every order and with repetitions, ends at one state."""

import random
from itertools import permutations

import pytest

from billing_service.commands.accounts.customers import link_customer
from billing_service.domain.sales.purchases import PurchaseStatus
from tests.support import run_length
from tests.support.bought_page import PRICE_MINOR
from tests.support.event_world import CREDITS, NOW_S

ORDERS_MAX = 60 if run_length.LONG else 24
"""Of one story. Up to 24 all are tried; of more a sample is drawn."""
TAKEN = {"PROCESSED", "IGNORED", "DUPLICATE", "QUARANTINED"}
PENDING, AWAITING, COMPLETED, FAILED, EXPIRED = (
    PurchaseStatus.PENDING,
    PurchaseStatus.AWAITING_FUNDS,
    PurchaseStatus.COMPLETED,
    PurchaseStatus.FAILED,
    PurchaseStatus.EXPIRED,
)


def orders_of(count, chance):
    every = list(permutations(range(count)))
    return every if len(every) <= 24 else [every[0], every[-1], *chance.sample(every, ORDERS_MAX - 2)]


async def told(world, events, order, chance):
    """Delivers in this order, some of them twice; all again at the end."""
    for place in order:
        assert await world.deliver(events[place]) in TAKEN
        if chance.random() < 0.3:
            assert await world.deliver(events[chance.choice(order)]) in TAKEN
    for event in chance.sample(events, k=min(3, len(events))):
        assert await world.deliver(event) == "DUPLICATE"


def declined_then_paid(world, page):
    """A declined card, a page closed on another try, money of another country with our marks, and then the payment."""
    return [
        world.event("payment_intent.payment_failed", page.payment(id="pi_declined", status="requires_payment_method")),
        world.event("payment_intent.canceled", page.payment(id="pi_called_off", status="canceled")),
        world.event("payment_intent.succeeded", page.payment(id=f"pi_foreign_{page.tag}", currency="eur")),
        world.event("payment_intent.succeeded", page.payment(), created_s=NOW_S - 5),
        world.event("checkout.session.completed", page.session()),
    ], paid()


def paid(**changes):
    return {"status": COMPLETED, "available": CREDITS, "payment_time_us": (NOW_S - 5) * 10**6} | changes


def another_session(world, page):
    """An earlier page of the same purchase ran out, and its payment was called off; the one that was shown is paid."""
    return [
        world.event(
            "checkout.session.expired", page.session(id=f"cs_old_{page.tag}", status="expired", payment_status="unpaid")
        ),
        world.event("payment_intent.canceled", page.payment(id=f"pi_old_{page.tag}", status="canceled")),
        world.event("payment_intent.succeeded", page.payment(), created_s=NOW_S - 5),
        world.event("checkout.session.completed", page.session()),
    ], paid()


def refunds_of_all_kinds(world, page):
    """One succeeds; one fails, which an old endpoint tells as the charge's; one is canceled; one is told by the charge
    alone."""
    listed = page.refund(4, amount=50)
    page.list_at_stripe(listed)
    return [
        world.event("checkout.session.completed", page.session()),
        world.event("refund.created", page.refund(1, status="pending")),
        world.event("refund.updated", page.refund(1)),
        world.event("refund.created", page.refund(2, amount=200)),
        world.event("charge.refund.updated", page.refund(2, amount=200, status="failed")),
        world.event("refund.created", page.refund(3, amount=100, status="requires_action")),
        world.event("refund.updated", page.refund(3, amount=100, status="canceled")),
        world.event("charge.refunded", page.charge(amount_refunded=350)),
    ], {"status": COMPLETED, "available": 650, "refunded": 350, "refunds": 4}


def refunds_that_say_nothing_usable(world, page):
    return [
        world.event("checkout.session.completed", page.session()),
        world.event("refund.created", page.refund(1, amount=0)),
        world.event("refund.created", page.refund(2, status="on_its_way")),
        world.event("refund.created", page.refund(3, amount=-5)),
        world.event("refund.created", page.refund(4, currency="eur")),
        world.event("refund.created", page.refund(5)),
    ], {"status": COMPLETED, "available": 700, "refunded": 300, "refunds": 1}


def whole_refund_and_dispute(world, page):
    return [
        world.event("payment_intent.succeeded", page.payment(), created_s=NOW_S - 5),
        world.event("checkout.session.completed", page.session()),
        world.event("refund.created", page.refund(amount=PRICE_MINOR)),
        world.event("charge.dispute.created", page.dispute()),
        world.event("charge.dispute.funds_withdrawn", page.dispute(-PRICE_MINOR)),
        world.event("radar.early_fraud_warning.created", page.warning()),
    ], paid(available=0, refunded=PRICE_MINOR, refunds=1, disputed=PRICE_MINOR)


def disputes_beside_a_refund(world, page):
    """The first is won after a part refund, and a second one takes the half of what is left. It all comes in one
    second, but for the ends."""
    return [
        world.event("checkout.session.completed", page.session()),
        world.event("refund.created", page.refund(amount=100)),
        world.event("charge.dispute.created", page.dispute(status="warning_needs_response")),
        world.event("charge.dispute.funds_withdrawn", page.dispute(-PRICE_MINOR)),
        world.event("charge.dispute.funds_reinstated", page.dispute(-PRICE_MINOR, PRICE_MINOR, status="under_review")),
        world.event("charge.dispute.closed", page.dispute(-PRICE_MINOR, status="won"), created_s=NOW_S + 3),
        world.event("charge.dispute.created", page.dispute(-450, number=2, amount=450), created_s=NOW_S + 4),
        world.event(
            "charge.dispute.closed", page.dispute(-450, number=2, amount=450, status="lost"), created_s=NOW_S + 9
        ),
    ], {"status": COMPLETED, "available": 450, "refunded": 100, "refunds": 1, "disputed": 450}


def delayed_money_comes(world, page):
    return [
        world.event("checkout.session.completed", page.session(payment_status="unpaid")),
        world.event("payment_intent.succeeded", page.payment(), created_s=NOW_S - 5),
        world.event("checkout.session.async_payment_succeeded", page.session()),
        world.event("refund.created", page.refund(amount=100)),
    ], paid(available=900, refunded=100, refunds=1)


def delayed_money_fails(world, page):
    return [
        world.event("checkout.session.completed", page.session(payment_status="unpaid")),
        world.event("payment_intent.payment_failed", page.payment(status="requires_payment_method")),
        world.event("checkout.session.async_payment_failed", page.session(payment_status="unpaid")),
    ], {"status": FAILED}


def page_ran_out(world, page):
    return [
        world.event("payment_intent.payment_failed", page.payment(status="requires_payment_method")),
        world.event("payment_intent.canceled", page.payment(status="canceled")),
        world.event("checkout.session.expired", page.session(status="expired", payment_status="unpaid")),
    ], {"status": EXPIRED}


STORIES = (
    declined_then_paid,
    another_session,
    refunds_of_all_kinds,
    refunds_that_say_nothing_usable,
    whole_refund_and_dispute,
    disputes_beside_a_refund,
    delayed_money_comes,
    delayed_money_fails,
    page_ran_out,
)


@pytest.mark.parametrize("page_is_known", [True, False])
@pytest.mark.parametrize("story", STORIES)
async def test_a_purchase_ends_alike(world, story, page_is_known):
    """Also where the service died before it stored which page is the purchase's."""
    chance = random.Random(story.__name__)
    events, _ = story(world, await world.open_page())
    ends = {}
    for order in orders_of(len(events), chance):
        page = await world.open_page()
        if not page_is_known:
            await world.forget_page(page)
        events, end = story(world, page)
        await told(world, events, order, chance)
        stands = await page.stands()
        found = {
            "status": stands["purchase"]["status"],
            "available": stands["available"],
            "refunded": stands["purchase"]["refunded_minor"],
            "refunds": len(stands["refunds"]),
            "disputed": stands["purchase"]["disputed_minor"],
            "payment_time_us": stands["purchase"]["payment_time_us"],
        }
        expected = {
            "status": PENDING,
            "available": 0,
            "refunded": 0,
            "refunds": 0,
            "disputed": 0,
            "payment_time_us": None,
        } | end
        assert found == expected, [events[place]["type"] for place in order]
        assert stands["debt"] == 0
        ends[repr(stands).replace(page.tag, "TAG").replace(page.session_id, "PAGE")] = order
    assert len(ends) == 1, ends
    assert await world.waiting() == set(), "nothing waits for a payment that is known"


CUSTOMER_STORIES = {
    "changed twice": (
        [
            ("customer.created", 0, "a@example.org", "Ada"),
            ("customer.updated", 5, "b@example.org", "Ada"),
            ("customer.updated", 9, "c@x.io", "Bea"),
        ],
        ("c@x.io", "Bea"),
    ),
    "changed twice in one second": (
        [
            ("customer.created", 0, "a@example.org", "Ada"),
            ("customer.updated", 9, "b@example.org", "Ada"),
            ("customer.updated", 9, "c@x.io", "Bea"),
        ],
        ("c@x.io", "Bea"),
    ),
    "changed in the second of its making": (
        [("customer.created", 9, "a@example.org", "Ada"), ("customer.updated", 9, "c@x.io", "Bea")],
        ("c@x.io", "Bea"),
    ),
    "its address removed": (
        [
            ("customer.created", 0, "a@example.org", "Ada"),
            ("customer.updated", 5, "b@example.org", "Ada"),
            ("customer.updated", 9, None, "Bea"),
        ],
        ("", "Bea"),
    ),
    "deleted": (
        [
            ("customer.created", 0, "a@example.org", "Ada"),
            ("customer.updated", 5, "b@example.org", "Ada"),
            ("customer.updated", 7, "c@x.io", "Bea"),
            ("customer.deleted", 9, None, None),
        ],
        ("c@x.io", "Bea"),
    ),
    "deleted, and changed twice in one second before": (
        [
            ("customer.updated", 7, "b@example.org", "Ada"),
            ("customer.updated", 7, "c@x.io", "Bea"),
            ("customer.deleted", 9, None, None),
        ],
        ("c@x.io", "Bea"),
    ),
}


@pytest.mark.parametrize("known_before", [True, False])
@pytest.mark.parametrize("story", CUSTOMER_STORIES)
async def test_a_customer_ends_alike(world, story, known_before):
    """Whether the account was linked by our own call before, or learns of its customer from the events."""
    told_of, (email, name) = CUSTOMER_STORIES[story]
    chance = random.Random(story)
    for number, order in enumerate(orders_of(len(told_of), chance)):
        customer_id = f"cus_{number}"
        account_id = await world.account(email="own@example.org", name="Own")
        if known_before:
            # Run at once.
            await world.store.write(lambda: link_customer(world.environment, account_id, customer_id, 0))  # noqa: B023
        deleted = told_of[-1][0] == "customer.deleted"
        world.stands(customer_id, *("", "") if deleted else told_of[-1][2:], deleted=deleted)
        events = [
            world.event(
                kind, world.customer(account_id, customer_id, email=said, name=called), created_s=NOW_S + second
            )
            for kind, second, said, called in told_of
        ]
        await told(world, events, order, chance)
        assert await world.profile(account_id) == {
            "email": email,
            "name": name,
            "stripe_customer_id": "" if deleted else customer_id,
            "customer_attempt": int(deleted),
            "customer_update_time_us": (
                NOW_S + max(second for kind, second, *_ in told_of if kind != "customer.deleted")
            )
            * 10**6,
        }, [told_of[place] for place in order]
