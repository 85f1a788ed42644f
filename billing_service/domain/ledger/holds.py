"""Holds: credits of lots that are reserved, and how they end. What a hold reserves has left its lots' `remaining` and
is no longer spendable; nothing but the hold's own capture, release, extension and expiry moves it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.ended_lots import back_into_lot
from billing_service.domain.ledger.entries import Draw, Entry, Place, Transaction, TransactionKind, held_place
from billing_service.domain.ledger.lots import Category, Lot, burn_down_order
from billing_service.domain.ledger.posting import Posting
from billing_service.domain.ledger.thresholds import tell_unpriced

SESSION_PREFIX: Final = "ses"
"""What the ids of holds begin with that belong to sessions."""


class HoldState(IntEnum):
    """What has become of a hold. The numbers are the wire's."""

    OPEN = 1
    CAPTURED = 2
    """Closed, and something of it was captured."""
    RELEASED = 3
    """Closed, and nothing of it was captured."""
    EXPIRED = 4
    """Closed by its time; something of it may have been captured."""


@dataclass(slots=True)
class Leg:
    """One lot's part in a hold, in microcredits."""

    lot_id: str
    category: Category
    amount: int
    captured: int = 0
    returned: int = 0

    @property
    def left(self) -> int:
        return self.amount - self.captured - self.returned


class SessionEnd(NamedTuple):
    """What the end of a session's hold charges, as far as the hold has it. Microcredits."""

    acknowledged: int
    """What its ticks were told."""
    charged: int
    """That, or all of the hold where none of them had a price."""
    price_record: bytes = b""
    """Why it is that; empty where nobody knows."""
    unpriced: Mapping[str, str] | None = None
    """Of a usage without a price: what is told of it."""


@dataclass(slots=True)
class Hold:
    """One hold of one account. `captured + released + left = amount`, always, and so for each leg."""

    hold_id: str
    state: HoldState
    amount: int
    captured: int
    """Of the legs alone: a charge above the hold is in its transaction."""
    released: int
    expiry_capture: int
    """Microcredits that are captured in all once it expires, 0 to the amount."""
    late_captured: bool
    """Whether it was captured after its expiry, which it may be once."""
    create_time_us: int
    expire_time_us: int
    caller: str
    description: str
    metadata: str
    legs: list[Leg]
    """In burn-down order."""
    rate_card_version: str = ""
    """The card that prices what is captured; empty where the hold was made of an amount."""
    session_end: SessionEnd | None = None
    """Of a session, where it was read."""
    end_transaction_id: str = ""
    """What its expiry was charged by, where that is booked now."""
    spender_ids: tuple[str, ...] = ()
    """Whom its charges count for besides the account."""

    @property
    def left(self) -> int:
        return self.amount - self.captured - self.released

    @property
    def is_session(self) -> bool:
        """Whether it has an owner, who alone captures it."""
        return self.hold_id.startswith(SESSION_PREFIX)

    @property
    def is_open(self) -> bool:
        return self.state is HoldState.OPEN


def reserve(posting: Posting, hold: Hold, amount: int, legs_max: int) -> int:
    """Moves up to `amount` from spendable lots under the hold, in burn-down order; answers how much. A hold draws at
    most `legs_max` lots."""
    account, left = posting.account, amount
    legs = {leg.lot_id: leg for leg in hold.legs}
    for lot in account.lots:
        if left == 0:
            break
        if not lot.spendable(posting.now_us) or (lot.lot_id not in legs and len(legs) == legs_max):
            continue
        part = min(left, lot.remaining)
        left -= part
        lot.remaining -= part
        _hold_more(posting, lot, part)
        posting.entries.append(Entry(lot.lot_id, held_place(lot.lot_id), part))
        posting.draws.append(Draw(lot.lot_id, lot.category, part))
        leg = legs.setdefault(lot.lot_id, Leg(lot.lot_id, lot.category, 0))
        leg.amount += part
    if len(legs) > len(hold.legs):
        hold.legs = list(legs.values())
        if len(legs) > 1:
            hold.legs.sort(key=lambda leg: burn_down_order(account.known_lot(leg.lot_id)))
    hold.amount += amount - left
    return amount - left


def capture_legs(posting: Posting, hold: Hold, amount: int) -> None:
    """Spends `amount` of what is under the hold, in burn-down order."""
    assert amount <= hold.left, "a hold gives no more than it has"
    hold.captured += amount
    for leg in hold.legs:
        part = min(amount, leg.left)
        if part:
            amount -= part
            leg.captured += part
            lot = posting.account.known_lot(leg.lot_id)
            _hold_more(posting, lot, -part)
            posting.account.balance -= part
            posting.entries.append(Entry(held_place(lot.lot_id), Place.USAGE, part))
            posting.draws.append(Draw(lot.lot_id, lot.category, part))


def return_legs(posting: Posting, hold: Hold, ids: Ids) -> None:
    """Gives back all that is left under the hold, in the reverse of the burn-down order. It settles debt at once."""
    hold.released += hold.left
    for leg in reversed(hold.legs):
        part = leg.left
        if part:
            leg.returned += part
            _return(posting, posting.account.known_lot(leg.lot_id), part, ids)
    posting.settle_debt()


def _return(posting: Posting, lot: Lot, amount: int, ids: Ids) -> None:
    """Gives credits back to their lot. One that ended meanwhile keeps nothing: it was taken back, and they go on to
    where it went; or it ran out, and they pay what is owed, as they do wherever they return, and run out."""
    account, source = posting.account, held_place(lot.lot_id)
    _hold_more(posting, lot, -amount)
    account.balance -= amount
    if lot.ended_to or not lot.has_expired(posting.effective_us):
        back_into_lot(posting, lot, source, amount, ids)
        return
    posting.into_lot(lot, source, amount)
    paid = min(amount, account.debt)
    if paid:
        posting.out_of_lot(lot, Place.DEBT, paid)
        account.debt -= paid
        account.balance += paid
    if amount > paid:
        lot.expired += amount - paid
        account.rewritten |= {lot.lot_id}
        posting.out_of_lot(lot, Place.EXPIRED, amount - paid)


def _hold_more(posting: Posting, lot: Lot, amount: int) -> None:
    lot.held += amount
    posting.account.held += amount
    posting.account.changed_lots[lot.lot_id] = lot
    assert lot.held >= 0, "nothing else moves what is under a hold"


def add_hold(account: Account, hold: Hold) -> None:
    """Gives the account a hold that it has not had before."""
    account.holds[hold.hold_id] = account.new_holds[hold.hold_id] = hold
    account.holds_open += 1
    account.writes_holds_end = True
    if account.holds_end_us is None or hold.expire_time_us < account.holds_end_us:
        account.holds_end_us = hold.expire_time_us


def note_hold(account: Account, hold: Hold) -> None:
    """Notes that a hold was changed."""
    if hold.hold_id not in account.new_holds:
        account.changed_holds[hold.hold_id] = hold


def close_hold(account: Account, hold: Hold, state: HoldState) -> None:
    """Books in memory that an open hold with nothing left has ended."""
    assert hold.is_open
    assert hold.left == 0
    hold.state = state
    account.holds_open -= 1


def ended_holds(account: Account, now_us: int) -> list[Hold]:
    """The loaded holds that are open and whose time is up, the first to end first."""
    ended = [hold for hold in account.holds.values() if hold.is_open and hold.expire_time_us <= now_us]
    return sorted(ended, key=lambda hold: (hold.expire_time_us, hold.hold_id))


def book_ended_holds(account: Account, *, now_us: int, ids: Ids) -> list[Transaction]:
    """Books the end of each loaded hold whose time is up, as of that time. To be done before anything else happens to
    the account, so that nobody spends what somebody else still captures."""
    return [_book_end(account, hold, now_us=now_us, ids=ids) for hold in ended_holds(account, now_us)]


def _book_end(account: Account, hold: Hold, *, now_us: int, ids: Ids) -> Transaction:
    posting = Posting(account, now_us, effective_us=hold.expire_time_us)
    end = hold.session_end
    told = hold.expiry_capture if end is None else end.charged
    more = min(max(told - hold.captured, 0), hold.left)
    capture_legs(posting, hold, more)
    return_legs(posting, hold, ids)
    close_hold(account, hold, HoldState.EXPIRED)
    note_hold(account, hold)
    booked = posting.close(
        ids,
        TransactionKind.DEDUCTION if more else TransactionKind.HOLD_RELEASE,
        source_id=hold.hold_id,
        caller=hold.caller,
        description=hold.description,
        metadata=hold.metadata,
        price_record=end.price_record if more and end is not None else b"",
    )
    hold.end_transaction_id = booked.transaction_id if more else ""
    if more and end is not None and end.unpriced is not None:
        tell_unpriced(account, end.unpriced, booked.transaction_id, more, now_us=now_us, ids=ids)
    return booked


def count_ended_holds(account: Account, now_us: int) -> None:
    """Counts in an account that is only read what has ended and is not booked yet. Its history stays what it is."""
    newest = account.version, account.last_transaction_id, account.last_hash, account.last_time_us
    book_ended_holds(account, now_us=now_us, ids=_NoIds())
    account.version, account.last_transaction_id, account.last_hash, account.last_time_us = newest
    account.forget_decided()


class _NoIds:
    """Ids of what is never written."""

    def __call__(self, prefix: str) -> str:
        return prefix

    def salt(self) -> bytes:
        return b""


def lots_of(holds: Iterable[Hold]) -> list[str]:
    """The lots that these holds drew on."""
    return [leg.lot_id for hold in holds for leg in hold.legs]
