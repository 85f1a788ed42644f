"""Which refusal comes first where several apply: calls that are wrong in every way, mended fault by fault until they
pass."""

from contextlib import AsyncExitStack

import pytest

from billing_service.clock import system_clock_us
from billing_service.commands.access.api_keys import create_key_directly
from billing_service.domain.access.api_keys import Scope
from billing_service.domain.refusals import Reason
from billing_service.domain.refusals.precedence import PRECEDENCE
from tests.end_to_end.money import deduct, grant
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import Wire, key

pytestmark = pytest.mark.asyncio(loop_scope="session")

USED = "used"
"""A key that another request of the same method has spent."""
TOO_LONG = "x" * 2001
WINDOW_US = 8 * 86_400_000_000
UNUSED_ONLY = 1


def in_order(reasons):
    """Whether these refusals follow each other in the declared order."""
    stage = 0
    for reason in reasons:
        while stage < len(PRECEDENCE) and reason not in PRECEDENCE[stage].reasons:
            stage += 1
    return stage < len(PRECEDENCE)


async def test_the_check_knows_the_order():
    assert in_order([Reason.INVALID_FIELD, Reason.IDEMPOTENCY_KEY_REUSED, Reason.INVALID_FIELD, Reason.STRIPE_REFUSED])
    assert not in_order([Reason.IDEMPOTENCY_KEY_REUSED, Reason.SCOPE_MISSING])


async def walk(wire, rpc, fields, *faults):
    """Sends a call whose faults are (reason that it is refused for, what mends it), in this order; at last it passes.
    `wire` among what mends is who calls from then on."""
    for reason, mended in faults:
        assert (await wire.error(rpc, **fields)).reason == reason, (rpc, fields)
        fields = fields | mended
        wire = fields.pop("wire", wire)
    await wire.call(rpc, **fields)
    assert in_order([Reason(reason) for reason, _ in faults])


async def code_of(wire, account_id):
    return (await wire.do("CreateAccount", account_id=account_id)).account.referral_code


async def test_purchases(wire, new_account):
    account_id, other = new_account(), new_account()
    await wire.call("CreatePurchase", account_id=account_id, package_code="starter", idempotency_key=USED)
    fields = {
        "account_id": account_id,
        "package_code": "none",
        "currency": "eur",
        "success_url": TOO_LONG,
        "idempotency_key": USED,
    }
    await walk(
        wire,
        "CreatePurchase",
        fields,
        ("INVALID_FIELD", {"success_url": ""}),
        ("IDEMPOTENCY_KEY_REUSED", {"idempotency_key": key()}),
        ("INVALID_FIELD", {"currency": ""}),
        ("UNKNOWN_PACKAGE", {"package_code": "starter", "account_id": other}),
    )


async def test_cancellations(stack, wire, new_account):
    account_id = new_account()
    bought = await stack.buy(account_id)
    pending = [
        (await wire.do("CreatePurchase", account_id=account_id, package_code="starter")).purchase for _ in range(2)
    ]
    await wire.call("CancelPurchase", purchase_id=pending[0].purchase_id, idempotency_key=USED)
    await walk(
        wire,
        "CancelPurchase",
        {"purchase_id": "", "idempotency_key": USED},
        ("INVALID_FIELD", {"purchase_id": "pur_none"}),
        ("PURCHASE_NOT_FOUND", {"purchase_id": bought.purchase_id}),
        ("IDEMPOTENCY_KEY_REUSED", {"idempotency_key": key()}),
        ("PURCHASE_NOT_CANCELABLE", {"purchase_id": pending[1].purchase_id}),
    )


async def test_refunds(stack, wire, new_account):
    account_id = new_account()
    bought, refunded = [await stack.buy(account_id) for _ in range(2)]
    pending = (await wire.do("CreatePurchase", account_id=account_id, package_code="starter")).purchase
    await wire.do("DeductCredits", account_id=account_id, amount_microcredits=CREDIT)
    await wire.call("Refund", purchase_id=refunded.purchase_id, idempotency_key=USED)
    await walk(
        wire,
        "Refund",
        {"purchase_id": "pur_none", "policy": 99, "amount_minor": 10**9, "idempotency_key": USED},
        ("INVALID_FIELD", {"policy": UNUSED_ONLY}),
        ("PURCHASE_NOT_FOUND", {"purchase_id": pending.purchase_id}),
        ("IDEMPOTENCY_KEY_REUSED", {"idempotency_key": key()}),
        ("PURCHASE_NOT_REFUNDABLE", {"purchase_id": bought.purchase_id}),
        ("INVALID_FIELD", {"amount_minor": bought.paid_minor}),
        ("CREDITS_ALREADY_SPENT", {"amount_minor": 1}),
    )


async def test_accounts(wire, new_account):
    account_id, other = new_account(), new_account()
    await wire.call("CreateAccount", account_id=account_id, idempotency_key=USED)
    fields = {
        "account_id": account_id,
        "name": TOO_LONG,
        "email": "none",
        "referral_code": "NONE",
        "idempotency_key": USED,
    }
    await walk(
        wire,
        "CreateAccount",
        fields,
        ("INVALID_FIELD", {"name": ""}),
        ("REFERRAL_CODE_NOT_FOUND", {"referral_code": await code_of(wire, other)}),
        ("IDEMPOTENCY_KEY_REUSED", {"idempotency_key": key()}),
        ("INVALID_FIELD", {"email": "a@b.example"}),
        ("ACCOUNT_EXISTS", {"account_id": new_account()}),
    )


async def test_referrals(stack, wire, new_account):
    referrer, bound, paid = new_account(), new_account(), new_account()
    code, own = await code_of(wire, referrer), await code_of(wire, paid)
    await wire.call("ApplyReferral", account_id=bound, referral_code=code, idempotency_key=USED)
    await stack.buy(paid)
    await walk(
        wire,
        "ApplyReferral",
        {"account_id": bound, "referral_code": "", "idempotency_key": USED},
        ("INVALID_FIELD", {"referral_code": "NONE"}),
        ("REFERRAL_CODE_NOT_FOUND", {"referral_code": own}),
        ("IDEMPOTENCY_KEY_REUSED", {"idempotency_key": key()}),
        ("REFERRAL_EXISTS", {"account_id": paid}),
        ("SELF_REFERRAL", {"referral_code": code}),
        ("REFERRAL_TOO_LATE", {"account_id": new_account()}),
    )


async def test_grants(wire, new_account):
    account_id = new_account()
    fields = {"account_id": account_id, "amount_microcredits": 10**15, "reason": "gift"}
    await wire.call("GrantCredits", **fields, idempotency_key=USED)
    await walk(
        wire,
        "GrantCredits",
        fields | {"reason": "", "expire_time": "2020-01-01T00:00:00Z", "idempotency_key": USED},
        ("INVALID_FIELD", {"reason": "gift"}),
        ("IDEMPOTENCY_KEY_REUSED", {"idempotency_key": key()}),
        ("INVALID_FIELD", {"expire_time": "2090-01-01T00:00:00Z"}),
    )


async def test_api_keys(wire, new_account):
    made = [(await wire.do("CreateApiKey", caller=new_account("caller"), scopes=[1])).api_key.key_id for _ in range(2)]
    spent = key()  # such a key belongs to no account, and so to all tests
    await wire.call("RevokeApiKey", key_id=made[0], idempotency_key=spent)
    await walk(
        wire,
        "RevokeApiKey",
        {"key_id": "", "idempotency_key": spent},
        ("INVALID_FIELD", {"key_id": "none"}),
        ("IDEMPOTENCY_KEY_REUSED", {"idempotency_key": key()}),
        ("API_KEY_NOT_FOUND", {"key_id": made[1]}),
    )


async def test_deductions_and_their_reversals(database, new_account, monkeypatch):
    shift, account_id, short = [0], new_account(), new_account()
    monkeypatch.setattr("billing_service.bootstrap.system_clock_us", lambda: system_clock_us() + shift[0])
    async with AsyncExitStack() as running:
        stack = await running.enter_async_context(running_stack(database.url, BILLING_AUTH="keys"))
        environment = stack.service.environment

        async def caller(name, *scopes):
            way = (environment.store, environment.clock_us, environment.api_key_pepper)
            api_key = await create_key_directly(*way, name, scopes)
            return await running.enter_async_context(Wire(stack.service.address, api_key))

        operator, reader = await caller("operator", Scope.ADMIN), await caller("reader", Scope.READ)
        metering, other = await caller("metering", Scope.DEDUCT), await caller("other", Scope.DEDUCT)
        nobody = await running.enter_async_context(Wire(stack.service.address))
        await grant(operator, account_id, 100)
        granted = (await operator.call("ListTransactions", account_id=account_id)).transactions[0].transaction_id
        old = [(await deduct(each, account_id, 10)).transaction_id for each in (metering, other)]
        shift[0] = WINDOW_US
        new = (await deduct(metering, account_id, 10, idempotency_key=USED)).transaction_id
        reversal = {"account_id": account_id, "transaction_id": new, "amount_microcredits": 1}
        await metering.call("ReverseDeduction", **reversal, idempotency_key=USED)
        await operator.do("FreezeAccount", account_id=account_id, frozen=True, reason="test")
        await grant(operator, short, 1)
        await walk(
            nobody,
            "DeductCredits",
            {"account_id": account_id, "amount_microcredits": 200 * CREDIT, "mode": 99, "idempotency_key": USED},
            ("API_KEY_INVALID", {"wire": reader}),
            ("SCOPE_MISSING", {"wire": metering}),
            ("INVALID_FIELD", {"mode": 1}),
            ("IDEMPOTENCY_KEY_REUSED", {"idempotency_key": key()}),
            ("ACCOUNT_FROZEN", {"account_id": short}),
            ("INSUFFICIENT_CREDITS", {"amount_microcredits": CREDIT}),
        )
        await walk(
            nobody,
            "ReverseDeduction",
            {"account_id": account_id, "transaction_id": granted, "reason": TOO_LONG, "idempotency_key": USED},
            ("API_KEY_INVALID", {"wire": reader}),
            ("SCOPE_MISSING", {"wire": metering}),
            ("INVALID_FIELD", {"reason": "", "amount_microcredits": 90 * CREDIT}),
            ("IDEMPOTENCY_KEY_REUSED", {"idempotency_key": key(), "account_id": "none"}),
            ("ACCOUNT_NOT_FOUND", {"account_id": account_id, "transaction_id": "none"}),
            ("TRANSACTION_NOT_FOUND", {"transaction_id": granted}),
            ("TRANSACTION_NOT_REVERSIBLE", {"transaction_id": old[1]}),
            ("NOT_YOURS", {"transaction_id": old[0]}),
            ("REVERSAL_TOO_LATE", {"transaction_id": new}),
            ("DEDUCTION_ALREADY_REVERSED", {"amount_microcredits": CREDIT}),
        )
