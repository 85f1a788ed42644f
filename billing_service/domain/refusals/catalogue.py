"""Refusals of rate cards."""

from collections.abc import Sequence

from billing_service.domain.refusals import Reason, Refusal


def rate_card_exists(version: str) -> Refusal:
    return Refusal(
        Reason.RATE_CARD_EXISTS,
        f"there is a rate card {version} already, and it never changes: give the new one another version",
        metadata={"rate_card_version": version},
    )


def rate_card_not_found(version: str) -> Refusal:
    """`version`: empty where the card in force was asked for."""
    return Refusal(
        Reason.RATE_CARD_NOT_FOUND, f"there is no rate card {version}".strip(), metadata={"rate_card_version": version}
    )


def no_rate_card() -> Refusal:
    """No card was in force at the moment of the usage."""
    return Refusal(Reason.PRICE_MISSING, "there is no rate card", metadata={"missing": "rate_card"})


def card_file_invalid(words: str, violations: Sequence[tuple[str, str]], problem_count: int) -> Refusal:
    """`violations`: (field, description) of the problems for which a status has room; `problem_count`: of all."""
    return Refusal(
        Reason.INVALID_FIELD,
        words,
        metadata={"field": "card_file", "problem_count": problem_count},
        violations=tuple(violations),
    )
