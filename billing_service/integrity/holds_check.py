"""What holds reserve, computed again from an account's history, which comes newest first."""

from collections import Counter
from collections.abc import Iterator, Mapping

from billing_service.domain.ledger.entries import Place, Transaction, TransactionKind, lot_held
from billing_service.domain.ledger.holds import Hold
from billing_service.integrity.sessions_check import compared_session
from billing_service.storage.rows.verification import StoredAccount

_OF_HOLDS = (TransactionKind.HOLD, TransactionKind.HOLD_RELEASE, TransactionKind.DEDUCTION)


class HoldsCheck:
    """What each hold reserved, captured and gave back, by lot."""

    def __init__(self) -> None:
        self._reserved: Counter[tuple[str, str]] = Counter()
        self._captured: Counter[tuple[str, str]] = Counter()
        self._returned: Counter[tuple[str, str]] = Counter()

    def follow(self, transaction: Transaction) -> None:
        """Takes the next older transaction."""
        if transaction.kind not in _OF_HOLDS:
            return
        for source, destination, amount in transaction.entries:
            if lot_id := lot_held(destination):
                self._reserved[transaction.source_id, lot_id] += amount
            elif lot_id := lot_held(source):
                moved = self._captured if destination == Place.USAGE else self._returned
                moved[transaction.source_id, lot_id] += amount

    def compared(self, stored: StoredAccount, places: Mapping[str, int]) -> Iterator[tuple[str, object, object]]:
        """(subject, what the history says, what is stored). `places`: what is in each place."""
        held = {lot_held(place): amount for place, amount in places.items() if lot_held(place) and amount}
        for lot_id in stored.lots.keys() | held.keys():
            lot = stored.lots.get(lot_id)
            yield f"lot {lot_id} held", held.get(lot_id, 0), "none" if lot is None else lot.held
        yield "held", sum(held.values()), stored.held
        opened = [hold for hold in stored.holds.values() if hold.is_open]
        yield "open holds", len(opened), stored.holds_open
        yield from _ends(stored, opened)
        history: dict[str, dict[str, tuple[int, int, int]]] = {hold_id: {} for hold_id in stored.holds}
        for (hold_id, lot_id), amount in self._reserved.items():
            moved = (amount, self._captured[hold_id, lot_id], self._returned[hold_id, lot_id])
            history.setdefault(hold_id, {})[lot_id] = moved
        for hold_id, reserved in history.items():
            yield from _compared_hold(hold_id, reserved, stored.holds.get(hold_id))
        for session_id, session in stored.sessions.items():
            yield from compared_session(session_id, session, stored.holds.get(session_id))


def _compared_hold(
    hold_id: str, history: Mapping[str, tuple[int, int, int]], hold: Hold | None
) -> Iterator[tuple[str, object, object]]:
    """`history`: what was reserved, captured and given back, by lot."""
    legs = {leg.lot_id: (leg.amount, leg.captured, leg.returned) for leg in hold.legs} if hold else {}
    yield f"hold {hold_id} legs", history, legs
    if hold is not None:
        sums = tuple(map(sum, zip(*legs.values(), strict=True))) if legs else (0, 0, 0)
        yield f"hold {hold_id} amounts", sums, (hold.amount, hold.captured, hold.released)
        yield f"hold {hold_id} left", hold.left > 0 and not hold.is_open, False


def _ends(stored: StoredAccount, opened: list[Hold]) -> Iterator[tuple[str, object, object]]:
    end_us = stored.holds_end_us
    is_known = not opened or (end_us is not None and end_us <= min(hold.expire_time_us for hold in opened))
    yield "no open hold ends before the earliest end", True, is_known
