"""Refusals of callers, accounts, API keys and events: who may do what, and to whom."""

from billing_service.domain.refusals import Reason, Refusal


def api_key_invalid() -> Refusal:
    return Refusal(Reason.API_KEY_INVALID, "a valid API key or client certificate is required")


def scope_missing(scope: str) -> Refusal:
    return Refusal(Reason.SCOPE_MISSING, f"the caller lacks the scope {scope!r}", metadata={"scope": scope})


def account_not_allowed() -> Refusal:
    """Names nothing: whether the account, purchase or refund exists is no business of this caller."""
    return Refusal(Reason.ACCOUNT_NOT_ALLOWED, "the API key is bound to accounts, and this is about none of them")


def api_key_not_found(key_id: str) -> Refusal:
    return Refusal(Reason.API_KEY_NOT_FOUND, "there is no such API key", metadata={"key_id": key_id})


def account_exists(account_id: str) -> Refusal:
    return Refusal(Reason.ACCOUNT_EXISTS, "the account exists", metadata={"account_id": account_id})


def stripe_customer_taken(stripe_customer_id: str) -> Refusal:
    """Does not say whose it is: the caller may have no business with that account."""
    return Refusal(
        Reason.STRIPE_CUSTOMER_TAKEN,
        "the Stripe customer is or was another account's, or another deployment's",
        metadata={"stripe_customer_id": stripe_customer_id},
    )


def stripe_customer_not_found(stripe_customer_id: str) -> Refusal:
    return Refusal(
        Reason.STRIPE_CUSTOMER_NOT_FOUND,
        "Stripe has no such customer",
        metadata={"stripe_customer_id": stripe_customer_id},
    )


def stripe_customer_deleted(stripe_customer_id: str) -> Refusal:
    return Refusal(
        Reason.STRIPE_CUSTOMER_DELETED,
        "the customer was deleted at Stripe",
        metadata={"stripe_customer_id": stripe_customer_id},
    )


def signature_invalid() -> Refusal:
    return Refusal(Reason.SIGNATURE_INVALID, "the signature does not fit the payload, the secrets or the time")


def stripe_event_not_found(event_id: str) -> Refusal:
    return Refusal(
        Reason.STRIPE_EVENT_NOT_FOUND, "there is no such event in the inbox", metadata={"event_id": event_id}
    )
