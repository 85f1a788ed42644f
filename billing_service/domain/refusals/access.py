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


def signature_invalid() -> Refusal:
    return Refusal(Reason.SIGNATURE_INVALID, "the signature does not fit the payload, the secrets or the time")


def stripe_event_not_found(event_id: str) -> Refusal:
    return Refusal(
        Reason.STRIPE_EVENT_NOT_FOUND, "there is no such event in the inbox", metadata={"event_id": event_id}
    )
