"""What each class of the SDK's errors means for the effect of a call.

REFUSED        Stripe looked at the request and said no: nothing happened.
UNKNOWN        no answer, or one that says nothing about the effect.
KEY_REFUSED    our key is wrong, or may not do this. That says nothing about the purchase, which may go on once it is
               right.
DEFECT         the key came before with other parameters. The first call with that key may have had its effect: a refund
               may be out. So the effect was not refused, and nothing may be given back. A person has to look.
"""

from enum import Enum, auto
from typing import Final

import stripe
import structlog

from billing_service.payments.ports.outcomes import (
    ProviderBusy,
    ProviderKeyRefused,
    ProviderRefused,
    ProviderUnavailable,
)

log = structlog.get_logger(__name__)


class Effect(Enum):
    REFUSED = auto()
    UNKNOWN = auto()
    KEY_REFUSED = auto()
    DEFECT = auto()


EFFECTS: Final[dict[type[stripe.StripeError], Effect]] = {
    stripe.InvalidRequestError: Effect.REFUSED,
    stripe.CardError: Effect.REFUSED,
    stripe.APIConnectionError: Effect.UNKNOWN,
    stripe.APIError: Effect.UNKNOWN,
    stripe.RateLimitError: Effect.UNKNOWN,
    stripe.AuthenticationError: Effect.KEY_REFUSED,
    stripe.PermissionError: Effect.KEY_REFUSED,
    stripe.IdempotencyError: Effect.DEFECT,
}
"""By exact class: a subclass that a later SDK brings is unexpected, and so unknown, until it gets a row."""

KEY_HINTS: Final[dict[type[stripe.StripeError], str]] = {
    stripe.AuthenticationError: "Stripe does not know the key: it is mistyped, expired, rolled, or of a deleted "
    "account",
    stripe.PermissionError: "the restricted key lacks a permission for this operation; the Dashboard lists those of "
    "each key",
}

TOO_MANY_REQUESTS: Final = 429
UNDECIDED_CODES: Final = frozenset({"idempotency_key_in_use", "lock_timeout", "rate_limit"})
"""Codes that mean "not now" whatever class carries them."""


def translated(operation: str, error: Exception, proxy: str | None = None) -> ProviderRefused | ProviderUnavailable:
    """The port's word for anything that went wrong during `operation`, on the way through `proxy`; logged unless it is
    a plain refusal."""
    if isinstance(error, ProviderRefused | ProviderUnavailable):
        return error
    way, through = ({"proxy": proxy}, f" through proxy {proxy}") if proxy else ({}, "")
    if not isinstance(error, stripe.StripeError):
        if isinstance(error, TimeoutError):
            log.warning("stripe_call_timed_out", operation=operation, **way)
        else:
            log.error("stripe_call_broke", operation=operation, exc_info=error)
        return ProviderUnavailable(f"{operation}: no usable answer ({type(error).__name__}){through}")
    effect = EFFECTS.get(type(error))
    code = _code(error)
    if effect is Effect.REFUSED and code not in UNDECIDED_CODES:
        return ProviderRefused(
            code, error.user_message or "refused without a reason", getattr(error, "param", None) or None
        )
    details = {
        "operation": operation,
        "error": type(error).__name__,
        "code": code,
        "http_status": error.http_status,
        "request_id": error.request_id,
        **way,
    }
    if isinstance(error, stripe.APIConnectionError):
        details["network"] = str(error.user_message)
    match effect:
        case Effect.KEY_REFUSED:
            log.error("stripe_key_refused", setting="STRIPE_SECRET_KEY", hint=KEY_HINTS[type(error)], **details)
        case Effect.DEFECT:
            log.error("stripe_idempotency_key_reused_with_other_parameters", **details)
        case None:
            log.error("stripe_error_unexpected", **details)
        case _:
            log.warning("stripe_unavailable", **details)
    unavailable = ProviderKeyRefused if effect is Effect.KEY_REFUSED else ProviderUnavailable
    if error.http_status == TOO_MANY_REQUESTS:
        unavailable = ProviderBusy
    return unavailable(f"{operation}: {type(error).__name__} ({code}){through}", key_spent=_is_stored_failure(error))


def _code(error: stripe.StripeError) -> str:
    """Stripe's code where there is one (some classes keep it on the error object alone), else the kind of error."""
    body = error.error
    code = error.code or getattr(body, "code", None) or getattr(body, "type", None)
    return str(code) if code else "unknown"


def _is_stored_failure(error: stripe.StripeError) -> bool:
    """Whether this is a stored answer of 500 or above, which the same key will keep getting for a day."""
    replayed = str((error.headers or {}).get("idempotent-replayed", "")).lower() == "true"
    return replayed and (error.http_status or 0) >= 500  # noqa: PLR2004 - HTTP's server errors
