"""A dead, slow or erring Stripe, and idempotency keys while it is."""

import asyncio
from typing import Any

import pytest
import stripe

from tests.sandbox.sandbox_running import TEST_KEY, Running


async def customers_of(sandbox: Running) -> int:
    return len((await sandbox.stripe.v1.customers.list_async({"limit": 100})).data)


async def test_same_key_replays_the_first_answer(sandbox: Running) -> None:
    form = {"name": "A", "metadata[a]": "1"}
    first = await sandbox.call("POST", "/v1/customers", form, Idempotency_Key="k")
    again = await sandbox.call("POST", "/v1/customers", dict(reversed(form.items())), Idempotency_Key="k")
    assert (again[0], again[1]) == (200, first[1])
    assert "Idempotent-Replayed" not in first[2]
    assert (again[2]["Idempotent-Replayed"], again[2]["Original-Request"]) == ("true", first[2]["Request-Id"])
    assert again[2]["Request-Id"] != first[2]["Request-Id"]
    assert await customers_of(sandbox) == 1


async def test_same_key_with_other_parameters_or_path_is_refused(sandbox: Running) -> None:
    options: Any = {"idempotency_key": "k"}
    await sandbox.stripe.v1.customers.create_async({"name": "A"}, options)
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        await sandbox.stripe.v1.customers.create_async({"name": "B"}, options)
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        await sandbox.stripe.v1.products.create_async({"name": "A"}, options)
    with pytest.raises(stripe.IdempotencyError, match="at most 255"):
        await sandbox.stripe.v1.customers.create_async({"name": "A"}, {"idempotency_key": "k" * 256})


async def test_card_decline_is_replayed_but_a_bad_parameter_is_not_stored(sandbox: Running) -> None:
    form = {
        "amount": "100",
        "currency": "usd",
        "payment_method_types[]": "card",
        "payment_method": "pm_card_chargeDeclined",
        "confirm": "true",
    }
    first = await sandbox.call("POST", "/v1/payment_intents", form, Idempotency_Key="k1")
    again = await sandbox.call("POST", "/v1/payment_intents", form, Idempotency_Key="k1")
    assert first[0] == again[0] == 402
    assert again[1]["error"]["payment_intent"]["id"] == first[1]["error"]["payment_intent"]["id"]
    assert (await sandbox.call("POST", "/v1/customers", {"nme": "A"}, Idempotency_Key="k2"))[0] == 400
    assert (await sandbox.call("POST", "/v1/customers", {"name": "A"}, Idempotency_Key="k2"))[0] == 200


async def test_key_is_forgotten_after_a_day(sandbox: Running) -> None:
    first = await sandbox.call("POST", "/v1/customers", {"name": "A"}, Idempotency_Key="k")
    await sandbox.control("advance", {"seconds": 24 * 3600 + 1})
    later = await sandbox.call("POST", "/v1/customers", {"name": "B"}, Idempotency_Key="k")
    assert (later[0], later[1]["id"] != first[1]["id"]) == (200, True)


async def test_key_in_use_gets_409(sandbox: Running) -> None:
    await sandbox.control("faults", {"kind": "hang", "seconds": 0.5, "when": "after"})
    slow = asyncio.create_task(sandbox.call("POST", "/v1/customers", {"name": "A"}, Idempotency_Key="k"))
    await sandbox.received.arrived.wait()  # the customer is there, the answer is not
    status, body, _ = await sandbox.call("POST", "/v1/customers", {"name": "A"}, Idempotency_Key="k")
    assert (status, body["error"]["code"]) == (409, "idempotency_key_in_use")
    first = await slow
    assert (await sandbox.call("POST", "/v1/customers", {"name": "A"}, Idempotency_Key="k"))[1] == first[1]


@pytest.mark.parametrize(
    ("fault", "error", "executed"),
    [
        ({"kind": "error"}, stripe.APIError, 0),
        ({"kind": "error", "when": "after"}, stripe.APIError, 1),
        ({"kind": "rate_limit"}, stripe.RateLimitError, 0),
        ({"kind": "drop"}, stripe.APIConnectionError, 0),
        ({"kind": "drop", "when": "after"}, stripe.APIConnectionError, 1),
        ({"kind": "hang", "seconds": 5, "when": "after"}, stripe.APIConnectionError, 1),
    ],
)
async def test_fault_as_the_sdk_sees_it(
    sandbox: Running, fault: dict[str, Any], error: type[Exception], executed: int
) -> None:
    impatient = stripe.HTTPXClient(timeout=1 if fault["kind"] == "hang" else 30)
    client = stripe.StripeClient(TEST_KEY, base_addresses={"api": sandbox.url}, http_client=impatient)
    await sandbox.control("faults", fault | {"method": "POST"})
    with pytest.raises(error):
        await client.v1.customers.create_async({"name": "A"})
    await impatient.close_async()
    assert await customers_of(sandbox) == executed


async def test_stored_500_is_replayed_under_its_key(sandbox: Running) -> None:
    await sandbox.control("faults", {"kind": "error", "when": "after"})
    answers = [await sandbox.call("POST", "/v1/customers", {"name": "A"}, Idempotency_Key="k") for _ in range(2)]
    assert [answer[0] for answer in answers] == [500, 500]
    assert answers[1][2]["Idempotent-Replayed"] == "true"
    assert (await sandbox.call("POST", "/v1/customers", {"name": "A"}, Idempotency_Key="k2"))[0] == 200


async def test_lost_answer_is_recovered_by_the_sdk_with_the_same_key(sandbox: Running) -> None:
    transport = stripe.HTTPXClient(timeout=5)
    client = stripe.StripeClient(
        TEST_KEY, base_addresses={"api": sandbox.url}, http_client=transport, max_network_retries=2
    )
    await sandbox.control("faults", {"kind": "drop", "when": "after", "method": "POST"})
    await client.v1.customers.create_async({"name": "A"}, {"idempotency_key": "k"})
    await transport.close_async()
    assert await customers_of(sandbox) == 1


async def test_faults_match_by_method_and_path_and_can_be_cleared(sandbox: Running) -> None:
    planned = await sandbox.control(
        "faults", {"kind": "error", "count": 2, "method": "POST", "path_prefix": "/v1/refunds"}
    )
    assert planned["faults"][0]["count"] == 2
    assert (await sandbox.call("POST", "/v1/customers", {}))[0] == 200
    assert (await sandbox.call("GET", "/v1/refunds"))[0] == 200
    assert (await sandbox.call("POST", "/v1/refunds", {}))[0] == 500
    assert (await sandbox.control("faults", method="DELETE"))["faults"] == []
    assert (await sandbox.call("POST", "/v1/refunds", {}))[0] == 400
