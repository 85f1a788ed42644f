"""Whose object an event is about: ids in our tables and our marks decide, and nothing else that an object says."""

from dataclasses import replace
from functools import partial

import pytest

from billing_service.domain.deployment import MARK_FIELD, MarkKind
from billing_service.domain.sales.purchases import Purchase, PurchaseStatus
from billing_service.storage.rows.profiles import CLAIM_CUSTOMER, ensure_account
from billing_service.storage.rows.purchases import PURCHASES, claim_reference
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.ownership import FOREIGN, LOST, UNDECIDED, Owner, Whose, read_claim
from billing_service.stripe_events.registry import BY_TYPE
from tests.support.doubles import DAY_US, DEPLOYMENT, START_US

OURS = Owner(Whose.OURS, ("acme", "pur_ours"))
OLD = Owner(Whose.OURS, ("acme", "pur_old"))
CUSTOMER = Owner(Whose.OURS, account_id="acme")
CHECKOUT, PAYMENT, CHARGE, REFUND, PERSON = (
    "checkout.session.completed",
    "payment_intent.succeeded",
    "charge.refunded",
    "refund.created",
    "customer.updated",
)
OLD_REFUND, DISPUTE, WARNING = "charge.refund.updated", "charge.dispute.created", "radar.early_fraud_warning.created"
ANOTHER = replace(DEPLOYMENT, deployment_id="dep_another")
"""A ledger that was restored and renewed has the original's key in its backups: the id alone must tell them apart."""


def marked(kind, own_id, field, *, by=DEPLOYMENT, **more):
    return {"metadata": {field: own_id, MARK_FIELD: by.mark(kind, own_id), **more}}


def purchase_of(purchase_id, **options):
    return marked(MarkKind.PURCHASE, purchase_id, "purchase_id", **options)


def unmarked(**metadata):
    return {"metadata": metadata}


FORGED = purchase_of("pur_ours")["metadata"][MARK_FIELD][:-1] + "g"

CASES = {
    # Nothing in metadata is believed by itself.
    "a checkout that names a purchase of ours": (CHECKOUT, {"id": "cs_x", "client_reference_id": "pur_ours"}, FOREIGN),
    "a checkout with our metadata and no mark": (
        CHECKOUT,
        {"id": "cs_x", **unmarked(purchase_id="pur_ours", account_id="acme")},
        FOREIGN,
    ),
    "a checkout of stripe trigger": (CHECKOUT, {"id": "cs_x", "metadata": {}, "client_reference_id": None}, FOREIGN),
    "a checkout with a forged mark": (
        CHECKOUT,
        {"id": "cs_x", **unmarked(purchase_id="pur_ours", **{MARK_FIELD: FORGED})},
        FOREIGN,
    ),
    "a checkout of another deployment": (CHECKOUT, {"id": "cs_x", **purchase_of("pur_ours", by=ANOTHER)}, FOREIGN),
    "a checkout with a refund's mark": (
        CHECKOUT,
        {"id": "cs_x", **marked(MarkKind.REFUND, "pur_ours", "purchase_id")},
        FOREIGN,
    ),
    "a checkout with another purchase's mark": (
        CHECKOUT,
        {"id": "cs_x", "metadata": {**purchase_of("pur_old")["metadata"], "purchase_id": "pur_ours"}},
        FOREIGN,
    ),
    "an unmarked checkout that names an old purchase": (
        CHECKOUT,
        {"id": "cs_x", **unmarked(purchase_id="pur_old")},
        FOREIGN,
    ),
    "a payment with our metadata and no mark": (PAYMENT, {"id": "pi_x", **unmarked(purchase_id="pur_ours")}, FOREIGN),
    "a payment of another deployment": (PAYMENT, {"id": "pi_x", **purchase_of("pur_ours", by=ANOTHER)}, FOREIGN),
    "a payment of another deployment for an old purchase": (
        PAYMENT,
        {"id": "pi_x", **purchase_of("pur_old", by=ANOTHER)},
        FOREIGN,
    ),
    "a payment without metadata": (PAYMENT, {"id": "pi_x", "metadata": None}, FOREIGN),
    "a charge with our metadata and no mark": (
        CHARGE,
        {"payment_intent": "pi_x", **unmarked(purchase_id="pur_ours")},
        FOREIGN,
    ),
    "a charge of another deployment": (
        CHARGE,
        {"payment_intent": "pi_x", **purchase_of("pur_ours", by=ANOTHER)},
        FOREIGN,
    ),
    "a charge without a payment": (CHARGE, {"payment_intent": None, "metadata": {}}, FOREIGN),
    "a refund of another deployment": (
        REFUND,
        {"payment_intent": "pi_x", **marked(MarkKind.REFUND, "ref_1", "refund_id", by=ANOTHER)},
        FOREIGN,
    ),
    "a refund of a charge without a payment": (
        REFUND,
        {"payment_intent": None, **unmarked(refund_id="ref_1")},
        FOREIGN,
    ),
    "a dispute of a charge without a payment": (
        DISPUTE,
        {"id": "dp_1", "charge": "ch_1", "payment_intent": None},
        FOREIGN,
    ),
    "a customer with our account's id": (PERSON, {"id": "cus_x", **unmarked(account_id="acme")}, FOREIGN),
    "a customer of another deployment": (
        PERSON,
        {"id": "cus_x", **marked(MarkKind.CUSTOMER, "acme", "account_id", by=ANOTHER)},
        FOREIGN,
    ),
    "a customer with another account's mark": (
        PERSON,
        {"id": "cus_x", **marked(MarkKind.CUSTOMER, "other", "account_id", account_id="acme")},
        FOREIGN,
    ),
    "a customer of nobody": (PERSON, {"id": "cus_x"}, FOREIGN),
    # An id at Stripe that we know is ours, whatever else the object says.
    "our checkout": (CHECKOUT, {"id": "cs_ours", **purchase_of("pur_ours")}, OURS),
    "our checkout, unmarked": (CHECKOUT, {"id": "cs_old", **unmarked(purchase_id="pur_old")}, OLD),
    "our checkout, its metadata removed": (CHECKOUT, {"id": "cs_ours", "metadata": {}}, OURS),
    "our checkout with another's mark": (CHECKOUT, {"id": "cs_ours", **purchase_of("pur_ours", by=ANOTHER)}, OURS),
    "our payment, unmarked": (PAYMENT, {"id": "pi_ours", "metadata": {}}, OURS),
    "our charge, unmarked": (CHARGE, {"id": "ch_1", "payment_intent": "pi_ours", "metadata": {}}, OURS),
    "our charge, its payment expanded": (
        CHARGE,
        {"id": "ch_1", "payment_intent": {"id": "pi_ours"}, "metadata": {}},
        OURS,
    ),
    "a refund of the Dashboard": (REFUND, {"id": "re_1", "payment_intent": "pi_ours", "metadata": {}}, OURS),
    "a refund's failure, as old endpoints tell it": (
        OLD_REFUND,
        {"id": "re_1", "payment_intent": "pi_ours", "metadata": {}},
        OURS,
    ),
    "a dispute of our payment": (DISPUTE, {"id": "dp_1", "payment_intent": "pi_ours"}, OURS),
    "a fraud warning of our payment": (WARNING, {"id": "issfr_1", "payment_intent": {"id": "pi_ours"}}, OURS),
    "another's refund of our payment": (
        REFUND,
        {"payment_intent": "pi_ours", **marked(MarkKind.REFUND, "ref_1", "refund_id", by=ANOTHER)},
        OURS,
    ),
    "our customer, unmarked": (PERSON, {"id": "cus_ours", **unmarked(account_id="other")}, CUSTOMER),
    # Our mark.
    "a second page of our purchase": (CHECKOUT, {"id": "cs_x", **purchase_of("pur_ours")}, OURS),
    "a payment not bound yet": (PAYMENT, {"id": "pi_x", **purchase_of("pur_old")}, OLD),
    "a charge not bound yet": (CHARGE, {"id": "ch_1", "payment_intent": "pi_x", **purchase_of("pur_old")}, OLD),
    "a customer not linked yet": (PERSON, {"id": "cus_x", **marked(MarkKind.CUSTOMER, "acme", "account_id")}, CUSTOMER),
    # What was paid with before there were marks.
    "an unmarked payment of an old purchase": (PAYMENT, {"id": "pi_x", **unmarked(purchase_id="pur_old")}, OLD),
    "an unmarked charge of an old purchase": (
        CHARGE,
        {"payment_intent": "pi_x", **unmarked(purchase_id="pur_old")},
        OLD,
    ),
    # Ours, and the ledger does not know it.
    "a lost checkout": (CHECKOUT, {"id": "cs_x", **purchase_of("pur_lost")}, LOST),
    "a lost payment": (PAYMENT, {"id": "pi_x", **purchase_of("pur_lost")}, LOST),
    "a lost charge": (CHARGE, {"payment_intent": "pi_x", **purchase_of("pur_lost")}, LOST),
    "a lost refund": (REFUND, {"payment_intent": "pi_x", **marked(MarkKind.REFUND, "ref_lost", "refund_id")}, LOST),
    "a lost customer": (PERSON, {"id": "cus_x", **marked(MarkKind.CUSTOMER, "lost", "account_id")}, LOST),
    # A refund says nothing of whose payment it is.
    "a refund of a payment not known yet": (
        REFUND,
        {"id": "re_1", "payment_intent": "pi_x", "metadata": {}},
        UNDECIDED,
    ),
    "a dispute of a payment not known yet": (
        DISPUTE,
        {"id": "dp_1", "payment_intent": "pi_x", **purchase_of("pur_ours")},
        UNDECIDED,
    ),
    "a fraud warning of a payment not known yet": (WARNING, {"id": "issfr_1", "payment_intent": "pi_x"}, UNDECIDED),
    "one that names a refund of ours": (REFUND, {"payment_intent": "pi_x", **unmarked(refund_id="ref_1")}, UNDECIDED),
}


def purchase(purchase_id, create_time_us, **ids):
    nothing = dict.fromkeys(
        ("checkout_url", "lot_id", "success_url", "cancel_url", "metadata", "package_code", "name", "description"), ""
    )
    zero = dict.fromkeys(("attempt", "paid_minor", "refunded_minor", "disputed_minor", "reversed"), 0)
    sold = {
        "credits": 1,
        "amount_minor": 1,
        "currency": "usd",
        "status": PurchaseStatus.PENDING,
        "complete_time_us": None,
    }
    times = {"create_time_us": create_time_us, "expire_time_us": create_time_us}
    return Purchase(account_id="acme", purchase_id=purchase_id, **nothing, **zero, **sold, **times, **ids)


@pytest.fixture
async def known(store):
    """A ledger with a purchase older than its marks and one that is not, and with a customer."""

    def work():
        yield from ensure_account("acme", START_US, lambda: "AAAA-AAAA")
        yield CLAIM_CUSTOMER("cus_ours", "acme")
        for made in (
            purchase("pur_ours", START_US, checkout_session_id="cs_ours", payment_intent_id="pi_ours"),
            purchase("pur_old", START_US - DAY_US, checkout_session_id="cs_old", payment_intent_id=""),
        ):
            yield from PURCHASES.add(made)
            for reference in (made.purchase_id, made.checkout_session_id, made.payment_intent_id):
                if reference:
                    assert (yield from claim_reference(reference, "acme", made.purchase_id))

    await store.write(work)
    return store


def claim_of(event_type, about):
    return read_claim(Envelope("evt_1", event_type, False, 0, is_connected=False, object=about))


def owner_of(event_type, about):
    return partial(BY_TYPE[event_type].owner, DEPLOYMENT, claim_of(event_type, about))


async def test_whose_it_is(known):
    found = {}
    for name, (event_type, about, _) in CASES.items():
        found[name] = await known.read(owner_of(event_type, about))
    assert found == {name: owner for name, (_, _, owner) in CASES.items()}


async def test_an_empty_ledger_has_nothing_and_believes_its_marks(store):
    """As after a restore of an older backup: what was ours and is not known is lost, all else is as foreign as
    before."""
    for name, (event_type, about, owner) in CASES.items():
        found = await store.read(owner_of(event_type, about))
        assert found.whose is not Whose.OURS, name
        assert found == owner or owner.whose is Whose.OURS, name


@pytest.mark.parametrize("value", [None, 7, [], {}, "", "x" * 256, "a\x00b", ["pur_ours"], {"id": 7}, True])
def test_an_object_of_any_shape_claims_nothing(value):
    for field in ("id", "payment_intent", "metadata"):
        claim = claim_of(CHECKOUT, {"object": "checkout.session", field: value})
        assert {*claim} == {""}
    named = dict.fromkeys(("purchase_id", "refund_id", "account_id", MARK_FIELD), value)
    assert {*claim_of(CHECKOUT, {"metadata": named})} == {""}
