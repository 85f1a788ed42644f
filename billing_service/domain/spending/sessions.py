"""Sessions: one streamed model call, metered as it flows. A session is a hold that has an owner: it grows in slices
while the usage grows, and what was acknowledged is captured when the hold ends, whatever became of the owner.

Everything here is decided and nothing is stored. Amounts are microcredits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, NamedTuple

from billing_service.domain.ledger.account import Account
from billing_service.domain.refusals import invalid_field
from billing_service.domain.spending.limits import Standing, tightest
from billing_service.domain.spending.outcome_policies import (
    WRITTEN_TOKENS,
    Charge,
    GenerationOutcome,
    OutcomePolicies,
    input_of,
    is_input,
    measured,
)
from billing_service.domain.spending.price_records import (
    PricedUsage,
    UnpricedUsage,
    encode_price,
    encode_unpriced,
)
from billing_service.domain.spending.pricing import Price
from billing_service.domain.spending.usage import USAGE_EMPTY, Measurement, Usage, UsageLine
from billing_service.domain.spending.usage_records import encode_usage
from billing_service.domain.spending.windows import Windows
from billing_service.domain.times import US_PER_S

STOP_BEFORE_END_US: Final = 60 * US_PER_S
"""How long before its hold must end a session is stopped: its owner still closes it, and nothing of it is late."""
LIFETIME_US: Final = (24 * 3_600 - 10) * US_PER_S
"""Of a session: a hold lives 24 hours at most, and the last prolongation takes its time."""
SEQUENCE_MAX: Final = 2**53
"""Of ticks: callers in languages whose only number is a double count exactly up to here."""


class StopReason(IntEnum):
    """Why a session's owner must stop its model call. The numbers are the wire's."""

    CREDITS_EXHAUSTED = 1
    """The usage so far costs all that the hold has and all that it can grow by."""
    ACCOUNT_FROZEN = 2
    TIME_UP = 3
    """The session's hold can't be prolonged further."""
    SPEND_LIMIT_REACHED = 4
    """The account has more, and a spend limit has no room for it."""


class Room(NamedTuple):
    """What the account lets a session's hold grow by."""

    extendable: int
    """Available credits that an extension may reserve now, as far as spend limits have room; 0 where debt stands."""
    frozen: bool = False
    limit: Standing | None = None
    """The spend limit that has less room than the account has credits."""

    @property
    def growth(self) -> int:
        return 0 if self.frozen else self.extendable


def room_of(account: Account, spender_ids: Sequence[str], windows: Windows, now_us: int) -> Room:
    """What the account lets a hold of these spenders grow by now."""
    available = max(account.spendable(now_us) - account.debt, 0)
    limit = tightest(account, spender_ids, windows, now_us)
    if limit is None or limit.left >= available:
        return Room(available, account.frozen)
    return Room(limit.left, account.frozen, limit)


class Acknowledged(NamedTuple):
    """What the owner is answered for a tick, once it is durable."""

    sequence: int
    charged: int
    """The highest price of any acknowledged usage: what the hold's end captures, as far as the hold has it."""
    left: int
    """What the session may still cost: of the hold, and of what the hold can grow by now."""


class Tick(NamedTuple):
    """What one tick makes durable. Ticks of an account's session are in the order of epoch and sequence."""

    account_id: str
    session_id: str
    epoch: int
    sequence: int
    charged: int
    usage: str
    """As it is kept (`usage_records`)."""
    price_record: bytes
    """Why `charged` is what it is (`price_records`)."""


class Owner(NamedTuple):
    """Whose a session is now, and up to which tick."""

    epoch: int
    closed: bool
    sequence: int

    def has(self, tick: Tick) -> bool:
        """Whether a tick is durable: it is its owner's, and counts when the session ends."""
        return self.epoch == tick.epoch and self.sequence >= tick.sequence and not self.closed


@dataclass(slots=True)
class Session:
    """One session as of its last acknowledged tick."""

    session_id: str
    """Its hold's id."""
    account_id: str
    rate_card_version: str
    """Pinned at the opening: whatever the session uses is priced by it."""
    slice: int
    """What the hold grows by, at least 1."""
    held: int
    """What the hold reserves in all; a session captures nothing before its end."""
    open_time_us: int
    expire_time_us: int
    """When the hold ends unless it is prolonged."""
    end_time_us: int
    """When the hold ends in any case."""
    spender_ids: tuple[str, ...] = ()
    """Whom it charges for besides the account."""
    estimate: Usage | None = None
    """What the owner expected to use."""
    epoch: int = 1
    """How often the session was opened or resumed. Only the newest owner's ticks count."""
    sequence: int = 0
    charged: int = 0
    price_record: bytes = b""
    """Why `charged` is what it is: of the usage that costs it, or of the newest one, where that has no price."""
    usage: Usage | None = None
    """The whole usage so far, as the last acknowledged tick says it."""
    is_low: bool = False
    """Whether the owner knows that less than a slice is left."""
    stopped: StopReason | None = None

    @property
    def unspent(self) -> int:
        """What the hold has beyond what was acknowledged; negative where the usage outran it."""
        return self.held - self.charged


def least_usage(estimate: Usage) -> Usage | None:
    """What a call can't cost less than: its input, and one token of its answer if it has one. None for an estimate that
    says neither."""
    written = next((line.measure for line in estimate.lines if line.measure.kind in WRITTEN_TOKENS), None)
    lines = [line for line in estimate.lines if is_input(line.measure)]
    if written is not None:
        lines.append(UsageLine(written, 1))
    return replace(estimate, lines=tuple(sorted(lines))) if lines else None


def is_news(session: Session, sequence: int) -> bool:
    """Whether a tick is later than all acknowledged ones. Any other is acknowledged again, and has no effect."""
    if not 1 <= sequence <= SEQUENCE_MAX:
        raise invalid_field("tick.sequence", f"must be 1 to {SEQUENCE_MAX}")
    return sequence > session.sequence


def take_tick(session: Session, sequence: int, usage: Usage, price: Price | UnpricedUsage) -> Session:
    """The session after a tick that is news. Its usage replaces the former one, and may be smaller or of other kinds;
    what is charged never falls. `price` is the whole usage's; where the card has none, the charge stays."""
    if isinstance(price, UnpricedUsage):
        record = encode_unpriced(price, session.charged)
        return replace(session, sequence=sequence, usage=usage, price_record=record)
    amount = price.amount_microcredits
    costs_most = amount >= session.charged
    record = encode_price(PricedUsage(usage, price)) if costs_most else session.price_record
    return replace(session, sequence=sequence, usage=usage, charged=max(session.charged, amount), price_record=record)


def tick_of(session: Session) -> Tick:
    """What makes durable what the session was told last."""
    return Tick(
        session.account_id,
        session.session_id,
        session.epoch,
        session.sequence,
        session.charged,
        encode_usage(session.usage),
        session.price_record,
    )


def left(session: Session, room: Room) -> int:
    """What the session may still cost, at least 0."""
    return max(session.unspent + room.growth, 0)


def acknowledge(session: Session, room: Room) -> Acknowledged:
    """The answer to a tick, also to one that is none."""
    return Acknowledged(session.sequence, session.charged, left(session, room))


def growth(session: Session, room: Room) -> int:
    """What the hold must grow by now, as far as the account has it; 0 for nothing. It grows before it is used up, so
    that no tick waits for it: when less than half a slice is unspent, to a whole one."""
    if session.stopped is not None or session.unspent * 2 >= session.slice:
        return 0
    return min(session.slice - session.unspent, room.growth)


def prolongation(session: Session, grace_us: int, now_us: int) -> int:
    """How long from now the hold must live, in microseconds; 0 for as long as it does. It is prolonged when half of the
    grace is over, so that a living stream's hold never ends, but at its last moment."""
    target_us = min(now_us + grace_us, session.end_time_us)
    if target_us <= session.expire_time_us or (session.expire_time_us - now_us) * 2 > grace_us:
        return 0
    return target_us - now_us


def tell_stop(session: Session, room: Room, now_us: int) -> StopReason | None:
    """Why the owner must stop now, if it must and was not told before. A usage that costs nothing goes on without
    credits. To be asked after the hold grew."""
    if session.stopped is not None:
        return None
    if room.frozen:
        session.stopped = StopReason.ACCOUNT_FROZEN
    elif session.charged and left(session, room) == 0:
        session.stopped = StopReason.CREDITS_EXHAUSTED if room.limit is None else StopReason.SPEND_LIMIT_REACHED
    elif now_us >= session.end_time_us - STOP_BEFORE_END_US:
        session.stopped = StopReason.TIME_UP
    return session.stopped


def tell_low(session: Session, room: Room) -> bool:
    """Whether the owner is to be told that less than a slice is left; once, until more is there again."""
    was_low, session.is_low = session.is_low, left(session, room) < session.slice
    return session.is_low and not was_low


class Closing(NamedTuple):
    """What a close comes to, before it is priced."""

    usage: Usage | None
    """What is charged; None: nothing."""
    charge: Charge
    measurement: Measurement


def closing(
    session: Session,
    usage: Usage | None,
    outcome: GenerationOutcome,
    policies: OutcomePolicies,
) -> Closing:
    """What the close of a session charges. The usage that the close names is final, and may be lower than what was
    acknowledged. Without one, the last acknowledged usage is charged, else the opening's estimate; both are estimates.

    Raises INVALID_FIELD where something is to be charged and no usage was ever named.
    """
    known = usage or session.usage or session.estimate
    charge = policies.charge_of(known.provider if known else "", known.model if known else "", outcome)
    measurement = Measurement.ESTIMATED if usage is None else measured(outcome, usage.measurement)
    if charge is Charge.RELEASE:
        return Closing(None, charge, measurement)
    if known is None:
        raise invalid_field("close.usage", USAGE_EMPTY)
    known = replace(known, measurement=measurement)
    return Closing(input_of(known) if charge is Charge.INPUT else known, charge, measurement)


def missing_for_close(session: Session, amount: int, room: Room) -> int:
    """What the hold must grow by to be captured for `amount`, as far as the account has it."""
    return min(max(amount - session.held, 0), room.growth)


def unpriced_charge(session: Session) -> int:
    """What is charged for a usage that the card has no price for: what was acknowledged last. Where no tick had a
    price, that is all of the hold."""
    return session.charged or session.held


def late_charge(amount: int, captured: int) -> int:
    """What a close after the hold's end moves, where its expiry captured `captured`: the close's amount is absolute.
    Above 0: to be charged; below: to be given back."""
    return amount - captured
