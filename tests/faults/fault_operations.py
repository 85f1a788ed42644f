"""Every operation of the product: what must be there before it, and the call that a fault strikes and that is then repeated."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from doubles import SECOND_US
from fault_objects import charge, customer, payment_intent, refund, session
from fault_service import Told, told
from prepaid.billing.v1 import accounts_pb2, admin_pb2, api_keys_pb2, purchases_pb2, referrals_pb2, refunds_pb2, stripe_events_pb2
from prepaid.billing.v1.scopes_pb2 import SCOPE_DEDUCT
from prepaid.billing.v1.transactions_pb2 import CREDIT_CATEGORY_PAID, DeductCreditsRequest, ReverseDeductionRequest

from billing_service.jobs.expiry import sweep_expired

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
    varies: frozenset = field(default_factory=frozenset)
    """Tables, or columns as `table.column`, that may differ with how often Stripe was asked."""


def operation(name, **options):
    def keep(prepare):
        OPERATIONS[name] = Operation(name, prepare, **options)
        return prepare

    return keep


def _account(tag, suffix=""):
    return f"acct-{tag}{suffix}"


def _key(tag, name="key"):
    return f"{name}-{tag}"


def calling(method, request):
    """A call with one answer."""

    async def call(service):
        return [await service.tell(method, request)]

    return call


async def granted(service, account_id, amount=100, tag="", **options):
    request = admin_pb2.GrantCreditsRequest(
        account_id=account_id, amount_microcredits=amount, reason="start", idempotency_key=_key(tag, f"start-{account_id}"), **options
    )
    return await service.answer("grant_credits", request)


def deduction(account_id, amount, key):
    return DeductCreditsRequest(account_id=account_id, amount_microcredits=amount, idempotency_key=key)


@operation("deduct")
async def deduct(service, tag):
    await granted(service, _account(tag))
    return calling("deduct_credits", deduction(_account(tag), 30, _key(tag)))


@operation("deduct three, one refused", also=frozenset({"clean"}))
async def deduct_three(service, tag):
    # A batch that breaks is tried again in parts, so that one strike may leave no trace.
    await granted(service, _account(tag))
    requests = [deduction(_account(tag), amount, _key(tag, f"key{amount}")) for amount in (60, 50, 40)]

    async def call(now):
        return await asyncio.gather(*(now.tell("deduct_credits", request) for request in requests), return_exceptions=True)

    return call


@operation("deduct, refused")
async def deduct_refused(service, tag):
    await granted(service, _account(tag))
    return calling("deduct_credits", deduction(_account(tag), 101, _key(tag)))


@operation("reverse deduction")
async def reverse(service, tag):
    await granted(service, _account(tag))
    spent = await service.answer("deduct_credits", deduction(_account(tag), 100, _key(tag, "spent")))
    request = ReverseDeductionRequest(
        account_id=_account(tag), transaction_id=spent.transaction_id, amount_microcredits=40, reason="sorry", idempotency_key=_key(tag)
    )
    return calling("reverse_deduction", request)


@operation("grant")
async def grant(service, tag):
    del service
    request = admin_pb2.GrantCreditsRequest(
        account_id=_account(tag), amount_microcredits=70, category=CREDIT_CATEGORY_PAID, reason="welcome", idempotency_key=_key(tag)
    )
    return calling("grant_credits", request)


@operation("adjust")
async def adjust(service, tag):
    await granted(service, _account(tag))
    request = admin_pb2.AdjustCreditsRequest(account_id=_account(tag), amount_microcredits=-30, reason="mistake", idempotency_key=_key(tag))
    return calling("adjust_credits", request)


@operation("freeze")
async def freeze(service, tag):
    await granted(service, _account(tag))
    return calling(
        "freeze_account", admin_pb2.FreezeAccountRequest(account_id=_account(tag), frozen=True, reason="fraud", idempotency_key=_key(tag))
    )


@operation("set overdraft limit")
async def set_overdraft_limit(service, tag):
    await granted(service, _account(tag))
    request = admin_pb2.SetOverdraftLimitRequest(
        account_id=_account(tag), overdraft_limit_microcredits=50, reason="trusted", idempotency_key=_key(tag)
    )
    return calling("set_overdraft_limit", request)


async def referral_code(service, account_id):
    await granted(service, account_id, tag=account_id)
    return (await service.answer("get_account", accounts_pb2.GetAccountRequest(account_id=account_id))).account.referral_code


@operation("create account", also=frozenset({"clean"}), varies=frozenset({"stripe_customers", "profiles.stripe_customer_id"}))
async def create_account(service, tag):
    # Stripe's customer is made where Stripe answers, else by the first purchase: no fault on that way is this call's.
    code = await referral_code(service, _account(tag, "-referrer"))
    request = accounts_pb2.CreateAccountRequest(
        account_id=_account(tag), email="ada@example.com", name="Ada", referral_code=code, idempotency_key=_key(tag)
    )
    return calling("create_account", request)


@operation("apply referral")
async def apply_referral(service, tag):
    code = await referral_code(service, _account(tag, "-referrer"))
    await granted(service, _account(tag), tag=tag)
    return calling(
        "apply_referral",
        referrals_pb2.ApplyReferralRequest(account_id=_account(tag), referral_code=code, idempotency_key=_key(tag)),
    )


@operation("balance", unkeyed=True)
async def balance(service, tag):
    await granted(service, _account(tag))
    return calling("get_balance", accounts_pb2.GetBalanceRequest(account_id=_account(tag)))


@operation("expiry sweep", unkeyed=True)
async def expiry_sweep(service, tag):
    soon = accounts_pb2.Account().create_time
    soon.FromMicroseconds(service.clock() + SECOND_US)
    await granted(service, _account(tag), expire_time=soon)
    service.clock.advance_s(2)

    async def call(now):
        await sweep_expired(now.store, now.clock, now.ids)
        return [Told("swept", replayed=False)]

    return call


@operation("create API key")
async def create_api_key(service, tag):
    del service
    return calling(
        "create_api_key", api_keys_pb2.CreateApiKeyRequest(caller=f"caller-{tag}", scopes=[SCOPE_DEDUCT], idempotency_key=_key(tag))
    )


@operation("revoke API key")
async def revoke_api_key(service, tag):
    await (await create_api_key(service, f"{tag}-first"))(service)
    made = await service.answer("list_api_keys", api_keys_pb2.ListApiKeysRequest())
    (key_id,) = [key.key_id for key in made.api_keys if key.caller == f"caller-{tag}-first"]
    return calling("revoke_api_key", api_keys_pb2.RevokeApiKeyRequest(key_id=key_id, idempotency_key=_key(tag)))


def purchase_request(tag, key="purchase"):
    return purchases_pb2.CreatePurchaseRequest(account_id=_account(tag), package_code="starter", idempotency_key=_key(tag, key))


async def open_checkout(service, tag):
    """A purchase that waits for its customer; answers its id, and its checkout at Stripe."""
    made = (await service.answer("create_purchase", purchase_request(tag))).purchase
    return made.purchase_id, next(found for found in service.provider.checkouts.values() if found.purchase_id == made.purchase_id)


def delivering(tag, event_type, fields, name="event"):
    """A delivery: repeated, it may be told to be a duplicate of one that had its effect."""

    async def call(service):
        answer = await service.deliver(f"evt_{tag}{name}", event_type, fields)
        duplicate = answer.outcome == stripe_events_pb2.STRIPE_EVENT_OUTCOME_DUPLICATE
        if duplicate:
            answer.outcome = stripe_events_pb2.STRIPE_EVENT_OUTCOME_PROCESSED
        return [Told(told(answer).text, replayed=duplicate)]

    return call


async def bought(service, tag):
    """A completed purchase; answers its id and its checkout."""
    purchase_id, checkout = await open_checkout(service, tag)
    await delivering(tag, "checkout.session.completed", session(checkout), "bought")(service)
    return purchase_id, checkout


@operation("create purchase")
async def create_purchase(service, tag):
    del service
    return calling("create_purchase", purchase_request(tag))


CALLED_OFF = frozenset(
    {
        "purchases",
        "purchase_references",
        "audit_records",
        "refunds",
        "transactions",
        "entries",
        "accounts.version",
        "accounts.last_transaction_id",
    }
)
"""Where each try that Stripe refuses leaves a trace of its own, without money in it."""


@operation("create purchase, refused by Stripe", varies=CALLED_OFF)
async def create_purchase_refused(service, tag):
    service.provider.refuses = True
    return calling("create_purchase", purchase_request(tag))


@operation("cancel purchase")
async def cancel_purchase(service, tag):
    purchase_id, _ = await open_checkout(service, tag)
    return calling("cancel_purchase", purchases_pb2.CancelPurchaseRequest(purchase_id=purchase_id, idempotency_key=_key(tag)))


@operation("complete purchase with bonus")
async def complete_purchase(service, tag):
    await (await apply_referral(service, tag))(service)
    _, checkout = await open_checkout(service, tag)
    return delivering(tag, "checkout.session.completed", session(checkout))


@operation("payment event")
async def payment_event(service, tag):
    _, checkout = await open_checkout(service, tag)
    return delivering(tag, "payment_intent.succeeded", payment_intent(checkout))


@operation("refund")
async def refund_purchase(service, tag):
    purchase_id, _ = await bought(service, tag)
    request = refunds_pb2.RefundRequest(purchase_id=purchase_id, amount_minor=400, reason="unhappy", idempotency_key=_key(tag))
    return calling("refund", request)


@operation("refund, refused by Stripe", varies=CALLED_OFF)
async def refund_refused(service, tag):
    call = await refund_purchase(service, tag)
    service.provider.refuses = True
    return call


@operation("refund event with bonus")
async def refund_event(service, tag):
    await (await apply_referral(service, tag))(service)
    _, checkout = await bought(service, tag)
    sent = service.provider.send_back(f"pi_{checkout.session_id}", checkout.amount_total_minor)
    return delivering(tag, "refund.created", refund(sent))


@operation("charge event")
async def charge_event(service, tag):
    _, checkout = await bought(service, tag)
    service.provider.send_back(f"pi_{checkout.session_id}", 300)
    return delivering(tag, "charge.refunded", charge(checkout, 300))


@operation("complete purchase, refunded before")
async def complete_refunded(service, tag):
    _, checkout = await open_checkout(service, tag)
    sent = service.provider.send_back(f"pi_{checkout.session_id}", 300)
    await delivering(tag, "refund.created", refund(sent), "early")(service)
    return delivering(tag, "checkout.session.completed", session(checkout))


@operation("keep a failed event", also=frozenset({"STRIPE_UNAVAILABLE"}))
async def keep_failed_event(service, tag):
    # The first call fails by Stripe, whatever else goes wrong while the failure is kept.
    call = await charge_event(service, tag)
    service.provider.unreachable_calls = 1
    return call


@operation("customer event")
async def customer_event(service, tag):
    await open_checkout(service, tag)
    account = await service.store.read(lambda: _customer_of(_account(tag)))
    return delivering(tag, "customer.updated", customer(account, _account(tag), "new@example.com"))


def _customer_of(account_id):
    from billing_service.storage.profile_rows import read_profile

    return (yield from read_profile(account_id)).stripe_customer_id


@operation("customer deleted event")
async def customer_deleted(service, tag):
    await open_checkout(service, tag)
    account = await service.store.read(lambda: _customer_of(_account(tag)))
    return delivering(tag, "customer.deleted", customer(account, _account(tag), "old@example.com"))
