"""Holds: reserved before a model call, captured at what it really cost, released, extended. How one ends by its time is
in `domain.ledger.holds`, since whoever touches the account books that first."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from billing_service.domain.ledger.account import Account, Ids
from billing_service.domain.ledger.entries import TransactionKind
from billing_service.domain.ledger.holds import Hold, HoldState, add_hold, close_hold, note_hold, reserve, return_legs
from billing_service.domain.ledger.posting import Posting
from billing_service.domain.refusals import account_frozen, insufficient_credits, invalid_field
from billing_service.domain.refusals.spending import hold_closed, hold_expired, too_many_holds
from billing_service.domain.spending.limits import check_limits, room
from billing_service.domain.spending.windows import UTC_WINDOWS, Windows
from billing_service.domain.times import US_PER_S

HOLD_LIFETIME_MAX_US = 24 * 3_600 * US_PER_S
"""From its creation, whatever is extended: else a hold would shield credits from their expiry and from clawbacks."""
OPEN_HOLDS_MAX = 10_000
"""Of one account: each is booked when it ends, by whoever comes next."""
LEGS_MAX = 100
"""Lots that one hold draws on: its row stays short."""


class HoldMode(IntEnum):
    """What happens when less is available than a hold asks for. The numbers are the wire's."""

    REJECT = 1
    UP_TO_AVAILABLE = 2


@dataclass(slots=True)
class Author:
    """Who moves credits, and in what words."""

    caller: str = ""
    description: str = ""
    metadata: str = ""


@dataclass(slots=True)
class HoldTerms:
    """What a hold asks for. Amounts in microcredits."""

    amount: int
    mode: HoldMode
    minimum: int
    """UP_TO_AVAILABLE takes no less; at least 1."""
    lifetime_us: int
    expiry_capture: int
    rate_card_version: str = ""
    """The card that `amount` was priced by; empty where the caller named it."""
    prefix: str = "hold"
    """What its id begins with: SESSION_PREFIX for a session's."""
    spender_ids: tuple[str, ...] = ()
    """Whom it counts for besides the account."""


class HoldChanged(NamedTuple):
    """A hold as it is after a transaction of its own."""

    transaction_id: str
    hold: Hold


def hold_credits(
    account: Account, terms: HoldTerms, author: Author, *, now_us: int, ids: Ids, windows: Windows
) -> HoldChanged:
    """Reserves credits of spendable lots, in burn-down order: neither overdraft nor debt. Raises ACCOUNT_FROZEN,
    TOO_MANY_HOLDS, SPEND_LIMIT_REACHED and INSUFFICIENT_CREDITS, and has changed nothing then."""
    if account.frozen:
        raise account_frozen()
    if account.holds_open >= OPEN_HOLDS_MAX:
        raise too_many_holds(OPEN_HOLDS_MAX)
    wanted = terms.amount
    available = _holdable(account, now_us)
    if account.limits_version:
        least = terms.amount if terms.mode is HoldMode.REJECT else terms.minimum
        check_limits(account, terms.spender_ids, least, windows, now_us)
        wanted = room(account, terms.spender_ids, wanted, windows, now_us)
    if available < wanted and terms.mode is HoldMode.UP_TO_AVAILABLE and available >= terms.minimum:
        wanted = available
    least = terms.amount if terms.mode is HoldMode.REJECT else terms.minimum
    if available < wanted:
        raise insufficient_credits(available=available, required=least, shortfall=least - available)
    hold = Hold(
        hold_id=ids(terms.prefix),
        state=HoldState.OPEN,
        amount=0,
        captured=0,
        released=0,
        expiry_capture=min(terms.expiry_capture, wanted),
        late_captured=False,
        create_time_us=now_us,
        expire_time_us=now_us + terms.lifetime_us,
        caller=author.caller,
        description=author.description,
        metadata=author.metadata,
        legs=[],
        rate_card_version=terms.rate_card_version,
        spender_ids=terms.spender_ids,
    )
    posting = Posting(account, now_us)
    _reserve(posting, hold, wanted)
    add_hold(account, hold)
    return close_posting(posting, hold, TransactionKind.HOLD, author, ids)


def extend_hold(
    account: Account,
    hold: Hold,
    additional: int,
    lifetime_us: int,
    author: Author,
    *,
    now_us: int,
    ids: Ids,
    windows: Windows = UTC_WINDOWS,
) -> HoldChanged:
    """Reserves `additional` >= 0 microcredits more, all or nothing, and lets the hold live until now + `lifetime_us`
    where that is later. Raises ACCOUNT_FROZEN, HOLD_CLOSED, HOLD_EXPIRED, INVALID_FIELD, SPEND_LIMIT_REACHED and
    INSUFFICIENT_CREDITS, and has changed nothing then."""
    if account.frozen:
        raise account_frozen()
    check_open(hold)
    end_us = max(hold.expire_time_us, now_us + lifetime_us)
    if lifetime_us and now_us + lifetime_us > hold.create_time_us + HOLD_LIFETIME_MAX_US:
        raise invalid_field("ttl", "must end within 24 hours of the hold's creation")
    check_limits(account, hold.spender_ids, additional, windows, now_us)
    available = _holdable(account, now_us, hold)
    if available < additional or _owes(account, now_us):
        raise insufficient_credits(available=available, required=additional, shortfall=max(additional - available, 0))
    posting = Posting(account, now_us)
    _reserve(posting, hold, additional)
    hold.expire_time_us = end_us
    note_hold(account, hold)
    return close_posting(posting, hold, TransactionKind.HOLD, author, ids)


def release_hold(account: Account, hold: Hold, author: Author, *, now_us: int, ids: Ids) -> HoldChanged:
    """Gives back all that is left. Raises HOLD_CLOSED, HOLD_EXPIRED."""
    check_open(hold)
    posting = Posting(account, now_us)
    end_hold(posting, hold, ids)
    return close_posting(posting, hold, TransactionKind.HOLD_RELEASE, author, ids)


def check_open(hold: Hold) -> None:
    """Raises HOLD_EXPIRED, HOLD_CLOSED."""
    if hold.state is HoldState.EXPIRED:
        raise hold_expired(hold.hold_id)
    if not hold.is_open:
        raise hold_closed(hold.hold_id, hold.state.name)


def _owes(account: Account, now_us: int) -> bool:
    """Whether debt stands once all spendable lots have paid."""
    return account.debt > account.spendable(now_us)


def _holdable(account: Account, now_us: int, hold: Hold | None = None) -> int:
    """What a hold may reserve now, or may reserve more: of as many lots as one hold draws on, the first in burn-down
    order. Debt is paid first."""
    drawn = {leg.lot_id for leg in hold.legs} if hold else set()
    owed, found = account.debt, 0
    for lot in account.lots:
        if not lot.spendable(now_us):
            continue
        left = lot.remaining - min(owed, lot.remaining)
        owed -= lot.remaining - left
        if left and (lot.lot_id in drawn or len(drawn) < LEGS_MAX):
            drawn.add(lot.lot_id)
            found += left
    return found


def _reserve(posting: Posting, hold: Hold, amount: int) -> None:
    posting.settle_debt()
    reserved = reserve(posting, hold, amount, LEGS_MAX)
    assert reserved == amount, "what was counted as spendable is there to be held"


def end_hold(posting: Posting, hold: Hold, ids: Ids) -> None:
    """Gives back what is left, and closes the hold."""
    return_legs(posting, hold, ids)
    close_hold(posting.account, hold, HoldState.CAPTURED if hold.captured else HoldState.RELEASED)
    note_hold(posting.account, hold)


def close_posting(
    posting: Posting, hold: Hold, kind: TransactionKind, author: Author, ids: Ids, *, price_record: bytes = b""
) -> HoldChanged:
    """Ends the hold's transaction. `price_record` is why a charge is what it is; empty for none."""
    transaction = posting.close(
        ids,
        kind,
        source_id=hold.hold_id,
        caller=author.caller,
        description=author.description,
        metadata=author.metadata,
        price_record=price_record,
    )
    return HoldChanged(transaction.transaction_id, hold)
