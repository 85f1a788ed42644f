"""The doubles of the payment provider have every call of every capability, by walking the Protocols."""

import inspect

import pytest

from billing_service.payments.ports.provider import CAPABILITIES, OPERATIONS
from billing_service.payments.stripe.provider import StripeProvider
from tests.payments.stripe_answers import ORDER, PAYMENT_ORDER, REFUND_ARGUMENTS
from tests.support.fault_provider import StripeInMemory
from tests.support.provider_line import ProviderCall, ProviderLine, takes_every_call

ASKED = {
    "create_customer": {
        "account_id": "acme",
        "email": "a@example.org",
        "name": "Acme",
        "mark": "mark",
        "idempotency_key": "customer:acme",
        "contact_version": 0,
    },
    "update_customer": {
        "customer_id": "cus_1",
        "account_id": "acme",
        "email": "",
        "name": "Acme",
        "mark": "mark",
        "contact_version": None,
    },
    "get_customer": {"customer_id": "cus_1"},
    "create_checkout": {"order": ORDER},
    "get_checkout": {"session_id": "cs_1"},
    "expire_checkout": {"session_id": "cs_1", "idempotency_key": "cancel:cs_1"},
    "create_payment": {"order": PAYMENT_ORDER},
    "get_payment": {"payment_intent_id": "pi_1"},
    "cancel_payment": {"payment_intent_id": "pi_1", "idempotency_key": "cancel:pi_1"},
    "create_refund": REFUND_ARGUMENTS,
    "list_refunds": {"payment_intent_id": "pi_1"},
    "list_created": {"kind": "refund", "since_us": 1, "until_us": 2, "after": "re_1"},
    "list_of_payment": {"kind": "dispute", "payment_intent_id": "pi_1"},
    "list_undelivered_events": {"types": ["refund.created"], "since_us": 1, "until_us": 2, "after": ""},
    "get_object": {"kind": "dispute", "object_id": "dp_1"},
}
KEYS = {
    "create_customer": "customer:acme",
    "create_checkout": "checkout:pur_1",
    "expire_checkout": "cancel:cs_1",
    "create_payment": "payment:pur_1",
    "cancel_payment": "cancel:pi_1",
    "create_refund": "refund:ref_1",
}


def declared():
    return {
        name: inspect.signature(method)
        for capability in CAPABILITIES
        for name, method in vars(capability).items()
        if inspect.iscoroutinefunction(method)
    }


def test_every_call_of_every_capability_is_an_operation():
    assert tuple(declared()) == OPERATIONS == tuple(dict.fromkeys(OPERATIONS))
    assert set(ASKED) == set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_adapter_takes_what_the_port_says(name):
    assert inspect.signature(getattr(StripeProvider, name)).parameters.keys() == declared()[name].parameters.keys()


def test_a_stripe_in_memory_takes_what_the_port_says():
    takes_every_call(StripeInMemory)
    with pytest.raises(AttributeError):
        takes_every_call(ProviderCall)


class Echo:
    """Answers each call with what it was asked."""

    def __getattr__(self, name):
        return lambda **asked: (name, asked)


class Loses(ProviderLine):
    """Loses the answers of one call."""

    def __init__(self, stripe, lost):
        super().__init__(stripe)
        self._lost = lost

    async def carry(self, call):
        answer = call.effect()
        if call.name == self._lost:
            raise TimeoutError(call.key)
        return answer


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_line_may_lose_the_answer_of_any_call(name):
    line = Loses(Echo(), name)
    with pytest.raises(TimeoutError) as lost:
        await getattr(line, name)(**ASKED[name])
    assert str(lost.value) == KEYS.get(name, "")
    for other in OPERATIONS:
        if other != name:
            assert await getattr(line, other)(**ASKED[other]) == (other, ASKED[other])
    assert line.asked[0] == (name, ASKED[name])


async def test_arguments_have_their_names_however_they_come():
    line = ProviderLine(Echo())
    assert await line.expire_checkout("cs_1", "k") == (
        "expire_checkout",
        {"session_id": "cs_1", "idempotency_key": "k"},
    )
    left_out = {name: value for name, value in ASKED["create_customer"].items() if name != "contact_version"}
    assert await line.create_customer(**left_out) == ("create_customer", ASKED["create_customer"])
    with pytest.raises(TypeError):
        await line.get_checkout("cs_1", colour="red")
