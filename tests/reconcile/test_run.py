"""What a run finds, on both stores: each kind of gap, looked at in a dry run, repaired, and found no more."""

import pytest

from billing_service.domain.deployment import MARK_FIELD, MarkKind
from billing_service.domain.refusals import Failure, Refusal
from billing_service.payments.ports.outcomes import ProviderRefused
from billing_service.reconcile.run import Task
from billing_service.reconcile.stages import STAGES, Cursor, read_cursor
from tests.reconcile.running import PAID, WINDOW, paid_page, reconciled, short
from tests.support.event_world import CREDITS, NOW_S

FUNDS = {"payment_status": "unpaid"}


async def found_and_repaired(reconciler, page, *kinds):
    """A dry run finds these and changes nothing; the next run repairs the same; the one after it finds nothing."""
    before = await page.stands()
    dry = await reconciled(reconciler, dry_run=True)
    assert [(each.kind.name, each.outcome.name) for each in dry] == [(kind, "FOUND") for kind in kinds]
    assert await page.stands() == before
    done = await reconciled(reconciler)
    assert [(each.kind.name, each.outcome.name) for each in done] == [(kind, "REPAIRED") for kind in kinds]
    assert [each.stripe_object_id for each in done] == [each.stripe_object_id for each in dry]
    assert all((each.account_id, each.purchase_id) == (page.account_id, page.purchase_id) for each in (*dry, *done))
    assert await reconciled(reconciler) == []
    return done


async def test_a_purchase_that_was_paid_gets_its_credits(world, reconciler):
    page = await world.open_page()
    world.provider.stripe.objects = {"checkout.session": [page.session()], "payment_intent": []}
    [found] = await found_and_repaired(reconciler, page, "PURCHASE_NOT_COMPLETED")
    assert found.stripe_object_id == page.session_id
    assert found.booked.startswith(f"PURCHASE {CREDITS * 10**6} of {page.account_id}")
    changed = {change.name: (change.before, change.after) for change in found.changes}
    assert changed["purchase.status"] == ("PENDING", "COMPLETED")
    assert (await page.stands())["available"] == CREDITS


@pytest.mark.parametrize(
    ("session", "status"),
    [
        ({"status": "expired", "payment_status": "unpaid", "payment_intent": None}, "EXPIRED"),
        (FUNDS, "AWAITING_FUNDS"),
        (FUNDS | {"payment_intent": "failed"}, "FAILED"),
    ],
)
async def test_a_purchase_that_ended_otherwise(*, world, reconciler, session, status):
    page = await world.open_page()
    if session.get("payment_intent") == "failed":
        session = session | {"payment_intent": page.payment(status="requires_payment_method")}
    world.provider.stripe.objects = {"checkout.session": [page.session(**session)]}
    await found_and_repaired(reconciler, page, "PURCHASE_OUTDATED")
    assert (await page.stands())["purchase"]["status"] == status


async def test_a_page_that_is_open_says_nothing(world, reconciler):
    page = await world.open_page()
    open_page = page.session(status="open", payment_status="unpaid", payment_intent=None)
    world.provider.stripe.objects = {"checkout.session": [open_page]}
    assert await reconciled(reconciler) == []


async def test_the_moment_of_a_payment(world, reconciler):
    page = await world.open_page()
    await world.deliver(world.event(PAID, page.session()))
    world.provider.stripe.objects = {"payment_intent": [page.payment()]}
    await found_and_repaired(reconciler, page, "PURCHASE_OUTDATED")
    assert (await page.stands())["purchase"]["payment_time_us"] == world.service.clock()


async def test_refunds_begun_elsewhere_and_those_that_came_to_nothing(world, reconciler):
    page = await paid_page(world)
    world.provider.stripe.objects = {"refund": [page.refund(2, amount=100), page.refund(1, status="pending")]}
    await found_and_repaired(reconciler, page, "REFUND_OUTDATED", "REFUND_OUTDATED")
    assert (await page.stands())["available"] == CREDITS - 400
    came_to_nothing = page.refund(1, status="failed", created=NOW_S)
    world.provider.stripe.objects = {"refund": [page.refund(2, amount=100), came_to_nothing]}
    await found_and_repaired(reconciler, page, "REFUND_OUTDATED")
    assert (await page.stands())["available"] == CREDITS - 100


async def test_disputes_and_warnings(world, reconciler):
    page = await paid_page(world)
    world.provider.stripe.objects = {
        "dispute": [page.dispute(-1_000)],
        "radar.early_fraud_warning": [page.warning()],
    }
    await found_and_repaired(reconciler, page, "DISPUTE_OUTDATED", "FRAUD_WARNING_MISSING")
    assert (await page.stands())["available"] == 0
    world.provider.stripe.objects = {"dispute": [page.dispute(-1_000, 1_000, status="won", created=NOW_S)]}
    await found_and_repaired(reconciler, page, "DISPUTE_OUTDATED")
    assert (await page.stands())["available"] == CREDITS


async def test_a_dispute_that_went_on_without_money(world, reconciler):
    page = await paid_page(world)
    await world.deliver(world.event("charge.dispute.created", page.dispute(-1_000)))
    world.provider.stripe.objects = {"dispute": [page.dispute(-1_000, status="lost", created=NOW_S)]}
    await found_and_repaired(reconciler, page, "DISPUTE_OUTDATED")
    [(_, word, _, _)] = (await page.stands())["disputes"]
    assert word == "lost"


async def test_what_is_open_and_older_than_the_window_is_asked_for(world, reconciler):
    """Its object is on no list of the window."""
    bought, disputed, refunded = await world.open_page(), await paid_page(world), await paid_page(world)
    await world.deliver(world.event("charge.dispute.created", disputed.dispute(-1_000)))
    await world.deliver(world.event("refund.created", refunded.refund(status="pending")))
    asked, listings = {}, world.provider.stripe

    def get_object(kind, object_id):
        asked[kind] = object_id
        return {
            "checkout.session": bought.session(),
            "dispute": disputed.dispute(-1_000, 1_000, status="won"),
            "refund": refunded.refund(status="canceled"),
        }[kind]

    listings.get_object = get_object
    late = WINDOW[1] + 1, WINDOW[1] + 2
    world.service.clock.advance_s(3 * 86_400)
    found = await reconciled(reconciler, window=late)
    assert [each.kind.name for each in found] == ["PURCHASE_NOT_COMPLETED", "REFUND_OUTDATED", "DISPUTE_OUTDATED"]
    assert set(asked) == {"checkout.session", "refund", "dispute"}
    for page in (bought, disputed, refunded):
        assert (await page.stands())["available"] == CREDITS
    asked.clear()
    assert await reconciled(reconciler, window=late) == []
    assert asked == {}, "nothing of it is open any more"


async def test_an_open_purchase_whose_page_stripe_does_not_know_is_a_persons(world, reconciler):
    page = await world.open_page()
    late = WINDOW[1], WINDOW[1] + 1
    found = await reconciled(reconciler, window=late)
    assert short(found) == [("CONTRADICTION", "LEFT", page.session_id)]
    assert found[0].note == "Stripe: resource_missing"


async def test_contradictions_are_left_as_they_are(world, reconciler):
    page = await world.open_page()
    before = await page.stands()
    world.provider.stripe.objects = {"checkout.session": [page.session(currency="eur")]}
    for dry_run in (True, False):
        [found] = await reconciled(reconciler, dry_run=dry_run)
        assert (found.kind.name, found.outcome.name, found.purchase_id) == ("CONTRADICTION", "LEFT", page.purchase_id)
        assert "currency" in found.note
    assert await page.stands() == before


async def test_what_another_product_or_deployment_made_is_no_finding(world, reconciler):
    page = await world.open_page()
    stranger = page.session(id="cs_other", client_reference_id="order-7", metadata={"purchase_id": "order-7"})
    marked = page.session(id="cs_marked", metadata=page.metadata | {MARK_FIELD: "forged"})
    refund = page.refund(payment_intent="pi_other")
    world.provider.stripe.objects = {
        "checkout.session": [stranger, marked],
        "payment_intent": [page.payment(id="pi_other", metadata={})],
        "refund": [refund],
        "dispute": [page.dispute(-1, payment_intent="pi_other")],
        "customer": [{"id": "cus_other", "object": "customer", "email": "x@example.org", "metadata": {}}],
        "event": [world.event(PAID, stranger)],
    }
    before = await page.stands()
    assert await reconciled(reconciler) == []
    assert await page.stands() == before


async def test_what_a_restored_backup_lacks_is_told(world, reconciler):
    page = await world.open_page()
    lost = page.session(id="cs_lost", client_reference_id="pur_lost", metadata=_marked(world, "pur_lost"))
    world.provider.stripe.objects = {"checkout.session": [lost]}
    assert short(await reconciled(reconciler)) == [("OBJECT_UNKNOWN", "LEFT", "cs_lost")]


def _marked(world, purchase_id):
    mark = world.environment.deployment.mark(MarkKind.PURCHASE, purchase_id)
    return {"purchase_id": purchase_id, "account_id": "acct", MARK_FIELD: mark}


async def test_customers_follow_and_nothing_is_taken_away(world, reconciler):
    page = await world.open_page()
    about = world.customer(page.account_id, page.customer_id, email="new@example.org", name="Ada")
    world.provider.stripe.objects = {"customer": [about]}
    [found] = await reconciled(reconciler)
    assert (found.kind.name, found.outcome.name, found.account_id) == ("CUSTOMER_OUTDATED", "REPAIRED", page.account_id)
    assert (await world.profile(page.account_id))["email"] == "new@example.org"
    world.service.clock.advance_s(60)
    world.provider.stripe.objects = {"customer": [about | {"email": None, "name": "Ida"}]}
    await reconciled(reconciler)
    now = await world.profile(page.account_id)
    assert (now["email"], now["name"]) == ("new@example.org", "Ida")
    world.provider.stripe.objects = {"customer": [about | {"email": None, "name": None}]}
    assert await reconciled(reconciler) == [], "Stripe may have refused what it lacks"


async def test_a_customer_that_no_event_linked(world, reconciler):
    account_id = await world.account()
    world.provider.stripe.objects = {"customer": [world.customer(account_id, "cus_made")]}
    [found] = await reconciled(reconciler)
    assert (found.kind.name, found.account_id) == ("CUSTOMER_OUTDATED", account_id)
    assert (await world.profile(account_id))["stripe_customer_id"] == "cus_made"


async def test_events_that_never_arrived_are_kept_and_later_deliveries_find_them_done(world, reconciler):
    page = await world.open_page()
    paid = world.event(PAID, page.session())
    money = world.event("payment_intent.succeeded", page.payment())
    world.provider.stripe.objects = {"event": [money, paid]}
    dry = await reconciled(reconciler, dry_run=True)
    assert {each[:2] for each in short(dry)} == {("EVENT_MISSING", "FOUND")}
    assert await world.kept() == {}
    done = await reconciled(reconciler)
    assert {each.stripe_object_id for each in done} == {paid["id"], money["id"]}
    assert await world.statuses(paid, money) == ["PROCESSED", "PROCESSED"]
    assert (await page.stands())["available"] == CREDITS
    assert [await world.deliver(event) for event in (paid, money)] == ["DUPLICATE", "DUPLICATE"]
    assert await reconciled(reconciler) == []


async def test_an_event_that_failed_is_tried_again_and_one_in_quarantine_is_not(world, reconciler):
    page = await world.open_page()
    odd = world.event(PAID, page.session(currency="eur"))
    assert await world.deliver(odd) == "QUARANTINED"
    refunded = world.event("charge.refunded", page.charge(amount_refunded=1))
    await world.deliver(world.event(PAID, page.session()))
    world.provider.unreachable_calls = 1
    with pytest.raises(Failure):
        await world.deliver(refunded)
    world.provider.stripe.objects = {"event": [refunded, odd]}
    assert short(await reconciled(reconciler)) == [("EVENT_MISSING", "REPAIRED", refunded["id"])]
    assert await world.statuses(odd, refunded) == ["QUARANTINED", "PROCESSED"]


async def test_a_stripe_that_does_not_answer_ends_the_run_where_it_is(world, reconciler):
    page = await world.open_page()
    world.provider.stripe.objects = {"checkout.session": [page.session()]}
    world.provider.unreachable_calls = 1
    task = Task(*WINDOW, dry_run=False)
    with pytest.raises(Failure) as ended:
        await reconciler.step(task, Cursor())
    assert ended.value.reason.value == "STRIPE_UNAVAILABLE"
    step = await reconciler.step(task, Cursor())
    assert (step.stage, step.compared, len(step.findings)) == ("checkout.session", 1, 1)


async def test_a_refused_list_says_so(world, reconciler, monkeypatch):
    def refused(*_asked, **_named):
        raise ProviderRefused("parameter_invalid", "no")

    monkeypatch.setattr(world.provider.stripe, "list_created", refused)
    with pytest.raises(Refusal) as ended:
        await reconciler.step(Task(*WINDOW, dry_run=True), Cursor())
    assert ended.value.reason.value == "STRIPE_REFUSED"


@pytest.mark.parametrize("text", ["", "1", "x:", "-1:", f"{len(STAGES) + 1}:", "1.0:a"])
def test_what_is_no_cursor(text):
    with pytest.raises(ValueError, match="cursor"):
        read_cursor(text)


@pytest.mark.parametrize("cursor", [Cursor(), Cursor(3, "re_1"), Cursor(len(STAGES)), Cursor(1, "a:b")])
def test_a_cursor_is_read_as_it_was_written(cursor):
    assert read_cursor(cursor.text) == cursor
