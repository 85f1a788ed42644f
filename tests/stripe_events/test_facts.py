"""What events say, of objects with every member that Stripe sends too."""

from dataclasses import replace

import pytest

from billing_service.domain.sales.purchases import CheckoutReport, PurchaseUpdate
from billing_service.payments.port import ProviderRefund
from billing_service.stripe_events.customer_facts import CustomerFact
from billing_service.stripe_events.facts import (
    HANDLED_TYPES,
    ChargeFact,
    DisputeFact,
    NoFact,
    PaymentIntentFact,
    RefundFact,
    checkout_fact,
    parse_fact,
)
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
    envelope,
    object_of,
)
from tests.support.stripe_members import whole


@pytest.mark.parametrize("event_type", ["plan.created", "charge.refund", "checkout.session", "", "invoice.paid"])
def test_other_types_tell_no_fact(event_type):
    assert event_type not in HANDLED_TYPES
    assert parse_fact(envelope(event_type, {"object": "whatever"})) is None


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
    fact = checkout_fact(envelope("checkout.session.completed", SESSION, **changes))
    assert fact.purchase_id == purchase_id
    assert bool(fact.note) is noted


@pytest.mark.parametrize("mode", ["subscription", "setup", "never heard of"])
def test_a_session_that_sells_nothing_of_ours_tells_no_fact(mode):
    assert isinstance(parse_fact(envelope("checkout.session.completed", SESSION, mode=mode)), NoFact)


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
    fact = checkout_fact(envelope(event_type, SESSION, status=status, payment_status=payment_status))
    assert fact.update is update


def test_a_session_is_read_whole():
    fact = checkout_fact(envelope("checkout.session.completed", SESSION))
    report: CheckoutReport = fact
    assert (report.session_id, report.purchase_id, report.account_id, report.mode) == ("cs_1", "pur_1", "acme", "payment")
    amounts = (fact.amount_subtotal_minor, fact.amount_total_minor, fact.amount_discount_minor, fact.amount_tax_minor, fact.currency)
    assert amounts == (4_500, 4_300, 500, 300, "usd")
    assert (fact.payment_intent_id, fact.livemode) == ("pi_1", False)
    expanded = envelope("checkout.session.completed", SESSION, payment_intent={"id": "pi_1", "object": "payment_intent"})
    assert checkout_fact(expanded) == fact


@pytest.mark.parametrize("event_type", ["checkout.session.expired", "checkout.session.async_payment_failed"])
def test_amounts_are_looked_at_only_where_there_is_money(event_type):
    odd = dict.fromkeys(["amount_total", "amount_subtotal", "currency", "total_details", "payment_intent"], -7)
    fact = checkout_fact(envelope(event_type, SESSION, status="expired", payment_status="unpaid", **odd))
    assert (fact.amount_total_minor, fact.amount_subtotal_minor, fact.currency, fact.amount_discount_minor) == (None, None, None, 0)


SENT = ProviderRefund("re_1", "pending", 500, "usd", "pi_1", None, "ref_1", "pur_1", "mark-of-ref_1")
UNMARKED = replace(SENT, refund_id=None, purchase_id=None, mark="")


@pytest.mark.parametrize(
    ("event_type", "about", "fact"),
    [
        ("payment_intent.succeeded", PAYMENT_INTENT, PaymentIntentFact("pi_1", "pur_1", "acme", 4_500, "usd", CREATED_US)),
        (
            "payment_intent.succeeded",
            {**PAYMENT_INTENT, "amount_received": 4_300},
            PaymentIntentFact("pi_1", "pur_1", "acme", 4_300, "usd", CREATED_US),
        ),
        (
            "payment_intent.succeeded",
            {**PAYMENT_INTENT, "amount_received": None},
            PaymentIntentFact("pi_1", "pur_1", "acme", 4_500, "usd", CREATED_US),
        ),
        ("charge.refunded", CHARGE, ChargeFact("pi_1")),
        ("charge.refunded", {**CHARGE, "payment_intent": {"id": "pi_1", "object": "payment_intent"}}, ChargeFact("pi_1")),
        ("refund.created", REFUND, RefundFact("pi_1", SENT, "")),
        ("charge.refund.updated", REFUND, RefundFact("pi_1", SENT, "")),
        ("refund.failed", {**REFUND, "metadata": {}}, RefundFact("pi_1", UNMARKED, "")),
        ("refund.failed", {**REFUND, "metadata": None}, RefundFact("pi_1", UNMARKED, "")),
        ("charge.dispute.created", DISPUTE, DisputeFact("pi_1")),
        ("radar.early_fraud_warning.created", WARNING, DisputeFact("pi_1")),
        ("customer.created", CUSTOMER, CustomerFact("cus_1", "a@example.org", "Ada", "acme", CREATED_US, is_new=True, deleted=False)),
        (
            "customer.updated",
            {**CUSTOMER, "email": None, "name": 7, "deleted": True},
            CustomerFact("cus_1", "", "", "acme", CREATED_US, is_new=False, deleted=True),
        ),
        ("customer.deleted", CUSTOMER, CustomerFact("cus_1", "a@example.org", "Ada", "acme", CREATED_US, is_new=False, deleted=True)),
    ],
)
def test_each_family_is_read(event_type, about, fact):
    assert parse_fact(envelope(event_type, about)) == fact


@pytest.mark.parametrize(
    ("event_type", "about"),
    [
        ("payment_intent.payment_failed", PAYMENT_INTENT),
        ("payment_intent.canceled", PAYMENT_INTENT),
        ("refund.created", {**REFUND, "payment_intent": None}),
        ("charge.refunded", {**CHARGE, "payment_intent": None}),
        ("charge.dispute.created", {**DISPUTE, "payment_intent": None}),
        ("radar.early_fraud_warning.created", {name: value for name, value in WARNING.items() if name != "payment_intent"}),
    ],
)
def test_what_no_rule_needs_tells_no_fact(event_type, about):
    assert isinstance(parse_fact(envelope(event_type, about)), NoFact)


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
REFUNDED = whole("refund", id="re_9", amount=700, currency="usd", charge="ch_9", payment_intent="pi_9", status="succeeded")


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
        (REFUNDED, "refund.created", {}, {"fault": ""}),
        (REFUNDED, "charge.refund.updated", {}, {"fault": ""}),
        (
            whole("dispute", id="du_9", amount=700, currency="usd", charge="ch_9", reason="general", status="needs_response"),
            "charge.dispute.created",
            {"payment_intent": "pi_1"},
            {"payment_intent_id": "pi_1"},
        ),
        (
            whole("customer", id="cus_9", email="customer@example.org", name="A Customer"),
            "customer.created",
            {},
            {"email": "customer@example.org", "name": "A Customer", "account_id": None},
        ),
        (OPEN, "checkout.session.completed", {}, {"purchase_id": None, "note": "", "update": None}),
        (OPEN, "checkout.session.completed", PAID, {"amount_total_minor": 1_700, "update": PurchaseUpdate.PAID}),
        (OPEN, "checkout.session.completed", {"mode": "subscription"}, NoFact),
    ],
)
def test_whole_objects_are_read(about, event_type, changes, expected):
    """With every member that Stripe sends, most of them null, and nothing of ours in most."""
    fact = parse_fact(envelope(event_type, about, **changes))
    if expected is NoFact:
        assert isinstance(fact, NoFact)
    else:
        assert {field: getattr(fact, field) for field in expected} == expected


def test_every_handled_type_has_a_family():
    for event_type in HANDLED_TYPES:
        assert parse_fact(envelope(event_type, object_of(event_type))) is not None
    assert len(HANDLED_TYPES) == 21
