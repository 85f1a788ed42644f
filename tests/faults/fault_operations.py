"""Operations on accounts, credits and keys: what must be there before each, and the call that a fault strikes and that
is repeated."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from prepaid.billing.v1 import accounts_pb2, admin_pb2, api_keys_pb2, rate_cards_pb2, referrals_pb2
from prepaid.billing.v1.scopes_pb2 import SCOPE_DEDUCT
from prepaid.billing.v1.transactions_pb2 import (
    CREDIT_CATEGORY_PAID,
    DEDUCTION_MODE_UP_TO_AVAILABLE,
    BatchDeductCreditsRequest,
    DeductCreditsRequest,
    ReverseDeductionRequest,
)
from prepaid.billing.v1.usage_pb2 import Usage, UsageLine

from billing_service.jobs.expiry import sweep_expired
from tests.faults.fault_cards import created_card
from tests.support.doubles import SECOND_US
from tests.support.fault_service import Told, outcome_told
from tests.support.rate_card_examples import card_file

OPERATIONS = {}


@dataclass(frozen=True)
class Operation:
    """`prepare(service, tag)` answers a function of a service that makes the call: always the same request."""

    name: str
    prepare: Any
    also: frozenset = field(default_factory=frozenset)
    """Classes of answer that any fault may end in, because the product is built to get over it."""
    unkeyed: bool = False
    """Nothing is spent that a repeat could be told from."""
    one_unit: bool = False
    """All of it is one transaction, which ends whatever becomes of the caller."""
    varies: frozenset = field(default_factory=frozenset)
    """Tables, or columns as `table.column`, that may differ: with how often Stripe was asked, or from run to run."""


def operation(name, **options):
    def keep(prepare):
        OPERATIONS[name] = Operation(name, prepare, **options)
        return prepare

    return keep


def account_of(tag, suffix=""):
    return f"acct-{tag}{suffix}"


def key_of(tag, name="key"):
    return f"{name}-{tag}"


def calling(method, request):
    """A call with one answer."""

    async def call(service):
        return [await service.tell(method, request)]

    return call


async def granted(service, account_id, amount=100, tag="", **options):
    request = admin_pb2.GrantCreditsRequest(
        account_id=account_id,
        amount_microcredits=amount,
        reason="start",
        idempotency_key=key_of(tag, f"start-{account_id}"),
        **options,
    )
    return await service.answer("grant_credits", request)


def deduction(account_id, amount, key):
    return DeductCreditsRequest(account_id=account_id, amount_microcredits=amount, idempotency_key=key)


@operation("deduct", one_unit=True, also=frozenset({"clean"}))
async def deduct(service, tag):
    await granted(service, account_of(tag))
    return calling("deduct_credits", deduction(account_of(tag), 30, key_of(tag)))


@operation("deduct from a cached account", one_unit=True, also=frozenset({"clean"}))
async def deduct_again(service, tag):
    await granted(service, account_of(tag))
    await service.answer("deduct_credits", deduction(account_of(tag), 30, key_of(tag, "before")))
    return calling("deduct_credits", deduction(account_of(tag), 40, key_of(tag)))


@operation("deduct three, one refused", also=frozenset({"clean"}))
async def deduct_three(service, tag):
    # A batch that breaks is tried again in parts, so that one strike may leave no trace.
    await granted(service, account_of(tag))
    requests = [deduction(account_of(tag), amount, key_of(tag, f"key{amount}")) for amount in (60, 50, 40)]

    async def call(now):
        return await asyncio.gather(
            *(now.tell("deduct_credits", request) for request in requests), return_exceptions=True
        )

    return call


@operation("deduct three in one call, one refused", also=frozenset({"clean"}))
async def deduct_batch(service, tag):
    await granted(service, account_of(tag))
    deductions = [deduction(account_of(tag), amount, key_of(tag, f"key{amount}")) for amount in (60, 50, 40)]

    async def call(now):
        answer = await now.answer("batch_deduct_credits", BatchDeductCreditsRequest(deductions=deductions))
        return [outcome_told(outcome) for outcome in answer.outcomes]

    return call


@operation("deduct nothing", one_unit=True, also=frozenset({"clean"}))
async def deduct_nothing(service, tag):
    await granted(service, account_of(tag))
    await service.answer("deduct_credits", deduction(account_of(tag), 100, key_of(tag, "before")))
    request = deduction(account_of(tag), 40, key_of(tag))
    request.mode = DEDUCTION_MODE_UP_TO_AVAILABLE
    return calling("deduct_credits", request)


# Its card is read before its transaction begins: who hangs up until then has begun nothing.
@operation(
    "deduct a usage",
    also=frozenset({"clean"}),
    varies=frozenset({"rate_cards.position", "rate_cards.card_file"}),
)
async def deduct_usage(service, tag):
    await granted(service, account_of(tag))
    await created_card(service, tag)
    usage = Usage(provider="openai", model="gpt-5-nano", lines=[UsageLine(kind=1, quantity=2)])
    return calling(
        "deduct_credits",
        DeductCreditsRequest(account_id=account_of(tag), usage=usage, idempotency_key=key_of(tag)),
    )


@operation("deduct, refused")
async def deduct_refused(service, tag):
    await granted(service, account_of(tag))
    return calling("deduct_credits", deduction(account_of(tag), 101, key_of(tag)))


@operation("reverse deduction", one_unit=True)
async def reverse(service, tag):
    await granted(service, account_of(tag))
    spent = await service.answer("deduct_credits", deduction(account_of(tag), 100, key_of(tag, "spent")))
    request = ReverseDeductionRequest(
        account_id=account_of(tag),
        transaction_id=spent.transaction_id,
        amount_microcredits=40,
        reason="sorry",
        idempotency_key=key_of(tag),
    )
    return calling("reverse_deduction", request)


@operation("grant", one_unit=True)
async def grant(service, tag):
    del service
    request = admin_pb2.GrantCreditsRequest(
        account_id=account_of(tag),
        amount_microcredits=70,
        category=CREDIT_CATEGORY_PAID,
        reason="welcome",
        idempotency_key=key_of(tag),
    )
    return calling("grant_credits", request)


@operation("adjust", one_unit=True)
async def adjust(service, tag):
    await granted(service, account_of(tag))
    request = admin_pb2.AdjustCreditsRequest(
        account_id=account_of(tag), amount_microcredits=-30, reason="mistake", idempotency_key=key_of(tag)
    )
    return calling("adjust_credits", request)


@operation("freeze", one_unit=True)
async def freeze(service, tag):
    await granted(service, account_of(tag))
    return calling(
        "freeze_account",
        admin_pb2.FreezeAccountRequest(
            account_id=account_of(tag), frozen=True, reason="fraud", idempotency_key=key_of(tag)
        ),
    )


@operation("set overdraft limit", one_unit=True)
async def set_overdraft_limit(service, tag):
    await granted(service, account_of(tag))
    request = admin_pb2.SetOverdraftLimitRequest(
        account_id=account_of(tag), overdraft_limit_microcredits=50, reason="trusted", idempotency_key=key_of(tag)
    )
    return calling("set_overdraft_limit", request)


async def referral_code(service, account_id):
    await granted(service, account_id, tag=account_id)
    return (
        await service.answer("get_account", accounts_pb2.GetAccountRequest(account_id=account_id))
    ).account.referral_code


@operation(
    "create account", also=frozenset({"clean"}), varies=frozenset({"stripe_customers", "profiles.stripe_customer_id"})
)
async def create_account(service, tag):
    # Stripe's customer is made where Stripe answers, else by the first purchase: no fault on that way is this call's.
    code = await referral_code(service, account_of(tag, "-referrer"))
    request = accounts_pb2.CreateAccountRequest(
        account_id=account_of(tag), email="ada@example.com", name="Ada", referral_code=code, idempotency_key=key_of(tag)
    )
    return calling("create_account", request)


@operation("update account", also=frozenset({"clean"}), varies=frozenset({"profiles.contact_version_sent"}))
async def update_account(service, tag):
    # Stripe's customer is told where Stripe answers, else by the repeat or the next purchase: no fault on that way is
    # this call's.
    await service.answer(
        "create_account",
        accounts_pb2.CreateAccountRequest(account_id=account_of(tag), idempotency_key=key_of(tag, "made")),
    )
    request = accounts_pb2.UpdateAccountRequest(
        account_id=account_of(tag), email="ada@example.com", low_balance_microcredits=5, idempotency_key=key_of(tag)
    )
    request.metadata.entries["plan"] = "gold"
    return calling("update_account", request)


@operation("apply referral", one_unit=True)
async def apply_referral(service, tag):
    code = await referral_code(service, account_of(tag, "-referrer"))
    await granted(service, account_of(tag), tag=tag)
    return calling(
        "apply_referral",
        referrals_pb2.ApplyReferralRequest(account_id=account_of(tag), referral_code=code, idempotency_key=key_of(tag)),
    )


@operation("balance", unkeyed=True)
async def balance(service, tag):
    await granted(service, account_of(tag))
    return calling("get_balance", accounts_pb2.GetBalanceRequest(account_id=account_of(tag)))


@operation("expiry sweep", unkeyed=True)
async def expiry_sweep(service, tag):
    soon = accounts_pb2.Account().create_time
    soon.FromMicroseconds(service.clock() + SECOND_US)
    await granted(service, account_of(tag), expire_time=soon)
    service.clock.advance_s(2)

    async def call(now):
        await sweep_expired(now.environment)
        return [Told("swept", replayed=False)]

    return call


@operation("create API key", one_unit=True)
async def create_api_key(service, tag):
    del service
    return calling(
        "create_api_key",
        api_keys_pb2.CreateApiKeyRequest(caller=f"caller-{tag}", scopes=[SCOPE_DEDUCT], idempotency_key=key_of(tag)),
    )


@operation("create rate card", one_unit=True, varies=frozenset({"rate_cards.position", "rate_cards.card_file"}))
async def create_rate_card(service, tag):
    del service
    request = rate_cards_pb2.CreateRateCardVersionRequest(
        card_file=card_file(f"card-{tag}"), idempotency_key=key_of(tag)
    )
    return calling("create_rate_card_version", request)


@operation("revoke API key", one_unit=True)
async def revoke_api_key(service, tag):
    await (await create_api_key(service, f"{tag}-first"))(service)
    made = await service.answer("list_api_keys", api_keys_pb2.ListApiKeysRequest())
    (key_id,) = [key.key_id for key in made.api_keys if key.caller == f"caller-{tag}-first"]
    return calling("revoke_api_key", api_keys_pb2.RevokeApiKeyRequest(key_id=key_id, idempotency_key=key_of(tag)))
