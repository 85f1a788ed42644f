"""Which refusal a caller gets where several apply: the first of this order. The form comes before the key, and the key
before anything that may change, so that a repeat is answered as its first call was, whatever has become of the ledger
since."""

from typing import Final, NamedTuple

from billing_service.domain.refusals import Reason


class Stage(NamedTuple):
    """Reasons that are looked for together. INVALID_FIELD is looked for at three stages, by what it takes to see the
    fault."""

    name: str
    reasons: tuple[Reason, ...]


PRECEDENCE: Final = (
    Stage("time and room to serve the call", (Reason.DEADLINE_TOO_SHORT, Reason.OVERLOADED, Reason.SHUTTING_DOWN)),
    Stage("who calls", (Reason.API_KEY_INVALID,)),
    Stage("whether that caller may", (Reason.SCOPE_MISSING, Reason.ACCOUNT_NOT_ALLOWED, Reason.SPENDER_NOT_ALLOWED)),
    Stage("the form of the fields", (Reason.INVALID_FIELD, Reason.SIGNATURE_INVALID)),
    Stage("what names the account of the key", (Reason.PURCHASE_NOT_FOUND, Reason.REFERRAL_CODE_NOT_FOUND)),
    Stage("the idempotency key", (Reason.IDEMPOTENCY_KEY_REUSED,)),
    Stage(
        "what the call is about",
        (
            Reason.ACCOUNT_NOT_FOUND,
            Reason.HOLD_NOT_FOUND,
            Reason.REFUND_NOT_FOUND,
            Reason.API_KEY_NOT_FOUND,
            Reason.STRIPE_EVENT_NOT_FOUND,
            Reason.RATE_CARD_NOT_FOUND,
        ),
    ),
    Stage("a part of that", (Reason.TRANSACTION_NOT_FOUND,)),
    Stage(
        "fields against rule, clock, catalogue and rate card",
        (Reason.INVALID_FIELD, Reason.UNKNOWN_PACKAGE, Reason.UNKNOWN_MODEL, Reason.PRICE_MISSING),
    ),
    Stage(
        "the state of what the call is about",
        (
            Reason.ACCOUNT_EXISTS,
            Reason.RATE_CARD_EXISTS,
            Reason.ACCOUNT_FROZEN,
            Reason.HOLD_CLOSED,
            Reason.HOLD_EXPIRED,
            Reason.TOO_MANY_HOLDS,
            Reason.TOO_MANY_SPEND_LIMITS,
            Reason.PURCHASE_NOT_REFUNDABLE,
            Reason.PURCHASE_NOT_CANCELABLE,
            Reason.TRANSACTION_NOT_REVERSIBLE,
        ),
    ),
    Stage("fields against that state", (Reason.INVALID_FIELD,)),
    Stage(
        "whose it is",
        (
            Reason.NOT_YOURS,
            Reason.HOLD_OWNED,
            Reason.SESSION_TAKEN_OVER,
            Reason.REFERRAL_EXISTS,
            Reason.STRIPE_CUSTOMER_TAKEN,
        ),
    ),
    Stage("what it leads to", (Reason.SELF_REFERRAL,)),
    Stage("the time that has passed", (Reason.REVERSAL_TOO_LATE, Reason.REFERRAL_TOO_LATE, Reason.POSITION_EXPIRED)),
    Stage(
        "amounts against what is there",
        (
            Reason.SPEND_LIMIT_REACHED,
            Reason.INSUFFICIENT_CREDITS,
            Reason.CREDITS_ALREADY_SPENT,
            Reason.DEDUCTION_ALREADY_REVERSED,
            Reason.BALANCE_LIMIT_REACHED,
        ),
    ),
    Stage("Stripe's word", (Reason.STRIPE_REFUSED, Reason.STRIPE_CUSTOMER_NOT_FOUND, Reason.STRIPE_CUSTOMER_DELETED)),
)

AT_ANY_TIME: Final = frozenset(
    {
        Reason.STORAGE_UNAVAILABLE,
        Reason.CONFLICT,
        Reason.STRIPE_UNAVAILABLE,
        Reason.STRIPE_KEY_REFUSED,
        Reason.OUTCOME_OMITTED,
        Reason.INTERNAL,
    }
)
"""Failures of a machine: they have no order."""
