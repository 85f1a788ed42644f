"""Everything the service says no with.

    Refused                 the answer is no, for a stated reason
    ├── Refusal             a business no: nothing was stored, the same key may succeed later
    └── Failure             the machine could not: nothing is promised, the same key finds out

Only this file knows which reasons exist, and `precedence` which comes first where several apply. Each is made in this
folder: here what every wing needs, else in the file of its wing. `api.status` alone knows which gRPC status each one
gets.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Reason(StrEnum):
    """The closed list of reasons, equal to the enum `Reason` in `reasons.proto` without its prefix."""

    INVALID_FIELD = "INVALID_FIELD"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    UNKNOWN_PACKAGE = "UNKNOWN_PACKAGE"
    UNKNOWN_MODEL = "UNKNOWN_MODEL"
    PRICE_MISSING = "PRICE_MISSING"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    ACCOUNT_NOT_FOUND = "ACCOUNT_NOT_FOUND"
    PURCHASE_NOT_FOUND = "PURCHASE_NOT_FOUND"
    HOLD_NOT_FOUND = "HOLD_NOT_FOUND"
    REFERRAL_CODE_NOT_FOUND = "REFERRAL_CODE_NOT_FOUND"
    TRANSACTION_NOT_FOUND = "TRANSACTION_NOT_FOUND"
    STRIPE_EVENT_NOT_FOUND = "STRIPE_EVENT_NOT_FOUND"
    API_KEY_NOT_FOUND = "API_KEY_NOT_FOUND"
    REFUND_NOT_FOUND = "REFUND_NOT_FOUND"
    RATE_CARD_NOT_FOUND = "RATE_CARD_NOT_FOUND"
    STRIPE_CUSTOMER_NOT_FOUND = "STRIPE_CUSTOMER_NOT_FOUND"
    ACCOUNT_EXISTS = "ACCOUNT_EXISTS"
    REFERRAL_EXISTS = "REFERRAL_EXISTS"
    RATE_CARD_EXISTS = "RATE_CARD_EXISTS"
    STRIPE_CUSTOMER_TAKEN = "STRIPE_CUSTOMER_TAKEN"
    INSUFFICIENT_CREDITS = "INSUFFICIENT_CREDITS"
    ACCOUNT_FROZEN = "ACCOUNT_FROZEN"
    PURCHASE_NOT_REFUNDABLE = "PURCHASE_NOT_REFUNDABLE"
    CREDITS_ALREADY_SPENT = "CREDITS_ALREADY_SPENT"
    SELF_REFERRAL = "SELF_REFERRAL"
    REFERRAL_TOO_LATE = "REFERRAL_TOO_LATE"
    HOLD_EXPIRED = "HOLD_EXPIRED"
    HOLD_CLOSED = "HOLD_CLOSED"
    TOO_MANY_HOLDS = "TOO_MANY_HOLDS"
    HOLD_OWNED = "HOLD_OWNED"
    SESSION_TAKEN_OVER = "SESSION_TAKEN_OVER"
    TOO_MANY_SPEND_LIMITS = "TOO_MANY_SPEND_LIMITS"
    SPEND_LIMIT_REACHED = "SPEND_LIMIT_REACHED"
    PURCHASE_NOT_CANCELABLE = "PURCHASE_NOT_CANCELABLE"
    DEDUCTION_ALREADY_REVERSED = "DEDUCTION_ALREADY_REVERSED"
    TRANSACTION_NOT_REVERSIBLE = "TRANSACTION_NOT_REVERSIBLE"
    STRIPE_REFUSED = "STRIPE_REFUSED"
    BALANCE_LIMIT_REACHED = "BALANCE_LIMIT_REACHED"
    REVERSAL_TOO_LATE = "REVERSAL_TOO_LATE"
    STRIPE_CUSTOMER_DELETED = "STRIPE_CUSTOMER_DELETED"
    POSITION_EXPIRED = "POSITION_EXPIRED"
    API_KEY_INVALID = "API_KEY_INVALID"
    SCOPE_MISSING = "SCOPE_MISSING"
    NOT_YOURS = "NOT_YOURS"
    ACCOUNT_NOT_ALLOWED = "ACCOUNT_NOT_ALLOWED"
    SPENDER_NOT_ALLOWED = "SPENDER_NOT_ALLOWED"
    OVERLOADED = "OVERLOADED"
    STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE"
    STRIPE_UNAVAILABLE = "STRIPE_UNAVAILABLE"
    STRIPE_KEY_REFUSED = "STRIPE_KEY_REFUSED"
    CONFLICT = "CONFLICT"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    DEADLINE_TOO_SHORT = "DEADLINE_TOO_SHORT"
    OUTCOME_OMITTED = "OUTCOME_OMITTED"
    INTERNAL = "INTERNAL"


# "refused" and "failure" are the domain's words; neither is an error of the program.
class Refused(Exception):  # noqa: N818
    """The answer is no: a reason, words for people, and every dynamic value of those words as metadata."""

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: Mapping[str, str | int] | None = None,
        violations: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata: dict[str, str] = {name: str(value) for name, value in (metadata or {}).items()}
        self.violations = violations
        """(field, description) of each bad field, for BadRequest."""


class Refusal(Refused):
    """A business no: nothing was stored, it is final for this call, and the key stays free."""


class Failure(Refused):
    """The machine could not. Whether it had an effect may be unknown; the same key finds out."""


def invalid_field(field: str, description: str) -> Refusal:
    """A request field that is missing, malformed or out of range."""
    return Refusal(
        Reason.INVALID_FIELD, f"{field}: {description}", metadata={"field": field}, violations=((field, description),)
    )


def storage_unavailable(message: str = "the database can't be reached") -> Failure:
    return Failure(Reason.STORAGE_UNAVAILABLE, message)


def conflict() -> Failure:
    return Failure(Reason.CONFLICT, "other writers were in the way for too long")


def stripe_unavailable() -> Failure:
    return Failure(Reason.STRIPE_UNAVAILABLE, "Stripe can't be reached; the same idempotency key resumes this call")


def stripe_key_refused() -> Failure:
    return Failure(
        Reason.STRIPE_KEY_REFUSED,
        "Stripe refuses the service's API key (STRIPE_SECRET_KEY): its operator must mend it; the same idempotency "
        "key resumes this call",
    )


def account_not_found(account_id: str) -> Refusal:
    return Refusal(Reason.ACCOUNT_NOT_FOUND, "there is no such account", metadata={"account_id": account_id})


def key_reused(idempotency_key: str, transaction_id: str = "") -> Refusal:
    """`transaction_id`: of the charge that the key made by another method."""
    metadata = {"idempotency_key": idempotency_key}
    if transaction_id:
        metadata["transaction_id"] = transaction_id
    return Refusal(
        Reason.IDEMPOTENCY_KEY_REUSED,
        "the idempotency key was spent by a request that says something else",
        metadata=metadata,
    )


def stripe_refused(code: str) -> Refusal:
    """`code`: Stripe's own word."""
    return Refusal(Reason.STRIPE_REFUSED, "Stripe refused the request", metadata={"stripe_code": code})


def balance_limit_reached(balance_max: int) -> Refusal:
    """`balance_max`: microcredits."""
    return Refusal(
        Reason.BALANCE_LIMIT_REACHED,
        f"an account holds and owes at most {balance_max} microcredits",
        metadata={"balance_max_microcredits": balance_max},
    )


def insufficient_credits(
    *,
    available: int,
    required: int,
    shortfall: int,
    debt_max: int | None = None,
    more: Mapping[str, str | int] = MappingProxyType({}),
) -> Refusal:
    """`debt_max`: what the debt may come to, where the caller asked for debt. `more`: of a priced call, what would
    help."""
    words = f"{required} microcredits are required and {available} are available"
    metadata: dict[str, str | int] = {
        "available_microcredits": available,
        "required_microcredits": required,
        "shortfall_microcredits": shortfall,
    }
    if debt_max is not None:
        words += f"; the debt may come to {debt_max}"
        metadata["debt_max_microcredits"] = debt_max
    metadata.update(more)
    return Refusal(Reason.INSUFFICIENT_CREDITS, words, metadata=metadata)


def account_frozen() -> Refusal:
    return Refusal(Reason.ACCOUNT_FROZEN, "the account is frozen")
