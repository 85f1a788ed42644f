"""Refusals of the feed of business events."""

from billing_service.domain.refusals import Reason, Refusal


def position_expired() -> Refusal:
    return Refusal(
        Reason.POSITION_EXPIRED,
        "events after this position are kept no longer; read the state of your accounts, then begin without a position",
    )
