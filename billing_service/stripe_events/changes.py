"""What an event changed of a purchase or a customer, as fields of a log line."""

from collections.abc import Mapping
from typing import Any, Final

from billing_service.domain.accounts.profiles import Profile
from billing_service.domain.sales.purchases import Purchase
from billing_service.ledger.unit import Unit
from billing_service.stripe_events.result import Did

_PURCHASE: Final[Mapping[str, str]] = {
    "status": "purchase_status",
    "checkout_session_id": "checkout_session_id",
    "payment_intent_id": "payment_intent_id",
    "paid_minor": "paid_minor",
    "refunded_minor": "refunded_minor",
    "disputed_minor": "disputed_minor",
    "reversed": "reversed_microcredits",
    "reversed_debt": "reversed_debt_microcredits",
    "reversed_expired": "reversed_expired_microcredits",
    "payment_time_us": "payment_time_us",
    "flags": "flags",
}
"""What an event may change of a purchase, and the word for it in the log."""
_CUSTOMER: Final = ("stripe_customer_id", "email", "name", "contact_version_sent", "customer_update_time_us")
NOTHING_CHANGED: Final = "nothing"
_ALWAYS: Final = frozenset({"purchase_status", "checkout_session_id", "payment_intent_id"})


def changes_of_purchase(before: Purchase, after: Purchase) -> Did:
    """Which purchase it is and its state; the amounts that changed, as they are now; and the names of all that
    changed."""
    changed = [word for name, word in _PURCHASE.items() if getattr(before, name) != getattr(after, name)]
    stands = {word: getattr(after, name) for name, word in _PURCHASE.items() if word in _ALWAYS or word in changed}
    if "flags" in stands:
        stands["flags"] = " ".join(str(flag.name) for flag in after.flags)
    status = after.status.value
    return {
        "account_id": after.account_id,
        "purchase_id": after.purchase_id,
        **stands,
        "purchase_status": status,
        "currency": after.currency,
        "changed": " ".join(changed) or NOTHING_CHANGED,
    }


def changes_of_customer(before: Profile, after: Profile) -> Did:
    """Which of the account's fields changed: their names alone, since e-mail and name are nobody's business in a
    log."""
    changed = [name for name in _CUSTOMER if getattr(before, name) != getattr(after, name)]
    return {"account_id": after.account_id, "changed": " ".join(changed) or NOTHING_CHANGED}


def booked_in(unit: Unit) -> str:
    """The transactions that a unit has decided and not yet written, such as `PURCHASE 5000000 of ada (txn_…)`."""
    booked: list[Any] = [transaction for account in unit.accounts.values() for transaction in account.transactions]
    return "; ".join(f"{each.kind.name} {each.amount} of {each.account_id} ({each.transaction_id})" for each in booked)
