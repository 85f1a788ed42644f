"""What families read of an event's object, also of objects with every member that Stripe sends."""

from dataclasses import replace

import pytest

from billing_service.domain.sales.purchases import CheckoutReport, PurchaseUpdate
from billing_service.payments.objects.charge import Charge
from billing_service.payments.objects.customer import ProviderCustomer
from billing_service.payments.objects.dispute import Dispute
from billing_service.payments.objects.early_fraud_warning import EarlyFraudWarning
from billing_service.payments.objects.fields import ObjectInvalid
from billing_service.payments.objects.payment_intent import PaymentIntent
from billing_service.payments.objects.refund import ProviderRefund
from billing_service.stripe_events.families.checkout_session import update_of
from billing_service.stripe_events.family import NoEffect
from billing_service.stripe_events.registry import BY_TYPE, FAMILIES
from tests.stripe_events.event_objects import (
    ABSENT,
    CHARGE,
    CREATED_US,
    CUSTOMER,
    DISPUTE,
    METADATA,
    PAYMENT_INTENT,
    REFUND,
    SESSION,
    WARNING,
    object_of,
    read,
)
from tests.support.stripe_members import whole


@pytest.mark.parametrize("event_type", ["plan.created", "charge.refund", "checkout.session", "", "invoice.paid"])
def test_other_types_have_no_family(event_type):
    assert event_type not in BY_TYPE


@pytest.mark.parametrize(
    ("changes", "purchase_id", "noted"),
    [
        ({}, "pur_1", False),
        ({"client_reference_id": "pur_2"}, None, True),
        ({"client_reference_id": None}, None, True),
        ({"metadata": {}}, None, True),
        ({"metadata": None}, None, True),
        ({"metadata": ["pur_1"]}, None, True),
        ({"metadata": {"purchase_id": 5}}, None, True),
        ({"metadata": {"purchase_id": "pur\x00"}, "client_reference_id": "pur\x00"}, None, False),
        ({"metadata": {"purchase_id": "x" * 256}, "client_reference_id": "x" * 256}, None, False),
        ({"metadata": {"order": "7"}, "client_reference_id": None}, None, False),
        ({"metadata": ["pur_1"], "client_reference_id": 7}, None, False),
    ],
)
def test_a_purchase_is_named_only_by_metadata_and_reference(changes, purchase_id, noted):
    session = read("checkout.session.completed", SESSION, **changes)
    assert session.purchase_id == purchase_id
    assert ("purchase_id" in session.faults) is noted


@pytest.mark.parametrize("mode", ["subscription", "setup", "never heard of"])
def test_a_session_that_sells_nothing_of_ours_has_no_effect(mode):
    assert isinstance(read("checkout.session.completed", SESSION, mode=mode), NoEffect)


@pytest.mark.parametrize(
    ("event_type", "status", "payment_status", "update"),
    [
        ("checkout.session.completed", "complete", "paid", PurchaseUpdate.PAID),
        ("checkout.session.completed", "complete", "no_payment_required", PurchaseUpdate.PAID),
        ("checkout.session.completed", "complete", "unpaid", PurchaseUpdate.FUNDS_PROMISED),
        ("checkout.session.completed", "open", "paid", None),
        ("checkout.session.async_payment_succeeded", "complete", "paid", PurchaseUpdate.PAID),
        ("checkout.session.async_payment_failed", "complete", "unpaid", PurchaseUpdate.PAYMENT_FAILED),
        ("checkout.session.async_payment_failed", "complete", "paid", PurchaseUpdate.PAID),
        ("checkout.session.async_payment_failed", "complete", "never heard of", PurchaseUpdate.PAYMENT_FAILED),
        ("checkout.session.completed", None, "paid", PurchaseUpdate.PAID),
        ("checkout.session.completed", ABSENT, "unpaid", PurchaseUpdate.FUNDS_PROMISED),
        ("checkout.session.expired", None, None, PurchaseUpdate.CHECKOUT_EXPIRED),
        ("checkout.session.expired", "expired", "never heard of", PurchaseUpdate.CHECKOUT_EXPIRED),
        ("checkout.session.expired", "expired", "unpaid", PurchaseUpdate.CHECKOUT_EXPIRED),
    ],
)
def test_what_a_session_means_for_its_purchase(event_type, status, payment_status, update):
    session = read(event_type, SESSION, status=status, payment_status=payment_status)
    assert update_of(session, event_type) is update


def test_a_session_is_read_whole():
    session = read("checkout.session.completed", SESSION)
    report: CheckoutReport = session
    assert (report.session_id, report.purchase_id, report.account_id, report.mode) == (
        "cs_1",
        "pur_1",
        "acme",
        "payment",
    )
    assert (session.amount_subtotal_minor, session.amount_total_minor) == (4_500, 4_300)
    assert (session.amount_discount_minor, session.amount_tax_minor, session.currency) == (500, 300, "usd")
    assert (session.payment_intent_id, session.customer_id, session.livemode, session.faults) == (
        "pi_1",
        "cus_1",
        False,
        {},
    )
    expanded = {
        "payment_intent": {"id": "pi_1", "object": "payment_intent"},
        "customer": {"id": "cus_1", "deleted": True},
    }
    assert read("checkout.session.completed", SESSION, **expanded) == session


@pytest.mark.parametrize("event_type", ["checkout.session.expired", "checkout.session.async_payment_failed"])
def test_amounts_are_looked_at_only_where_there_is_money(event_type):
    odd = dict.fromkeys(["amount_total", "amount_subtotal", "currency", "total_details", "payment_intent"], -7)
    session = read(event_type, SESSION, status="expired", payment_status="unpaid", **odd)
    assert update_of(session, event_type) is not None
    with pytest.raises(ObjectInvalid):
        read("checkout.session.completed", SESSION, **odd)


KNOWN = ProviderCustomer("cus_1", "a@example.org", "Ada", deleted=False, mark="mark-of-ref_1")
SENT = ProviderRefund("re_1", "pending", 500, "usd", "pi_1", "ch_1", "ref_1", "pur_1", "mark-of-ref_1")
DISPUTED = Dispute(
    "pi_1",
    dispute_id="dp_1",
    amount_minor=700,
    currency="usd",
    word="needs_response",
    reason="fraudulent",
    entries={"txn_1": -700},
    due_time_us=1_800_900_000 * 10**6,
    told_time_us=CREATED_US,
)
UNMARKED = replace(SENT, refund_id=None, purchase_id=None, mark="")


@pytest.mark.parametrize(
    ("event_type", "about", "expected"),
    [
        (
            "payment_intent.succeeded",
            PAYMENT_INTENT,
            PaymentIntent("pi_1", "pur_1", "acme", 4_500, "usd", False, "succeeded"),
        ),
        (
            "payment_intent.succeeded",
            {**PAYMENT_INTENT, "amount_received": 4_300},
            PaymentIntent("pi_1", "pur_1", "acme", 4_300, "usd", False, "succeeded"),
        ),
        (
            "payment_intent.succeeded",
            {**PAYMENT_INTENT, "amount_received": None},
            PaymentIntent("pi_1", "pur_1", "acme", 4_500, "usd", False, "succeeded"),
        ),
        ("charge.refunded", CHARGE, Charge("pi_1")),
        ("charge.refunded", {**CHARGE, "payment_intent": {"id": "pi_1", "object": "payment_intent"}}, Charge("pi_1")),
        ("refund.created", REFUND, SENT),
        ("charge.refund.updated", REFUND, SENT),
        ("refund.failed", {**REFUND, "metadata": {}}, UNMARKED),
        ("refund.failed", {**REFUND, "metadata": None}, UNMARKED),
        ("charge.dispute.created", DISPUTE, DISPUTED),
        ("radar.early_fraud_warning.created", WARNING, EarlyFraudWarning("pi_1")),
        ("customer.created", CUSTOMER, KNOWN),
        (
            "customer.updated",
            {**CUSTOMER, "email": None, "name": 7, "deleted": True},
            replace(KNOWN, email="", name="", deleted=True),
        ),
        ("customer.deleted", CUSTOMER, replace(KNOWN, deleted=True)),
    ],
)
def test_each_family_is_read(event_type, about, expected):
    assert read(event_type, about) == expected


@pytest.mark.parametrize(
    ("event_type", "about"),
    [
        ("payment_intent.payment_failed", PAYMENT_INTENT),
        ("payment_intent.canceled", PAYMENT_INTENT),
        ("refund.created", {**REFUND, "payment_intent": None}),
        ("charge.refunded", {**CHARGE, "payment_intent": None}),
        ("charge.dispute.created", {**DISPUTE, "payment_intent": None}),
        (
            "radar.early_fraud_warning.created",
            {name: value for name, value in WARNING.items() if name != "payment_intent"},
        ),
    ],
)
def test_what_no_rule_needs_has_no_effect(event_type, about):
    assert isinstance(read(event_type, about), NoEffect)


OPEN = whole(
    "checkout.session",
    id="cs_test_9",
    mode="payment",
    status="open",
    payment_status="unpaid",
    currency="usd",
    customer="cus_9",
    amount_subtotal=1_700,
    amount_total=1_700,
    total_details={"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
)
PAID = {"metadata": METADATA, "client_reference_id": "pur_1", "status": "complete", "payment_status": "paid"}
REFUNDED = whole(
    "refund", id="re_9", amount=700, currency="usd", charge="ch_9", payment_intent="pi_9", status="succeeded"
)


@pytest.mark.parametrize(
    ("about", "event_type", "changes", "expected"),
    [
        (
            whole("payment_intent", id="pi_9", amount=3_100, amount_received=3_100, currency="usd", status="succeeded"),
            "payment_intent.succeeded",
            {},
            {"amount_minor": 3_100, "currency": "usd", "purchase_id": None},
        ),
        (
            whole("charge", id="ch_9", payment_intent="pi_9", amount=3_100, amount_refunded=0, currency="usd"),
            "charge.refunded",
            {},
            {"payment_intent_id": "pi_9"},
        ),
        (REFUNDED, "refund.created", {}, {"faults": {}, "amount_minor": 700}),
        (REFUNDED, "charge.refund.updated", {}, {"faults": {}, "amount_minor": 700}),
        (
            whole(
                "dispute",
                id="du_9",
                amount=700,
                currency="usd",
                charge="ch_9",
                reason="general",
                status="needs_response",
            ),
            "charge.dispute.created",
            {"payment_intent": "pi_1"},
            {"payment_intent_id": "pi_1"},
        ),
        (
            whole("customer", id="cus_9", email="customer@example.org", name="A Customer"),
            "customer.created",
            {},
            {"email": "customer@example.org", "name": "A Customer", "faults": {}},
        ),
        (OPEN, "checkout.session.completed", {}, {"purchase_id": None, "faults": {}, "status": "open"}),
        (OPEN, "checkout.session.completed", PAID, {"amount_total_minor": 1_700, "status": "complete", "faults": {}}),
        (OPEN, "checkout.session.completed", {"mode": "subscription"}, NoEffect),
    ],
)
def test_whole_objects_are_read(about, event_type, changes, expected):
    """With every member that Stripe sends, most of them null, and nothing of ours in most."""
    found = read(event_type, about, **changes)
    if expected is NoEffect:
        assert isinstance(found, NoEffect)
    else:
        assert {field: getattr(found, field) for field in expected} == expected


def test_every_type_has_one_family_which_reads_its_object():
    types = [each for family in FAMILIES for each in family.types]
    assert len(types) == len(set(types)) == len(BY_TYPE) == 22
    for event_type, family in BY_TYPE.items():
        about = object_of(event_type)
        assert about["object"] == family.kind
        read(event_type, about)
