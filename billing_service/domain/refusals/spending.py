"""Refusals of deductions, of their reversals, of holds and of prices. Amounts are microcredits."""

from collections.abc import Mapping

from billing_service.domain.refusals import Reason, Refusal


def transaction_not_found(transaction_id: str) -> Refusal:
    return Refusal(
        Reason.TRANSACTION_NOT_FOUND, "the account has no such transaction", metadata={"transaction_id": transaction_id}
    )


def transaction_not_reversible() -> Refusal:
    return Refusal(Reason.TRANSACTION_NOT_REVERSIBLE, "the transaction is not a deduction")


def not_yours() -> Refusal:
    return Refusal(Reason.NOT_YOURS, "another caller made the deduction; an operator may reverse it")


def reversal_too_late(window_s: int) -> Refusal:
    return Refusal(
        Reason.REVERSAL_TOO_LATE,
        f"the deduction is older than {window_s} s; an operator may reverse it",
        metadata={"reversal_window_s": window_s},
    )


def deduction_already_reversed(reversible: int) -> Refusal:
    return Refusal(
        Reason.DEDUCTION_ALREADY_REVERSED,
        f"{reversible} microcredits of the deduction are left to reverse",
        metadata={"reversible_microcredits": reversible},
    )


def unknown_model(provider: str, model: str, card_version: str) -> Refusal:
    return Refusal(
        Reason.UNKNOWN_MODEL,
        f"rate card {card_version} has no model {model!r} of provider {provider!r}",
        metadata={"provider": provider, "model": model, "rate_card_version": card_version},
    )


def price_missing(named: Mapping[str, str], missing: str) -> Refusal:
    """`named`: provider, model, model_pattern and rate_card_version. `missing` in the words of a card file:
    `output_tokens, images`, `service_tier flex`, `attribute region=us`."""
    return Refusal(
        Reason.PRICE_MISSING,
        f"rate card {named['rate_card_version']} has no price of {named['provider']} {named['model']} for {missing}",
        metadata={**named, "missing": missing},
    )


def hold_not_found(hold_id: str) -> Refusal:
    return Refusal(Reason.HOLD_NOT_FOUND, "the account has no such hold", metadata={"hold_id": hold_id})


def hold_closed(hold_id: str, state: str) -> Refusal:
    """`state`: what the hold ended as, in the wire's words without their prefix."""
    return Refusal(
        Reason.HOLD_CLOSED,
        f"the hold has ended already: it is {state}",
        metadata={"hold_id": hold_id, "state": state},
    )


def hold_expired(hold_id: str) -> Refusal:
    return Refusal(Reason.HOLD_EXPIRED, "the hold's time is up", metadata={"hold_id": hold_id})


def too_many_holds(open_max: int) -> Refusal:
    return Refusal(
        Reason.TOO_MANY_HOLDS,
        f"the account has {open_max} open holds already; capture or release some",
        metadata={"open_holds_max": open_max},
    )


def hold_owned(hold_id: str) -> Refusal:
    return Refusal(
        Reason.HOLD_OWNED, "the hold belongs to a session, and this is not its owner", metadata={"hold_id": hold_id}
    )


def session_taken_over(session_id: str) -> Refusal:
    return Refusal(Reason.SESSION_TAKEN_OVER, "another stream resumed the session", metadata={"session_id": session_id})


def spend_limit_reached(spender_id: str, window: str, left: int, reset_time: str) -> Refusal:
    """`spender_id`: empty for the account itself. `reset_time`: when the window ends, RFC 3339; empty for never."""
    reset = {"reset_time": reset_time} if reset_time else {}
    whose = f"of spender {spender_id!r}" if spender_id else "of the account"
    return Refusal(
        Reason.SPEND_LIMIT_REACHED,
        f"{left} microcredits are left of the limit {whose} (window {window})",
        metadata={"spender_id": spender_id, "window": window, "left_microcredits": left, **reset},
    )


def too_many_spend_limits(limits_max: int) -> Refusal:
    return Refusal(
        Reason.TOO_MANY_SPEND_LIMITS,
        f"an account has at most {limits_max} spend limits",
        metadata={"spend_limits_max": limits_max},
    )


def spender_not_allowed() -> Refusal:
    return Refusal(Reason.SPENDER_NOT_ALLOWED, "the API key is bound to spenders, and sets no limits")
