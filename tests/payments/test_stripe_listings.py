"""What Stripe is asked for when it is compared with the ledger, and how its pages are read."""

import pytest
from stripe import params
from stripe.params import checkout, radar

from billing_service.payments.ports.outcomes import ProviderBusy, ProviderRefused, ProviderUnavailable
from billing_service.reconcile.stages import EVENT_TYPES
from billing_service.reconcile.told import KINDS
from tests.payments.scripted_stripe import Reply
from tests.payments.stripe_answers import REFUND
from tests.payments.stripe_parameters import faults, nested

LISTS = {
    "checkout.session": ("/v1/checkout/sessions", checkout.SessionListParams),
    "payment_intent": ("/v1/payment_intents", params.PaymentIntentListParams),
    "refund": ("/v1/refunds", params.RefundListParams),
    "dispute": ("/v1/disputes", params.DisputeListParams),
    "radar.early_fraud_warning": ("/v1/radar/early_fraud_warnings", radar.EarlyFraudWarningListParams),
    "customer": ("/v1/customers", params.CustomerListParams),
}
SINCE_US, UNTIL_US = 1_800_000_000_999_999, 1_800_000_060_999_999


def page(*objects, has_more=False):
    return Reply({"object": "list", "url": "/v1/x", "has_more": has_more, "data": list(objects)})


def test_every_kind_that_is_compared_is_listed():
    assert tuple(LISTS) == KINDS


@pytest.mark.parametrize("kind", KINDS)
async def test_a_window_of_a_kind(server, provider, kind):
    one, two = ({"id": f"x_{number}", "object": kind} for number in (2, 1))
    server.will(page(one, has_more=True), page(two))
    first = await provider.list_created(kind, SINCE_US, UNTIL_US, "")
    second = await provider.list_created(kind, SINCE_US, UNTIL_US, first.next_after)
    assert ([*first.objects], first.next_after) == ([one], "x_2")
    assert ([*second.objects], second.next_after) == ([two], "")
    path, shape = LISTS[kind]
    for asked, after in zip(server.asked, (None, "x_2"), strict=True):
        assert (asked.path, faults(asked.params, shape)) == (path, [])
        assert (asked.params["limit"], asked.params.get("starting_after")) == ("100", after)
        sent = nested(asked.params)
        assert sent["created"] == {"gte": "1800000000", "lt": "1800000060"}
        assert sent.get("expand") == ({"0": "data.payment_intent"} if kind == "checkout.session" else None)


@pytest.mark.parametrize("kind", ["checkout.session", "refund", "dispute", "radar.early_fraud_warning"])
async def test_what_is_about_a_payment(server, provider, kind):
    server.will(page({"id": "x_1", "object": kind}, has_more=True))
    listed = await provider.list_of_payment(kind, "pi_1")
    assert len(listed.objects) == 1
    [asked] = server.asked
    assert (asked.params["payment_intent"], faults(asked.params, LISTS[kind][1])) == ("pi_1", [])


async def test_events_that_were_not_delivered(server, provider):
    assert all(0 < len(types) <= 20 for types in EVENT_TYPES.values()), "as many as Stripe takes"
    for types in EVENT_TYPES.values():
        server.will(page())
        await provider.list_undelivered_events(types, SINCE_US, UNTIL_US, "evt_9")
        asked = server.asked[-1]
        assert (asked.path, faults(asked.params, params.EventListParams)) == ("/v1/events", [])
        sent = nested(asked.params)
        assert (sent["delivery_success"], [*sent["types"].values()]) == ("false", list(types))
        assert asked.params["starting_after"] == "evt_9"


async def test_one_object(server, provider):
    server.will(Reply(REFUND), Reply({"id": "cs_1", "object": "checkout.session"}))
    assert (await provider.get_object("refund", "re_1"))["id"] == REFUND["id"]
    await provider.get_object("checkout.session", "cs_1")
    assert [nested(asked.params).get("expand") for asked in server.asked] == [None, {"0": "payment_intent"}]


async def test_a_missing_one_is_refused(server, provider):
    server.will(Reply({"error": {"type": "invalid_request_error", "code": "resource_missing"}}, 404))
    with pytest.raises(ProviderRefused) as refused:
        await provider.get_object("dispute", "dp_1")
    assert refused.value.code == "resource_missing"


async def test_too_much_is_told_apart(server, provider):
    server.will(Reply({"error": {"type": "invalid_request_error", "code": "rate_limit"}}, 429))
    with pytest.raises(ProviderBusy):
        await provider.list_created("refund", SINCE_US, UNTIL_US, "")
    server.script = [Reply({"error": {"type": "api_error"}}, 500)]
    with pytest.raises(ProviderUnavailable) as away:
        await provider.list_created("refund", SINCE_US, UNTIL_US, "")
    assert not isinstance(away.value, ProviderBusy)
