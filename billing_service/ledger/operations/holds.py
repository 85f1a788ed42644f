"""Holds, their captures, releases and extensions, as operations of the group commit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.ledger.holds import Hold
from billing_service.domain.ledger.thresholds import tell_unpriced
from billing_service.domain.refusals import Refusal
from billing_service.domain.refusals.spending import hold_not_found, hold_owned
from billing_service.domain.spending.captures import Captured, OverHold, capture_hold
from billing_service.domain.spending.deductions import SpendingTerms
from billing_service.domain.spending.holds import (
    Author,
    HoldChanged,
    HoldTerms,
    extend_hold,
    hold_credits,
    release_hold,
)
from billing_service.domain.spending.price_records import UnpricedUsage, encode_unpriced
from billing_service.domain.spending.unpriced import unpriced_detail
from billing_service.domain.spending.usage import Usage
from billing_service.ledger.keys import IdempotencyKey


@dataclass(slots=True)
class HoldCredits:
    """Reserves credits of one account."""

    hold_id: ClassVar[str] = ""
    account_id: str
    asked: HoldTerms
    key: IdempotencyKey
    author: Author
    encode_reply: Callable[[HoldChanged, Balance], bytes]
    usage: Usage | None = None
    """What is to be priced before this is submitted; None where the caller named the amount."""
    unpriced: Refusal | None = None
    """Of a usage without a price: why it has none. Then there is nothing to hold."""

    @property
    def spender_ids(self) -> tuple[str, ...]:
        """See `Operation`."""
        return self.asked.spender_ids

    def decide(self, account: Account, now_us: int, ids: Ids, terms: SpendingTerms) -> HoldChanged:
        """See `Operation`."""
        if self.unpriced is not None:
            raise self.unpriced
        return hold_credits(account, self.asked, self.author, now_us=now_us, ids=ids, windows=terms.windows)


@dataclass(slots=True)
class CaptureHold:
    """Charges what was used of a hold."""

    spender_ids: ClassVar[tuple[str, ...]] = ()
    account_id: str
    hold_id: str
    amount: int
    final: bool
    over_hold: OverHold
    key: IdempotencyKey
    author: Author
    encode_reply: Callable[[Captured, Balance], bytes]
    usage: Usage | None = None
    """What is to be priced before this is submitted; None where the caller named the amount."""
    price_record: bytes = b""
    """Of a priced usage: why it costs `amount`."""
    unpriced: UnpricedUsage | None = None
    """A usage without a price: all that is left of the hold is charged in its stead."""

    def decide(self, account: Account, now_us: int, ids: Ids, terms: SpendingTerms) -> Captured:
        """See `Operation`."""
        hold = _named(account, self.hold_id)
        amount, record = self.amount, self.price_record
        if self.unpriced is not None:
            amount = hold.left if hold.is_open else hold.amount - hold.captured
            record = encode_unpriced(self.unpriced, amount)
        captured = capture_hold(
            account,
            hold,
            amount,
            self.over_hold,
            self.author,
            final=self.final,
            now_us=now_us,
            ids=ids,
            terms=terms,
            price_record=record,
        )
        if self.unpriced is not None:
            detail = unpriced_detail(self.unpriced)
            tell_unpriced(account, detail, captured.transaction_id, captured.amount, now_us=now_us, ids=ids)
        return captured


@dataclass(slots=True)
class ReleaseHold:
    """Gives back what is left of a hold."""

    spender_ids: ClassVar[tuple[str, ...]] = ()
    account_id: str
    hold_id: str
    key: IdempotencyKey
    author: Author
    encode_reply: Callable[[HoldChanged, Balance], bytes]

    def decide(self, account: Account, now_us: int, ids: Ids, terms: SpendingTerms) -> HoldChanged:
        """See `Operation`."""
        del terms
        return release_hold(account, _named(account, self.hold_id), self.author, now_us=now_us, ids=ids)


@dataclass(slots=True)
class ExtendHold:
    """Reserves more, or for longer."""

    spender_ids: ClassVar[tuple[str, ...]] = ()
    account_id: str
    hold_id: str
    additional: int
    lifetime_us: int
    key: IdempotencyKey
    author: Author
    encode_reply: Callable[[HoldChanged, Balance], bytes]

    def decide(self, account: Account, now_us: int, ids: Ids, terms: SpendingTerms) -> HoldChanged:
        """See `Operation`."""
        return extend_hold(
            account,
            _named(account, self.hold_id),
            self.additional,
            self.lifetime_us,
            self.author,
            now_us=now_us,
            ids=ids,
            windows=terms.windows,
        )


def _named(account: Account, hold_id: str) -> Hold:
    hold = account.holds.get(hold_id)
    if hold is None:
        raise hold_not_found(hold_id)
    if hold.is_session:
        raise hold_owned(hold_id)
    return hold
