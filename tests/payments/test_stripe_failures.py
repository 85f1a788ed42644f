"""Whatever goes wrong between here and Stripe becomes one of the port's two words: a definite no, or an unknown
outcome."""

import asyncio
import time

import pytest
import stripe
import structlog

from billing_service.payments.ports.outcomes import ProviderKeyRefused, ProviderRefused, ProviderUnavailable
from billing_service.payments.stripe.errors import EFFECTS
from billing_service.payments.stripe.provider import StripeProvider
from tests.payments.scripted_stripe import Drop, Hang, Reply
from tests.payments.stripe_answers import KEY, REFUND, REFUND_ARGUMENTS, error_reply
from tests.support.stripe_members import ERROR_HEADERS, error_body

REFUSALS = [
    (error_reply(400, type="invalid_request_error", code="charge_already_refunded"), "charge_already_refunded", None),
    (
        error_reply(400, type="invalid_request_error", code="amount_too_small", param="amount"),
        "amount_too_small",
        "amount",
    ),
    (error_reply(400, type="invalid_request_error"), "invalid_request_error", None),
    (
        error_reply(404, type="invalid_request_error", code="resource_missing", param="payment_intent"),
        "resource_missing",
        "payment_intent",
    ),
    (error_reply(402, type="card_error", code="card_declined", decline_code="lost_card"), "card_declined", None),
]


@pytest.mark.parametrize(("reply", "code", "param"), REFUSALS)
async def test_a_definite_no_is_refused_at_once(server, provider, reply, code, param):
    server.will(reply)
    with pytest.raises(ProviderRefused) as caught:
        await provider.create_refund(**REFUND_ARGUMENTS)
    assert (caught.value.code, caught.value.message, caught.value.param) == (code, "no", param)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "invalid_request_error", "parameter_invalid_integer"),
        (402, "card_error", "card_declined"),
        (404, "invalid_request_error", "resource_missing"),
    ],
)
async def test_a_no_with_every_member_is_refused(server, provider, status, kind, code):
    server.will(
        Reply(error_body(status, type=kind, code=code), status, dict.fromkeys(ERROR_HEADERS[status].split(), "false"))
    )
    with pytest.raises(ProviderRefused) as caught:
        await provider.create_refund(**REFUND_ARGUMENTS)
    assert caught.value.code == code


UNKNOWN = [
    pytest.param(error_reply(500, type="api_error"), 3, id="500"),
    pytest.param(
        error_reply(500, type="api_error", headers={"Stripe-Should-Retry": "false"}), 1, id="500-do-not-retry"
    ),
    pytest.param(error_reply(503, type="api_error"), 3, id="503"),
    pytest.param(Reply("<html>bad gateway</html>", 502), 3, id="502-html"),
    pytest.param(error_reply(429, type="invalid_request_error", code="rate_limit"), 1, id="429"),
    pytest.param(error_reply(400, type="invalid_request_error", code="rate_limit"), 1, id="400-rate-limit"),
    pytest.param(error_reply(400, type="invalid_request_error", code="lock_timeout"), 1, id="400-lock-timeout"),
    pytest.param(error_reply(409, type="idempotency_error", code="idempotency_key_in_use"), 3, id="409-in-use"),
    pytest.param(error_reply(400, type="idempotency_error"), 1, id="other-parameters"),
    pytest.param(error_reply(401, type="invalid_request_error"), 1, id="401"),
    pytest.param(error_reply(403, type="invalid_request_error"), 1, id="403"),
    pytest.param(error_reply(418, type="teapot"), 1, id="418"),
    pytest.param(Hang(), 3, id="hang"),
    pytest.param(Drop(), 3, id="drop"),
    pytest.param(Drop(half=True), 3, id="drop-in-the-body"),
    pytest.param(Reply("not json"), 1, id="not-json"),
    pytest.param(Reply("[]"), 1, id="array"),
    pytest.param(Reply("null"), 1, id="null"),
    pytest.param(Reply({}), 1, id="empty"),
    pytest.param(Reply({**REFUND, "amount": "500"}), 1, id="amount-as-text"),
    pytest.param(Reply({**REFUND, "amount": 5.5}), 1, id="amount-as-float"),
    pytest.param(Reply({**REFUND, "status": None}), 1, id="no-status"),
]


@pytest.mark.parametrize(("step", "attempts"), UNKNOWN)
async def test_anything_else_leaves_the_outcome_unknown(server, provider, step, attempts):
    server.will(step)
    with pytest.raises(ProviderUnavailable) as caught:
        await provider.create_refund(**REFUND_ARGUMENTS)
    assert not caught.value.key_spent
    assert [asked.key for asked in server.asked] == ["refund:ref_1"] * attempts
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(("status", "error"), [(401, "AuthenticationError"), (403, "PermissionError")])
async def test_a_key_that_stripe_refuses_is_told_apart_and_names_the_setting(server, provider, status, error):
    """Stripe's answers to it have no code."""
    server.will(Reply(error_body(401, type="invalid_request_error"), status))
    with structlog.testing.capture_logs() as lines, pytest.raises(ProviderKeyRefused, match=error):
        await provider.get_checkout("cs_test_1")
    (line,) = lines
    assert (line["event"], line["log_level"], line["setting"], line["http_status"]) == (
        "stripe_key_refused",
        "error",
        "STRIPE_SECRET_KEY",
        status,
    )
    assert ("permission" in line["hint"]) is (status == 403)
    assert KEY not in repr(lines)
    assert provider.calls == {("get_checkout", "key_refused"): 1}


@pytest.mark.parametrize(
    "step",
    [error_reply(500, type="api_error"), error_reply(429, type="invalid_request_error", code="rate_limit"), Drop()],
)
async def test_a_stripe_that_is_away_refuses_no_key(server, provider, step):
    server.will(step)
    with pytest.raises(ProviderUnavailable) as caught:
        await provider.get_checkout("cs_test_1")
    assert not isinstance(caught.value, ProviderKeyRefused)


@pytest.mark.parametrize(("status", "key_spent"), [(500, True), (503, True), (409, False), (400, None)])
async def test_a_stored_failure_tells_that_its_key_is_spent(server, provider, status, key_spent):
    server.will(
        error_reply(
            status, type="api_error", code="x", headers={"Idempotent-Replayed": "true", "Stripe-Should-Retry": "false"}
        )
    )
    with pytest.raises(ProviderRefused if key_spent is None else ProviderUnavailable) as caught:
        await provider.create_refund(**REFUND_ARGUMENTS)
    assert getattr(caught.value, "key_spent", None) is key_spent


async def test_nobody_listening_is_unknown():
    provider = StripeProvider(KEY, api_base="http://127.0.0.1:9", attempt_timeout_s=0.3)
    with pytest.raises(ProviderUnavailable):
        await provider.list_refunds("pi_1")
    await provider.close()


async def test_the_whole_call_has_an_end(server):
    provider = StripeProvider(KEY, api_base=server.base, attempt_timeout_s=60, call_timeout_s=0.05)
    server.will(Hang())
    begin = time.monotonic()
    with pytest.raises(ProviderUnavailable, match="TimeoutError"):
        await provider.get_checkout("cs_test_1")
    assert time.monotonic() - begin < 5
    await provider.close()


async def test_a_caller_that_gives_up_is_not_told_otherwise(server, provider):
    server.will(Hang())
    call = asyncio.create_task(provider.get_checkout("cs_test_1"))
    await server.hanging.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


def test_every_error_of_the_sdk_that_its_v1_calls_raise_has_a_verdict():
    raised = {
        stripe.APIConnectionError,
        stripe.APIError,
        stripe.AuthenticationError,
        stripe.CardError,
        stripe.IdempotencyError,
        stripe.InvalidRequestError,
        stripe.PermissionError,
        stripe.RateLimitError,
    }
    assert set(EFFECTS) == raised
