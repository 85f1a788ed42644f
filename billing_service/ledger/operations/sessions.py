"""What a session asks of its hold, as operations of the group commit. Its owner alone asks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.balance import Balance
from billing_service.domain.ledger.holds import Hold, HoldState
from billing_service.domain.ledger.thresholds import tell_unpriced
from billing_service.domain.refusals.spending import hold_not_found
from billing_service.domain.spending.captures import Captured, OverHold, capture_hold
from billing_service.domain.spending.deductions import SpendingTerms
from billing_service.domain.spending.holds import Author, HoldChanged, extend_hold
from billing_service.domain.spending.price_records import (
    PricedUsage,
    UnpricedUsage,
    encode_price,
    encode_unpriced,
)
from billing_service.domain.spending.sessions import late_charge
from billing_service.domain.spending.unpriced import unpriced_detail
from billing_service.ledger.keys import IdempotencyKey


@dataclass(slots=True, frozen=True)
class GrowSession:
    """Lets the hold of a session reserve more, or live longer."""

    spender_ids: ClassVar[tuple[str, ...]] = ()
    """Those of the session's hold."""
    account_id: str
    hold_id: str
    additional: int
    lifetime_us: int
    key: IdempotencyKey
    author: Author
    encode_reply: Callable[[HoldChanged, Balance], bytes]

    def decide(self, account: Account, now_us: int, ids: Ids, terms: SpendingTerms) -> HoldChanged:
        """See `Operation`."""
        hold = _of_session(account, self.hold_id)
        return extend_hold(
            account,
            hold,
            self.additional,
            self.lifetime_us,
            self.author,
            now_us=now_us,
            ids=ids,
            windows=terms.windows,
        )


@dataclass(slots=True, frozen=True)
class CloseSession:
    """Charges a session, once and finally. After its hold's expiry `amount` is still what it costs in all: what the
    expiry captured is counted."""

    spender_ids: ClassVar[tuple[str, ...]] = ()
    """Those of the session's hold."""
    account_id: str
    hold_id: str
    amount: int
    priced: PricedUsage | None
    """Why it costs that; None where nothing is charged, or the card has no price."""
    unpriced: UnpricedUsage | None
    """A usage without a price, for which `amount` is charged."""
    key: IdempotencyKey
    author: Author
    encode_reply: Callable[[Captured, Balance], bytes]

    def decide(self, account: Account, now_us: int, ids: Ids, terms: SpendingTerms) -> Captured:
        """See `Operation`."""
        hold = _of_session(account, self.hold_id)
        before = min(hold.captured, self.amount) if hold.state is HoldState.EXPIRED else 0
        charged = capture_hold(
            account,
            hold,
            late_charge(self.amount, before),
            OverHold.UP_TO_HOLD,
            self.author,
            final=True,
            now_us=now_us,
            ids=ids,
            terms=terms,
            price_record=self._record(before),
        )
        if self.unpriced is not None:
            detail = unpriced_detail(self.unpriced)
            tell_unpriced(account, detail, charged.transaction_id, charged.amount, now_us=now_us, ids=ids)
        return charged._replace(amount=charged.amount + before)

    def _record(self, before: int) -> bytes:
        if self.unpriced is not None:
            return encode_unpriced(self.unpriced, self.amount, before)
        return b"" if self.priced is None else encode_price(self.priced, before)


def _of_session(account: Account, hold_id: str) -> Hold:
    hold = account.holds.get(hold_id)
    if hold is None or not hold.is_session:
        raise hold_not_found(hold_id)
    return hold
