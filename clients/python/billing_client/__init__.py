"""Prepaid credits over gRPC, for Python: `BillingClient` and `AsyncBillingClient`."""

from importlib import import_module
from typing import TYPE_CHECKING

from prepaid.billing.v1.admin_pb2 import StripeEventStatus
from prepaid.billing.v1.events_pb2 import EventKind
from prepaid.billing.v1.purchases_pb2 import DisputeStatus, PaymentFlow, PurchaseFlag, PurchaseStatus
from prepaid.billing.v1.refunds_pb2 import RefundPolicy, RefundStatus
from prepaid.billing.v1.scopes_pb2 import Scope
from prepaid.billing.v1.sessions_pb2 import GenerationOutcome, StopReason
from prepaid.billing.v1.spend_limits_pb2 import SpendWindow
from prepaid.billing.v1.transactions_pb2 import (
    CreditCategory,
    DeductionMode,
    HoldMode,
    HoldState,
    OverHold,
    TransactionKind,
)
from prepaid.billing.v1.usage_pb2 import Usage, UsageKind, UsageLine

from billing_client.idempotency import new_idempotency_key
from billing_client.version import __version__

if TYPE_CHECKING:
    from billing_client.asynchronous.client import AsyncBillingClient
    from billing_client.blocking.client import BillingClient
    from billing_client.deductions import Deduction
    from billing_client.options import ClientOptions

MICROCREDITS_PER_CREDIT = 1_000_000

__all__ = [
    "MICROCREDITS_PER_CREDIT",
    "AsyncBillingClient",
    "BillingClient",
    "ClientOptions",
    "CreditCategory",
    "Deduction",
    "DeductionMode",
    "DisputeStatus",
    "EventKind",
    "GenerationOutcome",
    "HoldMode",
    "HoldState",
    "OverHold",
    "PaymentFlow",
    "PurchaseFlag",
    "PurchaseStatus",
    "RefundPolicy",
    "RefundStatus",
    "Scope",
    "SpendWindow",
    "StopReason",
    "StripeEventStatus",
    "TransactionKind",
    "Usage",
    "UsageKind",
    "UsageLine",
    "__version__",
    "new_idempotency_key",
]
_LOADED_LATER = {
    "AsyncBillingClient": "billing_client.asynchronous.client",
    "BillingClient": "billing_client.blocking.client",
    "ClientOptions": "billing_client.options",
    "Deduction": "billing_client.deductions",
}
"""Who needs one client loads one; the service and the gateway, which take small parts of this package, load none."""


def __getattr__(name: str) -> object:
    if name not in _LOADED_LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LOADED_LATER[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
