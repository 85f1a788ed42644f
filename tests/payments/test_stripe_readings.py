"""What the adapter reads of Stripe's answers, and what of them proves nothing."""

import pytest
from stripe.params import RefundListParams

from billing_service.payments.objects.customer import ProviderCustomer
from billing_service.payments.ports.outcomes import ProviderUnavailable
from tests.payments.scripted_stripe import Reply
from tests.payments.stripe_answers import REFUND, REFUND_ARGUMENTS, SESSION
from tests.payments.stripe_parameters import faults
from tests.support.stripe_members import whole

CUSTOMERS = [
    ({"email": "a@example.org", "name": "Ada", "livemode": False}, ("a@example.org", "Ada", False)),
    ({"email": None, "name": None}, ("", "", False)),
    ({"email": 7, "name": ["Ada"], "created": None}, ("", "", False)),
    ({"deleted": True}, ("", "", True)),
]


@pytest.mark.parametrize(("answer", "customer"), CUSTOMERS)
async def test_a_customer_is_told_as_it_stands(server, provider, answer, customer):
    server.will(Reply({"id": "cus_1", "object": "customer", **answer}))
    assert await provider.get_customer("cus_1") == ProviderCustomer("cus_1", *customer)
    assert [(asked.method, asked.path) for asked in server.asked] == [("GET", "/v1/customers/cus_1")]


@pytest.mark.parametrize("status", ["complete", "expired", "open"])
async def test_a_checkout_is_told_as_it_stands(server, provider, status):
    server.will(Reply({**SESSION, "status": status, "url": None}))
    session = await provider.get_checkout("cs_test_1")
    assert (session.status, session.url) == (status, "")
    assert [(asked.method, asked.path) for asked in server.asked] == [("GET", "/v1/checkout/sessions/cs_test_1")]


async def test_refunds_of_all_pages_are_listed(server, provider):
    def page(*ids, more):
        return Reply(
            {
                "object": "list",
                "url": "/v1/refunds",
                "has_more": more,
                "data": [{**REFUND, "id": i, "charge": {"id": "ch_2"}} for i in ids],
            }
        )

    server.will(page("re_3", "re_2", more=True), page("re_1", more=False))
    refunds = await provider.list_refunds("pi_1")
    assert [(refund.stripe_refund_id, refund.charge_id, refund.refund_id) for refund in refunds] == [
        ("re_3", "ch_2", None),
        ("re_2", "ch_2", None),
        ("re_1", "ch_2", None),
    ]
    assert [asked.params.get("starting_after") for asked in server.asked] == [None, "re_2"]
    for asked in server.asked:
        assert faults(asked.params, RefundListParams) == []


async def test_one_odd_refund_leaves_the_others_of_the_list_as_they_are(server, provider):
    listed = [
        {**REFUND, "amount": 10**15},
        {**REFUND, "id": "re_2", "currency": "USD", "status": None},
        {**REFUND, "id": "re_3"},
    ]
    server.will(Reply({"object": "list", "url": "/v1/refunds", "has_more": False, "data": listed}))
    huge, wordless, good = await provider.list_refunds("pi_1")
    assert (huge.amount_minor, [*huge.faults]) == (None, ["amount_minor"])
    assert (wordless.currency, wordless.status, [*wordless.faults]) == (None, "", ["currency"])
    assert (good.stripe_refund_id, good.faults) == ("re_3", {})


@pytest.mark.parametrize(
    "change",
    [
        *({name: value} for name in ("id", "mode", "status", "payment_status", "currency") for value in (None, 7, "")),
        *({name: value} for name in ("amount_subtotal", "amount_total") for value in (None, "1", -1, 1.5, 10**13)),
        *({"livemode": value} for value in (None, "false", 0)),
        *({"payment_intent": value} for value in (7, {}, {"id": None})),
        {"total_details": []},
        {"total_details": {"amount_tax": "1"}},
        {"object": "refund"},
    ],
)
async def test_a_checkout_that_does_not_say_what_it_is_proves_nothing(server, provider, change):
    server.will(Reply({**SESSION, **change}))
    with pytest.raises(ProviderUnavailable):
        await provider.get_checkout("cs_test_1")


@pytest.mark.parametrize(
    "change", [{"expires_at": None}, {"url": 7}, {"metadata": []}, {"customer": 7}, {"total_details": None}]
)
async def test_a_checkout_need_not_say_what_no_rule_needs(server, provider, change):
    server.will(Reply({**SESSION, **change}))
    assert (await provider.get_checkout("cs_test_1")).session_id == "cs_test_1"


async def test_whole_objects_are_read(server, provider):
    """With every member that Stripe sends: a session that is new knows no payment yet."""
    sums = {
        "amount_subtotal": 1_700,
        "amount_total": 1_700,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    }
    described = {
        "mode": "payment",
        "status": "open",
        "payment_status": "unpaid",
        "currency": "usd",
        "customer": "cus_9",
    }
    opened = whole(
        "checkout.session",
        id="cs_test_9",
        expires_at=1_790_086_400,
        url="https://checkout.example/9",
        **sums,
        **described,
    )
    sent = whole(
        "refund", id="re_9", amount=700, currency="usd", charge="ch_9", payment_intent="pi_9", status="succeeded"
    )
    server.will(Reply(opened), Reply(sent))
    session = await provider.get_checkout("cs_test_9")
    assert (session.status, session.payment_status, session.amount_total_minor, session.mode) == (
        "open",
        "unpaid",
        1_700,
        "payment",
    )
    assert (session.payment_intent_id, session.purchase_id, session.customer_id) == (None, None, "cus_9")
    assert session.expire_time_us == 1_790_086_400_000_000
    refund = await provider.create_refund(**REFUND_ARGUMENTS)
    assert (refund.stripe_refund_id, refund.amount_minor, refund.status) == ("re_9", 700, "succeeded")


@pytest.mark.parametrize(
    ("metadata", "client_reference_id", "purchase_id"),
    [
        ({"purchase_id": "pur_1"}, None, None),
        ({}, "pur_1", None),
        ({"purchase_id": "pur_1"}, "pur_2", None),
        (None, None, None),
    ],
)
async def test_a_purchase_is_named_only_by_metadata_and_reference(
    server, provider, metadata, client_reference_id, purchase_id
):
    server.will(
        Reply({**SESSION, "metadata": metadata, "client_reference_id": client_reference_id, "total_details": None})
    )
    assert (await provider.get_checkout("cs_test_1")).purchase_id == purchase_id
