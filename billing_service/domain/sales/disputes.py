"""Disputes of a purchase's payment: what each took of the money, whatever the order in which it was told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntFlag, StrEnum
from typing import Final


class DisputeStatus(StrEnum):
    """Where a dispute stands. Money is told by its entries, and not by this."""

    INQUIRY = "INQUIRY"
    """A bank asks, and takes nothing."""
    INQUIRY_CLOSED = "INQUIRY_CLOSED"
    NEEDS_RESPONSE = "NEEDS_RESPONSE"
    UNDER_REVIEW = "UNDER_REVIEW"
    WON = "WON"
    LOST = "LOST"
    PREVENTED = "PREVENTED"
    """Settled before the bank took anything."""
    OTHER = "OTHER"
    """A word of Stripe's that this program does not know."""

    @property
    def is_open(self) -> bool:
        """Whether it may still be answered, or decided."""
        return self in (DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW, DisputeStatus.OTHER)


class PurchaseFlags(IntFlag):
    """What a person should know of a purchase. The numbers are stored."""

    INQUIRY = 1
    """A bank asks about its payment."""
    DISPUTED = 2
    """A dispute of its payment is open."""
    FRAUD_WARNING = 4
    """A bank suspected a fraud. It stays."""


NO_FLAGS: Final = PurchaseFlags(0)


STATUSES: Final[Mapping[str, DisputeStatus]] = {
    "warning_needs_response": DisputeStatus.INQUIRY,
    "warning_under_review": DisputeStatus.INQUIRY,
    "warning_closed": DisputeStatus.INQUIRY_CLOSED,
    "needs_response": DisputeStatus.NEEDS_RESPONSE,
    "under_review": DisputeStatus.UNDER_REVIEW,
    "appeal_needs_response": DisputeStatus.NEEDS_RESPONSE,
    "appeal_under_review": DisputeStatus.UNDER_REVIEW,
    "prevented": DisputeStatus.PREVENTED,
    "lost": DisputeStatus.LOST,
    "won": DisputeStatus.WON,
}
"""Stripe's words, in the order in which a dispute comes to them: it tells which is newer of two in one second."""
_RANKS: Final[Mapping[str, int]] = {word: rank for rank, word in enumerate(STATUSES)}


def out_minor(amount_minor: int, entries: Iterable[int]) -> int:
    """How much of a dispute's amount is out, by the entries of Stripe's balance: below 0 what was withdrawn, above 0
    what was returned, in the currency of the balance and without fees.

    The amount's share that has not come back, rounded up; nothing without a withdrawal. Neither the number of the
    entries nor their order matters. STRIPE_TODAY: entries may be in another currency, and a return may be partial.
    """
    moved = list(entries)
    withdrawn = -min(moved, default=0)
    if withdrawn <= 0:
        return 0
    return min(amount_minor, -(-amount_minor * max(-sum(moved), 0) // withdrawn))


@dataclass(frozen=True, slots=True)
class DisputeNews:
    """A dispute as Stripe told it once. Money in the smallest unit of `currency`."""

    dispute_id: str
    amount_minor: int
    currency: str
    word: str
    """Stripe's word for its status."""
    reason: str
    entries: Mapping[str, int]
    """Of Stripe's balance, by their ids."""
    due_time_us: int | None
    told_time_us: int
    """When Stripe said so."""


@dataclass(slots=True)
class Dispute:
    """One dispute of one purchase's payment. Money in the smallest unit of `currency`."""

    account_id: str
    dispute_id: str
    """Stripe's, `dp_…`."""
    purchase_id: str
    amount_minor: int
    """What the bank wants; it may be more than was paid."""
    currency: str
    word: str
    reason: str
    entries: Mapping[str, int]
    """All entries of Stripe's balance that were ever told: Stripe adds some and takes none away."""
    out_minor: int
    """How much of the amount is out."""
    due_time_us: int | None
    """Until when it can be answered."""
    told_time_us: int
    """When Stripe told what stands here."""
    create_time_us: int

    @property
    def status(self) -> DisputeStatus:
        return STATUSES.get(self.word, DisputeStatus.OTHER)

    def learn(self, news: DisputeNews) -> None:
        """Takes what is newer of the news, and every entry of them."""
        self.entries = {**self.entries, **news.entries}
        if _age(news.told_time_us, news.word) >= _age(self.told_time_us, self.word):
            self.amount_minor, self.word, self.reason = news.amount_minor, news.word, news.reason
            self.due_time_us, self.told_time_us = news.due_time_us, news.told_time_us
        self.out_minor = out_minor(self.amount_minor, self.entries.values())


def begun(news: DisputeNews, account_id: str, purchase_id: str, now_us: int) -> Dispute:
    """A dispute that was not known before."""
    return Dispute(
        account_id=account_id,
        dispute_id=news.dispute_id,
        purchase_id=purchase_id,
        amount_minor=news.amount_minor,
        currency=news.currency,
        word=news.word,
        reason=news.reason,
        entries=dict(news.entries),
        out_minor=out_minor(news.amount_minor, news.entries.values()),
        due_time_us=news.due_time_us,
        told_time_us=news.told_time_us,
        create_time_us=now_us,
    )


def flags_of(disputes: Iterable[Dispute], before: PurchaseFlags) -> PurchaseFlags:
    """The flags of a purchase with these disputes."""
    flags = before & PurchaseFlags.FRAUD_WARNING
    for dispute in disputes:
        if dispute.status is DisputeStatus.INQUIRY:
            flags |= PurchaseFlags.INQUIRY
        if dispute.status.is_open:
            flags |= PurchaseFlags.DISPUTED
    return flags


def _age(told_time_us: int, word: str) -> tuple[int, int, str]:
    return told_time_us, _RANKS.get(word, -1), word
