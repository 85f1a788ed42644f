"""Captures of holds: what was used is charged to the hold, and what is above it as the caller says."""

from enum import IntEnum
from typing import NamedTuple

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.entries import Draw, Place, TransactionKind, is_lot, lot_held
from billing_service.domain.ledger.holds import Hold, HoldState, capture_legs, note_hold
from billing_service.domain.ledger.posting import Posting
from billing_service.domain.refusals import account_frozen, insufficient_credits
from billing_service.domain.refusals.spending import hold_closed, hold_expired
from billing_service.domain.spending.deductions import STANDARD_TERMS, SpendingTerms
from billing_service.domain.spending.holds import Author, check_open, close_posting, end_hold
from billing_service.domain.spending.limits import check_limits, room
from billing_service.domain.spending.price_records import encode_asked


class OverHold(IntEnum):
    """What happens when a capture is larger than what is left of its hold. The numbers are the wire's."""

    REJECT = 1
    UP_TO_HOLD = 2
    FROM_AVAILABLE = 3
    ALLOW_DEBT = 4


class Captured(NamedTuple):
    """What a capture charged. `amount + uncollected` is what was asked for."""

    transaction_id: str
    amount: int
    """Microcredits charged: of the hold, from what was available, and as debt."""
    uncollected: int
    """Microcredits that were used and could not be charged."""
    hold: Hold
    draws: list[Draw]
    """The lots that were charged."""


def capture_hold(
    account: Account,
    hold: Hold,
    amount: int,
    over_hold: OverHold,
    author: Author,
    *,
    final: bool,
    now_us: int,
    ids: Ids,
    terms: SpendingTerms = STANDARD_TERMS,
    price_record: bytes = b"",
) -> Captured:
    """Charges `amount` microcredits of a hold: from its legs, and what is above them as `over_hold` says. A final
    capture gives back the rest; of 0 it is a release. Raises HOLD_CLOSED, HOLD_EXPIRED, ACCOUNT_FROZEN for what is
    above the hold, INSUFFICIENT_CREDITS, and has changed nothing then. `price_record` is why
    a usage costs `amount`."""
    if hold.state is HoldState.EXPIRED:
        return _capture_late(
            account, hold, amount, over_hold, author, now_us=now_us, ids=ids, terms=terms, price_record=price_record
        )
    check_open(hold)
    of_legs = min(amount, hold.left)
    above = _Part()
    if amount > of_legs and over_hold is not OverHold.UP_TO_HOLD:
        if over_hold is OverHold.REJECT:
            raise insufficient_credits(available=of_legs, required=amount, shortfall=amount - of_legs)
        if over_hold is OverHold.FROM_AVAILABLE:
            check_limits(account, hold.spender_ids, amount - of_legs, terms.windows, now_us)
        above = _from_available(account, amount - of_legs, over_hold, of_legs=of_legs, now_us=now_us, terms=terms)
    posting = Posting(account, now_us)
    capture_legs(posting, hold, of_legs)
    _charge(posting, above)
    if final:
        end_hold(posting, hold, ids)
    note_hold(account, hold)
    charged = of_legs + above.from_lots + above.owed
    kind = TransactionKind.DEDUCTION if amount or price_record else TransactionKind.HOLD_RELEASE
    record = price_record or (encode_asked(amount) if charged < amount else b"")
    done = close_posting(posting, hold, kind, author, ids, price_record=record)
    return Captured(done.transaction_id, charged, amount - charged, hold, _draws_of_usage(posting))


def _capture_late(
    account: Account,
    hold: Hold,
    amount: int,
    over_hold: OverHold,
    author: Author,
    *,
    now_us: int,
    ids: Ids,
    terms: SpendingTerms,
    price_record: bytes,
) -> Captured:
    """A capture of a hold that has expired: an ordinary charge that is linked to it, once. The hold's own figures do
    not change."""
    if account.frozen:
        raise account_frozen()
    if hold.late_captured:
        raise hold_closed(hold.hold_id, hold.state.name)
    if now_us >= hold.expire_time_us + terms.late_capture_us:
        raise hold_expired(hold.hold_id)
    uncaptured = hold.amount - hold.captured
    if over_hold is OverHold.REJECT and amount > uncaptured:
        raise insufficient_credits(available=uncaptured, required=amount, shortfall=amount - uncaptured)
    if over_hold is OverHold.UP_TO_HOLD:
        at_most = room(account, hold.spender_ids, min(amount, uncaptured), terms.windows, now_us)
        part = _Part(min(at_most, max(account.spendable(now_us) - account.debt, 0)))
    else:
        if over_hold is not OverHold.ALLOW_DEBT:
            check_limits(account, hold.spender_ids, amount, terms.windows, now_us)
        part = _from_available(account, amount, over_hold, of_legs=0, now_us=now_us, terms=terms)
    posting = Posting(account, now_us)
    _charge(posting, part)
    hold.late_captured = True
    note_hold(account, hold)
    charged = part.from_lots + part.owed
    record = price_record or (encode_asked(amount) if charged < amount else b"")
    done = close_posting(posting, hold, TransactionKind.DEDUCTION, author, ids, price_record=record)
    return Captured(done.transaction_id, charged, amount - charged, hold, _draws_of_usage(posting))


class _Part(NamedTuple):
    """What is charged besides the legs of a hold, in microcredits."""

    from_lots: int = 0
    owed: int = 0


def _from_available(
    account: Account, amount: int, over_hold: OverHold, *, of_legs: int, now_us: int, terms: SpendingTerms
) -> _Part:
    """What is charged of `amount`, beyond `of_legs` of the hold. Debt stays within the bound that ALLOW_DEBT has; the
    others go to the overdraft limit, and no further. Raises ACCOUNT_FROZEN, INSUFFICIENT_CREDITS."""
    if account.frozen:
        raise account_frozen()
    offered = account.spendable(now_us)
    available = max(offered - account.debt, 0)
    from_lots = min(amount, available)
    allows_debt = over_hold is OverHold.ALLOW_DEBT
    bound = terms.debt_bound(account.debt_max, account.overdraft_limit) if allows_debt else account.overdraft_limit
    owed = min(amount - from_lots, max(bound - max(account.debt - offered, 0), 0))
    if not allows_debt and from_lots + owed < amount:
        raise insufficient_credits(
            available=of_legs + available, required=of_legs + amount, shortfall=amount - from_lots - owed
        )
    return _Part(from_lots, owed)


def _charge(posting: Posting, part: _Part) -> None:
    if part.from_lots or part.owed:
        posting.settle_debt()
        taken = posting.spend(Place.USAGE, part.from_lots)
        assert taken == part.from_lots, "what was counted as spendable is there to be spent"
    if part.owed:
        posting.borrow(Place.USAGE, part.owed)


def _draws_of_usage(posting: Posting) -> list[Draw]:
    """What was charged, by lot."""
    account = posting.account
    drawn = [
        (lot_held(source) or source, amount)
        for source, destination, amount in posting.entries
        if destination == Place.USAGE
    ]
    return [Draw(lot_id, account.known_lot(lot_id).category, amount) for lot_id, amount in drawn if is_lot(lot_id)]
