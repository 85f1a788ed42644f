"""Credits that ran out: gone from the moment on at which their lot ended, and booked later, as of that moment."""

from collections.abc import Sequence

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.entries import Transaction, TransactionKind
from billing_service.domain.ledger.lots import Lot
from billing_service.domain.ledger.posting import Posting


def book_expired(account: Account, lots: Sequence[Lot], *, now_us: int, ids: Ids) -> list[Transaction]:
    """Books what ran out of these lots, in a transaction for each moment at which some ended, the earliest first. A
    lot that was taken back ended at another moment; what is in it did not run out."""
    due = [lot for lot in lots if lot.remaining and lot.has_expired(now_us) and not lot.ended_to]
    booked = []
    for end_us in sorted({lot.expire_time_us for lot in due if lot.expire_time_us is not None}):
        posting = Posting(account, now_us, effective_us=end_us)
        for lot in due:
            if lot.expire_time_us == end_us:
                posting.expire_lot(lot)
        booked.append(posting.close(ids, TransactionKind.EXPIRY))
    return booked
