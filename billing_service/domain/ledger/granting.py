"""Credits that arrive, run out or are corrected."""

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.amounts import BALANCE_MAX
from billing_service.domain.ledger.ended_lots import back_into_lot
from billing_service.domain.ledger.entries import Draw, Place, Transaction, TransactionKind, is_lot
from billing_service.domain.ledger.expiry import book_expired
from billing_service.domain.ledger.lots import AT_ONCE_US, PRIORITY_DEFAULT, Category, Lot
from billing_service.domain.ledger.posting import Posting
from billing_service.domain.refusals import balance_limit_reached, insufficient_credits


def new_lot(
    amount: int,
    category: Category,
    *,
    now_us: int,
    ids: Ids,
    priority: int = PRIORITY_DEFAULT,
    effective_time_us: int | None = None,
    expire_time_us: int | None = None,
    source_id: str = "",
) -> Lot:
    """An empty lot for `amount` microcredits to come; `grant` fills it."""
    return Lot(
        lot_id=ids("lot"),
        category=category,
        priority=priority,
        amount=amount,
        remaining=0,
        create_time_us=now_us,
        effective_time_us=AT_ONCE_US if effective_time_us is None or effective_time_us <= now_us else effective_time_us,
        expire_time_us=expire_time_us,
        source_id=source_id,
    )


def grant(
    account: Account,
    lot: Lot,
    source: str,
    kind: TransactionKind,
    *,
    now_us: int,
    ids: Ids,
    caller: str = "",
    description: str = "",
) -> Transaction:
    """Fills a new lot from `source` and settles debt from it at once. Refuses with BALANCE_LIMIT_REACHED."""
    if not account.has_room(lot.amount):
        raise balance_limit_reached(BALANCE_MAX)
    posting = Posting(account, now_us)
    posting.into_new_lot(lot, source)
    posting.settle_debt()
    return posting.close(ids, kind, source_id=lot.source_id, caller=caller, description=description)


def adjust(account: Account, amount: int, *, now_us: int, ids: Ids, caller: str, description: str) -> Transaction:
    """Corrects a balance by `amount` microcredits, not 0: up as a promotional lot, down in burn-down order."""
    assert amount
    if amount > 0:
        lot = new_lot(amount, Category.PROMOTIONAL, now_us=now_us, ids=ids)
        return grant(
            account,
            lot,
            Place.ADJUSTMENTS,
            TransactionKind.ADJUSTMENT,
            now_us=now_us,
            ids=ids,
            caller=caller,
            description=description,
        )
    available = max(account.spendable(now_us) - account.debt, 0)
    if available < -amount:
        raise insufficient_credits(available=available, required=-amount, shortfall=-amount - available)
    posting = Posting(account, now_us)
    posting.settle_debt()
    posting.spend(Place.ADJUSTMENTS, -amount)
    return posting.close(ids, TransactionKind.ADJUSTMENT, caller=caller, description=description)


def expire(account: Account, *, now_us: int, ids: Ids) -> list[Transaction]:
    """Books what ran out, as of when it did. A lot that was taken back has something only if a program of an older
    schema put it there: that goes on. The lots that came in the stead of such lots are among the account's."""
    booked = book_expired(account, account.lots, now_us=now_us, ids=ids)
    posting = Posting(account, now_us)
    for lot in list(account.lots):
        if lot.ended_to and lot.remaining and lot.has_expired(now_us):
            _pass_on(posting, lot, ids)
    if posting.entries:
        booked.append(posting.close(ids, TransactionKind.EXPIRY))
    return booked


def _pass_on(posting: Posting, lot: Lot, ids: Ids) -> None:
    """Moves what is in a lot that was taken back to where what returns to it goes."""
    account, left = posting.account, lot.remaining
    if not is_lot(lot.ended_to):
        posting.out_of_lot(lot, lot.ended_to, left)
        return
    lot.remaining = 0
    account.balance -= left
    account.changed_lots[lot.lot_id] = lot
    posting.draws.append(Draw(lot.lot_id, lot.category, left))
    back_into_lot(posting, account.known_lot(lot.ended_to), lot.lot_id, left, ids)
