"""Payments that a purchase asks for itself, as Stripe is asked for them and as its answers are read."""

import pytest
from stripe import params

from billing_service.domain.deployment import MARK_FIELD
from billing_service.payments.ports.outcomes import ProviderUnavailable
from tests.payments.scripted_stripe import Reply
from tests.payments.stripe_answers import PAYMENT_ORDER
from tests.payments.stripe_parameters import faults, nested

INTENT = {
    "id": "pi_1",
    "object": "payment_intent",
    "amount": 4_500,
    "amount_received": 0,
    "currency": "usd",
    "status": "requires_payment_method",
    "client_secret": "pi_1_secret_2",
    "last_payment_error": None,
    "livemode": False,
    "metadata": {"purchase_id": "pur_1", "account_id": "acme"},
}


@pytest.mark.parametrize("change", [{"id": None}, {"status": None}, {"currency": "USD"}, {"client_secret": None}])
async def test_a_payment_that_does_not_say_what_it_is_proves_nothing(server, provider, change):
    server.will(Reply(INTENT | change))
    with pytest.raises(ProviderUnavailable):
        await provider.create_payment(PAYMENT_ORDER)


async def test_a_payment_is_asked_for_in_stripes_own_terms(server, provider):
    server.will(Reply(INTENT))
    made = await provider.create_payment(PAYMENT_ORDER)
    assert (made.payment_intent_id, made.client_secret, made.status) == ("pi_1", "pi_1_secret_2", INTENT["status"])
    assert "secret_2" not in repr(made)
    [asked] = server.asked
    assert (asked.method, asked.path, asked.key) == ("POST", "/v1/payment_intents", "payment:pur_1")
    assert faults(asked.params, params.PaymentIntentCreateParams) == []
    assert nested(asked.params) == {
        "amount": "4500",
        "currency": "usd",
        "customer": "cus_1",
        "description": "Standard Pack",
        "automatic_payment_methods": {"enabled": "true"},
        "metadata": {
            "order": "7",
            "purchase_id": "pur_1",
            "account_id": "acme",
            "payment_flow": "payment_intent",
            MARK_FIELD: "mark-of-pur_1",
        },
    }


async def test_a_payment_is_read_and_called_off(server, provider):
    server.will(
        Reply(INTENT | {"last_payment_error": {"code": "card_declined"}}), Reply(INTENT | {"status": "canceled"})
    )
    read = await provider.get_payment("pi_1")
    assert (read.has_failed, read.purchase_id, read.livemode) == (True, "pur_1", False)
    assert (await provider.cancel_payment("pi_1", "cancel:pi_1")).status == "canceled"
    assert [(asked.path, asked.key) for asked in server.asked] == [
        ("/v1/payment_intents/pi_1", None),
        ("/v1/payment_intents/pi_1/cancel", "cancel:pi_1"),
    ]
