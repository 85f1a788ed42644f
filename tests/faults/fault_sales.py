"""Operations about money: purchases, refunds, and what Stripe tells of them."""

from prepaid.billing.v1 import admin_pb2, purchases_pb2, refunds_pb2, stripe_events_pb2, transactions_pb2

from billing_service.storage.rows.profiles import read_profile
from tests.faults import (
    fault_customers,
    fault_feed,
    fault_holds,
    fault_limits,
    fault_payments,
    fault_reconciling,
    fault_rerating,
    fault_sessions,
    fault_watch,
)
from tests.faults.fault_objects import charge, customer, dispute, payment_intent, refund, session
from tests.faults.fault_operations import (
    OPERATIONS,
    account_of,
    apply_referral,
    calling,
    deduction,
    granted,
    key_of,
    operation,
)
from tests.support.fault_service import Told, told


def purchase_request(tag, key="purchase"):
    return purchases_pb2.CreatePurchaseRequest(
        account_id=account_of(tag), package_code="starter", idempotency_key=key_of(tag, key)
    )


async def open_checkout(service, tag):
    """A purchase that waits for its customer; answers its id, and its checkout at Stripe."""
    made = (await service.answer("create_purchase", purchase_request(tag))).purchase
    return made.purchase_id, next(
        found for found in service.provider.stripe.checkouts.values() if found.purchase_id == made.purchase_id
    )


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
        "outbox",
        "purchases",
        "purchase_references",
        "audit_records",
        "refunds",
        "transactions",
        "entries",
        "accounts.version",
        "accounts.caught_up_version",
        "accounts.last_transaction_id",
    }
)
"""Where each try that Stripe refuses leaves a trace of its own, without money in it."""


@operation("create purchase, refused by Stripe", varies=CALLED_OFF)
async def create_purchase_refused(service, tag):
    service.provider.stripe.refuses = True
    return calling("create_purchase", purchase_request(tag))


@operation("cancel purchase")
async def cancel_purchase(service, tag):
    purchase_id, _ = await open_checkout(service, tag)
    return calling(
        "cancel_purchase", purchases_pb2.CancelPurchaseRequest(purchase_id=purchase_id, idempotency_key=key_of(tag))
    )


@operation("complete purchase with bonus")
async def complete_purchase(service, tag):
    await (await apply_referral(service, tag))(service)
    _, checkout = await open_checkout(service, tag)
    return delivering(tag, "checkout.session.completed", session(checkout))


@operation("payment event")
async def payment_event(service, tag):
    _, checkout = await open_checkout(service, tag)
    return delivering(tag, "payment_intent.succeeded", payment_intent(checkout))


@operation("replay event")
async def replay_event(service, tag):
    _, checkout = await open_checkout(service, tag)
    await delivering(tag, "payment_intent.succeeded", payment_intent(checkout))(service)
    return calling(
        "replay_stripe_event",
        admin_pb2.ReplayStripeEventRequest(event_id=f"evt_{tag}event", idempotency_key=key_of(tag)),
    )


@operation("refund")
async def refund_purchase(service, tag):
    purchase_id, _ = await bought(service, tag)
    request = refunds_pb2.RefundRequest(
        purchase_id=purchase_id, amount_minor=400, reason="unhappy", idempotency_key=key_of(tag)
    )
    return calling("refund", request)


def refund_request(tag, purchase_id):
    return refunds_pb2.RefundRequest(purchase_id=purchase_id, amount_minor=400, idempotency_key=key_of(tag))


PAYMENT_OPERATIONS = fault_payments.operations(purchase_request)
RECONCILING_OPERATIONS = fault_reconciling.operations(bought, refund_request)


@operation("read refund", unkeyed=True)
async def read_refund(service, tag):
    purchase_id, _ = await bought(service, tag)
    request = refund_request(tag, purchase_id)
    made = (await service.answer("refund", request)).refund
    return calling("get_refund", refunds_pb2.GetRefundRequest(refund_id=made.stripe_refund_id))


@operation("checkout status", unkeyed=True)
async def read_checkout_status(service, tag):
    _, checkout = await bought(service, tag)
    return calling(
        "get_checkout_status", stripe_events_pb2.GetCheckoutStatusRequest(checkout_session_id=checkout.session_id)
    )


@operation("list refunds", unkeyed=True)
async def list_refunds(service, tag):
    purchase_id, _ = await bought(service, tag)
    request = refund_request(tag, purchase_id)
    await service.answer("refund", request)
    return calling("list_refunds", refunds_pb2.ListRefundsRequest(account_id=account_of(tag), purchase_id=purchase_id))


@operation("refund, refused by Stripe", varies=CALLED_OFF)
async def refund_refused(service, tag):
    call = await refund_purchase(service, tag)
    service.provider.stripe.refuses = True
    return call


@operation("refund event with bonus")
async def refund_event(service, tag):
    await (await apply_referral(service, tag))(service)
    _, checkout = await bought(service, tag)
    sent = service.provider.stripe.send_back(f"pi_{checkout.session_id}", checkout.amount_total_minor)
    return delivering(tag, "refund.created", refund(sent))


@operation("dispute event with bonus")
async def dispute_event(service, tag):
    await (await apply_referral(service, tag))(service)
    _, checkout = await bought(service, tag)
    whole = checkout.amount_total_minor
    return delivering(tag, "charge.dispute.funds_withdrawn", dispute(checkout, -whole))


@operation("dispute that is won, with bonus")
async def dispute_won(service, tag):
    await (await apply_referral(service, tag))(service)
    _, checkout = await bought(service, tag)
    whole = checkout.amount_total_minor
    await delivering(tag, "charge.dispute.created", dispute(checkout, -whole), "out")(service)
    return delivering(tag, "charge.dispute.funds_reinstated", dispute(checkout, -whole, whole))


@operation("fraud warning")
async def fraud_warning(service, tag):
    _, checkout = await bought(service, tag)
    about = {"id": f"issfr_{tag}", "object": "radar.early_fraud_warning", "payment_intent": f"pi_{checkout.session_id}"}
    return delivering(tag, "radar.early_fraud_warning.created", about)


async def bonus_taken(service, tag, spent=600):
    """A bonus and part of the purchase, spent and taken back; answers the deduction, the checkout and the refund that
    took it."""
    await (await apply_referral(service, tag))(service)
    _, checkout = await bought(service, tag)
    request = deduction(account_of(tag), spent, key_of(tag, "spent"))
    made = await service.answer("deduct_credits", request)
    sent = service.provider.stripe.send_back(f"pi_{checkout.session_id}", checkout.amount_total_minor)
    await delivering(tag, "refund.created", refund(sent), "taken")(service)
    return made, sent


@operation("reverse deduction of a bonus that was taken", one_unit=True)
async def reverse_taken(service, tag):
    made, _ = await bonus_taken(service, tag)
    fields = {"account_id": account_of(tag), "transaction_id": made.transaction_id, "idempotency_key": key_of(tag)}
    return calling("reverse_deduction", transactions_pb2.ReverseDeductionRequest(**fields))


@operation("refund that failed, with bonus")
async def refund_failed(service, tag):
    _, sent = await bonus_taken(service, tag)
    return delivering(tag, "refund.failed", refund(sent) | {"status": "failed"})


@operation("reverse deduction whose debt was paid", one_unit=True)
async def reverse_settled(service, tag):
    await granted(service, account_of(tag), 10)
    request = deduction(account_of(tag), 50, key_of(tag, "owed"))
    request.mode = transactions_pb2.DEDUCTION_MODE_ALLOW_DEBT
    made = await service.answer("deduct_credits", request)
    await granted(service, account_of(tag), 100, tag="pays")
    fields = {"account_id": account_of(tag), "transaction_id": made.transaction_id, "idempotency_key": key_of(tag)}
    return calling("reverse_deduction", transactions_pb2.ReverseDeductionRequest(**fields))


@operation("charge event")
async def charge_event(service, tag):
    _, checkout = await bought(service, tag)
    service.provider.stripe.send_back(f"pi_{checkout.session_id}", 300)
    return delivering(tag, "charge.refunded", charge(checkout, 300))


@operation("complete purchase, refunded before")
async def complete_refunded(service, tag):
    _, checkout = await open_checkout(service, tag)
    sent = service.provider.stripe.send_back(f"pi_{checkout.session_id}", 300)
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
    account = await service.store.read(lambda: _customer_of(account_of(tag)))
    return delivering(tag, "customer.updated", customer(account, account_of(tag), "new@example.com"))


def _customer_of(account_id):
    return (yield from read_profile(account_id)).stripe_customer_id


@operation("customer deleted event")
async def customer_deleted(service, tag):
    await open_checkout(service, tag)
    account = await service.store.read(lambda: _customer_of(account_of(tag)))
    return delivering(tag, "customer.deleted", customer(account, account_of(tag), "old@example.com"))


assert PAYMENT_OPERATIONS
assert RECONCILING_OPERATIONS
assert fault_customers.CUSTOMER_OPERATIONS
assert fault_limits.LIMIT_OPERATIONS
assert fault_rerating.RERATING_OPERATIONS
assert fault_holds.HOLD_OPERATIONS
assert fault_watch.WATCH_OPERATIONS
assert fault_feed.FEED_OPERATIONS
assert fault_sessions.SESSION_OPERATIONS
ALL_OPERATIONS = OPERATIONS
"""Those on accounts and holds too."""
