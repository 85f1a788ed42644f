"""How long a call may take, all its attempts together, when the caller does not say."""

from google.protobuf.message import Message
from prepaid.billing.v1 import accounts_pb2, admin_pb2, purchases_pb2, refunds_pb2, rerating_pb2, stripe_events_pb2

TIMEOUT_S_DEFAULT = 5.0
"""One transaction, a group commit to wait for, and a restart of the service in between."""
STRIPE_TIMEOUT_S = 30.0
"""The service asks Stripe on the way, which retries for its own part."""
LEDGER_TIMEOUT_S = 300.0
"""Reads the whole ledger."""
RERATING_TIMEOUT_S = 60.0
"""Prices a thousand usages anew, and reads up to a hundred thousand transactions to find them."""

TIMEOUT_S: dict[type[Message], float] = {
    accounts_pb2.CreateAccountRequest: STRIPE_TIMEOUT_S,
    purchases_pb2.CreatePurchaseRequest: STRIPE_TIMEOUT_S,
    purchases_pb2.CancelPurchaseRequest: STRIPE_TIMEOUT_S,
    refunds_pb2.RefundRequest: STRIPE_TIMEOUT_S,
    admin_pb2.ReplayStripeEventRequest: STRIPE_TIMEOUT_S,
    admin_pb2.VerifyLedgerRequest: LEDGER_TIMEOUT_S,
    rerating_pb2.ReRateRequest: RERATING_TIMEOUT_S,
    stripe_events_pb2.ProcessStripeEventRequest: TIMEOUT_S_DEFAULT,
}


def timeout_s_of(request: Message, timeout_s: float | None) -> float:
    """The caller's own limit, or the method's. ValueError unless it is above 0."""
    if timeout_s is None:
        return TIMEOUT_S.get(type(request), TIMEOUT_S_DEFAULT)
    if not timeout_s > 0:
        raise ValueError("timeout_s must be above 0")
    return timeout_s
