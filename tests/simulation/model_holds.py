"""What the model knows of holds: what each reserves, what captures charge, how it ends. All of it is one sum: captured,
released and left are the amount."""

from copy import deepcopy
from dataclasses import dataclass, field, replace

from tests.simulation import model_limits
from tests.simulation.model_account import Line, expect

REJECT, UP_TO_AVAILABLE = 1, 2
OVER_REJECT, UP_TO_HOLD, FROM_AVAILABLE, ALLOW_DEBT = 1, 2, 3, 4
OPEN, CAPTURED, RELEASED, EXPIRED = 1, 2, 3, 4
LIFETIME_MAX_US = 86_400_000_000
LIFETIME_DEFAULT_US = 600_000_000


@dataclass
class ModelLeg:
    """One lot's part in a hold."""

    lot_id: str
    amount: int = 0
    captured: int = 0
    returned: int = 0

    @property
    def left(self):
        return self.amount - self.captured - self.returned


@dataclass
class ModelHold:
    """One hold of an account."""

    created_us: int
    expires_us: int
    expiry_capture: int
    spenders: tuple = ()
    key: str = ""
    """Of the request that made it."""
    legs: list = field(default_factory=list)
    amount: int = 0
    captured: int = 0
    released: int = 0
    state: int = OPEN
    late: bool = False
    """Whether it was captured after its end."""

    @property
    def left(self):
        return self.amount - self.captured - self.released

    @property
    def row(self):
        """As it must be stored: state, amount, captured, released, expiry, late capture, legs."""
        legs = [[leg.lot_id, leg.amount, leg.captured, leg.returned] for leg in self.legs]
        return self.state, self.amount, self.captured, self.released, self.expires_us, int(self.late), legs


def reserve(model, account, line):
    """A new hold, or an extension of one that there is."""
    hold = account.holds.get(line.source_id)
    if hold is None:
        _make(model, account, line)
    else:
        _extend(model, account, line, hold)


def _make(model, account, line):
    request = model.request_of(line, "hold_credits")
    expect(not account.frozen, f"{line}: the account was frozen")
    now_us, spenders = line.now_us, tuple(request.spender_ids)
    asked = model.price_of(request, line)
    least = asked if request.mode == REJECT else min(request.minimum_microcredits or 1, asked)
    room = model_limits.room(account, spenders, now_us)
    expect(least <= room, f"{line}: {least} at least were asked for, limits have room for {room}")
    available = account.available(now_us)
    amount = min(asked, room)
    if request.mode == UP_TO_AVAILABLE and available >= least:
        amount = min(amount, available)
    expect(amount <= available, f"{line}: {available} are available")
    lifetime_us = request.ttl.ToMicroseconds() if request.HasField("ttl") else LIFETIME_DEFAULT_US
    told = min(request.expiry_capture_microcredits, amount)
    hold = account.holds[line.source_id] = ModelHold(now_us, now_us + lifetime_us, told, spenders, line.description)
    _take(account, line, hold, amount)


def _extend(model, account, line, hold):
    request = model.request_of(line, "extend_hold")
    expect(request.hold_id == line.source_id, f"{line}: another hold was asked for")
    expect(not account.frozen, f"{line}: the account was frozen")
    _expect_open(line, hold)
    now_us, more = line.now_us, request.additional_microcredits
    room = model_limits.room(account, hold.spenders, now_us)
    expect(more <= room, f"{line}: limits have room for {room}")
    owes = account.debt > sum(lot.left for lot in account.usable(now_us))
    expect(more <= account.available(now_us) and not owes, f"{line}: {account.available(now_us)} are available")
    ends_us = now_us + request.ttl.ToMicroseconds() if request.HasField("ttl") else 0
    expect(ends_us <= hold.created_us + LIFETIME_MAX_US, f"{line}: the hold would live for more than a day")
    hold.expires_us = max(hold.expires_us, ends_us)
    _take(account, line, hold, more)


def _take(account, line, hold, amount):
    account.settle(line.now_us)
    legs = {leg.lot_id: leg for leg in hold.legs}
    for lot_id, part in account.draw(amount, line.now_us):
        account.lots[lot_id].held += part
        legs.setdefault(lot_id, ModelLeg(lot_id)).amount += part
    if len(legs) > len(hold.legs):
        hold.legs = sorted(legs.values(), key=lambda leg: account.lots[leg.lot_id].order)
    hold.amount += amount


def _expect_open(line, hold):
    expect(hold.state == OPEN, f"{line}: the hold is closed: {hold}")
    expect(line.now_us < hold.expires_us, f"{line}: the hold's time was up at {hold.expires_us}")


def charge(model, account, line):
    """A capture, or what the end of a hold charges."""
    hold = account.holds[line.source_id]
    if line.description == hold.key:
        end(account, line, hold)
        return
    request = model.request_of(line, "capture_hold")
    expect(request.hold_id == line.source_id, f"{line}: another hold was asked for")
    asked, policy = model.price_of(request, line), request.over_hold or OVER_REJECT
    if hold.state == EXPIRED:
        _charge_late(model, account, line, hold, asked, policy)
        return
    _expect_open(line, hold)
    of_legs = min(asked, hold.left)
    above = asked - of_legs
    expect(not above or policy != OVER_REJECT, f"{line}: {hold.left} were left of the hold")
    if policy == UP_TO_HOLD:
        above = 0
    captured = _capture_legs(account, hold, of_legs)
    drawn, owed = _take_above(model, account, line, hold, above, policy) if above else ([], 0)
    account.note_spent(line, ([["debt", owed]] if owed else []) + drawn[::-1] + captured[::-1])
    account.captures[line.transaction_id] = line.source_id, owed + sum(part for _, part in drawn)
    if request.final or not request.HasField("final"):
        _give_back(account, line, hold, line.now_us)
        hold.state = CAPTURED if hold.captured else RELEASED


def _charge_late(model, account, line, hold, asked, policy):  # noqa: PLR0917 - all of one capture
    now_us = line.now_us
    expect(not account.frozen and not hold.late, f"{line}: the account was frozen, or the hold captured late before")
    expect(now_us < hold.expires_us + model.spending.late_capture_us, f"{line}: the grace was over")
    hold.late = True
    uncaptured = hold.amount - hold.captured
    expect(policy != OVER_REJECT or asked <= uncaptured, f"{line}: {uncaptured} were not captured")
    if policy == UP_TO_HOLD:
        room = model_limits.room(account, hold.spenders, now_us)
        asked = min(asked, uncaptured, room, account.available(now_us))
    drawn, owed = _take_above(model, account, line, hold, asked, policy) if asked else ([], 0)
    account.note_spent(line, ([["debt", owed]] if owed else []) + drawn[::-1])
    account.captures[line.transaction_id] = line.source_id, owed + sum(part for _, part in drawn)


def _take_above(model, account, line, hold, amount, policy):  # noqa: PLR0917 - all of one capture
    """What is charged besides a hold's legs: as much as there is and may be owed."""
    now_us, available = line.now_us, account.available(line.now_us)
    expect(not account.frozen, f"{line}: the account was frozen")
    if policy in (OVER_REJECT, FROM_AVAILABLE):
        room = model_limits.room(account, hold.spenders, now_us)
        expect(amount <= room, f"{line}: limits have room for {room}")
    from_lots, may_owe = min(amount, available), policy == ALLOW_DEBT
    owable = account.owable(now_us, model.spending.debt_max) if may_owe else account.overdraft_room(now_us)
    owed = min(amount - from_lots, owable)
    expect(may_owe or from_lots + owed == amount, f"{line}: {available} were there, and {owable} could be owed")
    if from_lots or owed:
        account.settle(now_us)
    drawn = account.draw(from_lots, now_us)
    account.debt += owed
    return drawn, owed


def release(model, account, line):
    """Asked for: by itself, or by a final capture of nothing. Or the hold's time was up."""
    hold = account.holds[line.source_id]
    if line.description == hold.key:
        end(account, line, hold)
        return
    request = model.request_of(line, "release_hold", "capture_hold")
    expect(request.hold_id == line.source_id, f"{line}: another hold was asked for")
    _expect_open(line, hold)
    _give_back(account, line, hold, line.now_us)
    hold.state = CAPTURED if hold.captured else RELEASED


def end(account, line, hold):
    """The hold's time is up: it captures what it was told to, and gives back the rest, as of its end."""
    expect(hold.state == OPEN, f"{line}: the hold has ended before: {hold}")
    as_of_us = line.effective_us or line.now_us
    expect(as_of_us == hold.expires_us <= line.now_us, f"{line}: its time is up at {hold.expires_us}")
    captured = _capture_legs(account, hold, min(max(hold.expiry_capture - hold.captured, 0), hold.left))
    if captured:
        account.note_spent(line, captured[::-1])
        account.captures[line.transaction_id] = line.source_id, 0
    _give_back(account, line, hold, as_of_us)
    hold.state = EXPIRED


def _capture_legs(account, hold, amount):
    hold.captured += amount
    captured = []
    for leg in hold.legs:
        part = min(amount, leg.left)
        if part:
            amount -= part
            leg.captured += part
            account.lots[leg.lot_id].held -= part
            captured.append([leg.lot_id, part])
    return captured


def _give_back(account, line, hold, as_of_us):
    """All that is left, the last leg first; it settles debt at once."""
    hold.released += hold.left
    for leg in reversed(hold.legs):
        part = leg.left
        if part:
            leg.returned += part
            _return(account, line, account.lots[leg.lot_id], part, as_of_us)
    account.settle(as_of_us)


def _return(account, line, lot, amount, as_of_us):
    lot.held -= amount
    if lot.ended_to or lot.expires_us > as_of_us:
        account.refill(lot, amount, line)
    else:  # it ran out meanwhile: it pays what is owed, and the rest is gone
        account.debt -= min(amount, account.debt)


class _Anything:
    """Where what is only imagined comes from."""

    __hash__ = None

    def __eq__(self, other):
        return True


class _Entries:
    """Of a transaction that is only imagined: it names as many new lots as are asked for."""

    def __init__(self):
        self._made = 0

    def __iter__(self):
        self._made += 1
        return iter([(_Anything(), f"lot_imagined_{self._made}", 0)])


def present(account, now_us):
    """The account as it is once the holds are counted whose time is up, whether or not that is booked."""
    ended = [hold_id for hold_id, hold in account.holds.items() if hold.state == OPEN and hold.expires_us <= now_us]
    if not ended:
        return account
    lots, holds, limits = deepcopy((account.lots, account.holds, account.limits))
    shown = replace(account, lots=lots, holds=holds, limits=limits, spent={}, captures={}, spent_us={})
    for hold_id in sorted(ended, key=lambda each: (holds[each].expires_us, each)):
        hold = holds[hold_id]
        line = Line("", 0, 0, 0, 0, now_us, hold_id, hold.key, _Entries(), hold.expires_us)
        left = hold.left
        end(shown, line, hold)
        back = left - (hold.captured - account.holds[hold_id].captured)
        model_limits.give_back(shown, hold.spenders, back, hold.created_us, now_us)
    return shown
