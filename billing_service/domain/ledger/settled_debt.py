"""What comes back of a debt that was settled since: to the lots that paid it, as far as they are known."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from billing_service.domain.ledger.account import Ids
from billing_service.domain.ledger.ended_lots import back_into_lot
from billing_service.domain.ledger.entries import Place, Transaction, is_lot
from billing_service.domain.ledger.lots import AT_ONCE_US, PRIORITY_DEFAULT, Category, Lot
from billing_service.domain.ledger.posting import Posting


class Payment(NamedTuple):
    """What one lot paid of an account's debts and did not get back."""

    lot_id: str
    amount: int


def recent_payments(history: Iterable[Transaction], cause: str, wanted: int) -> list[Payment]:
    """Who paid the last `wanted` microcredits of debt, the last payer first. `history` comes newest first, and is read
    no further than needed or than the transaction `cause`, whose debt it is. What earlier returns of the same cause
    gave back is not counted again. Fewer than wanted: the history at hand does not say who paid the rest."""
    found: list[Payment] = []
    returned: Counter[str] = Counter()
    for transaction in history:
        if transaction.transaction_id == cause:
            break
        for source, destination, amount in reversed(transaction.entries):
            if transaction.source_id == cause and is_lot(destination) and not is_lot(source):
                returned[destination] += amount
            elif destination == Place.DEBT and is_lot(source):
                gone = min(amount, returned[source])
                returned[source] -= gone
                if amount > gone:
                    found.append(Payment(source, amount - gone))
                    wanted -= amount - gone
        if wanted <= 0:
            break
    return found


def give_back_debt(
    posting: Posting, source: str, amount: int, payments: Sequence[Payment], unknown: Callable[[int], None], *, ids: Ids
) -> None:
    """Gives back `amount` that once became debt: what is still owed first, then to the lots that paid, whose terms the
    credits keep. `unknown` takes what no payer is known for, or has no room for."""
    repaid = min(amount, posting.account.debt)
    if repaid:
        posting.repay(source, repaid)
    left = amount - repaid
    for lot_id, paid in payments:
        lot = posting.account.known_lot(lot_id)
        part = min(left, paid if lot.ended_to else min(paid, lot.room))
        if part:
            back_into_lot(posting, lot, source, part, ids)
            left -= part
    if left:
        unknown(left)


def lot_of_unknown(posting: Posting, amount: int, payments: Sequence[Payment], *, lifetime_us: int, ids: Ids) -> Lot:
    """An empty lot for what came back and belongs to no lot that is known: promotional, and it ends after
    `lifetime_us`, or with the first of the known payers to end where that is sooner. So an expiry is not shaken off by
    paying debt."""
    payers = (posting.account.known_lot(payment.lot_id) for payment in payments)
    # A lot that was taken back says nothing of how long credits last: its end is when that was.
    ends_us = [payer.expire_time_us for payer in payers if payer.expire_time_us is not None and not payer.ended_to]
    return Lot(
        lot_id=ids("lot"),
        category=Category.PROMOTIONAL,
        priority=PRIORITY_DEFAULT,
        amount=amount,
        remaining=0,
        create_time_us=posting.now_us,
        effective_time_us=AT_ONCE_US,
        expire_time_us=min([posting.now_us + lifetime_us, *ends_us]),
    )
