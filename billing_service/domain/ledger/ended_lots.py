"""Lots that were taken back: how one ends, and where what returns to it goes."""

from dataclasses import replace

from billing_service.domain.ledger.account import Ids
from billing_service.domain.ledger.entries import Entry, is_lot
from billing_service.domain.ledger.lots import Lot
from billing_service.domain.ledger.posting import Posting


def back_into_lot(posting: Posting, lot: Lot, source: str, amount: int, ids: Ids) -> None:
    """Returns `amount` to where it came from. No lot may have more than it was granted. What the lot has no room
    for, because other credits came back to it, becomes a new lot. That lot is alike in all that decides when it is
    spent. A lot that was taken back keeps nothing: what returns goes on at once to where the lot was taken to."""
    if lot.ended_to:
        posting.account.has_passed_on = True
        posting.entries.append(Entry(source, lot.lot_id, amount))
        if is_lot(lot.ended_to):
            back_into_lot(posting, posting.account.known_lot(lot.ended_to), lot.lot_id, amount, ids)
        else:
            posting.entries.append(Entry(lot.lot_id, lot.ended_to, amount))
        return
    room = min(amount, lot.room)
    if room:
        posting.into_lot(lot, source, room)
    if amount > room:
        posting.into_new_lot(_alike(lot, ids("lot"), amount - room, posting.now_us), source)


def end_lot(posting: Posting, lot: Lot, place: str) -> int:
    """Takes back what is left of a lot; answers how much. The lot ends now, unless it ran out before. That is booked
    already."""
    taken = lot.remaining
    if taken:
        posting.out_of_lot(lot, place, taken)
    if not lot.has_expired(posting.now_us):
        posting.account.taken_back[lot.lot_id] = lot.expire_time_us
        lot.expire_time_us = posting.now_us
    succeed(posting, lot, place)
    return taken


def succeed(posting: Posting, lot: Lot, place: str) -> None:
    """What returns to the lot from now on goes to `place`."""
    assert lot.remaining == 0, "a lot that is taken back holds nothing"
    lot.ended_to = place
    posting.account.changed_lots[lot.lot_id] = lot
    posting.account.rewritten |= {lot.lot_id}


def _alike(lot: Lot, lot_id: str, amount: int, now_us: int) -> Lot:
    """An empty lot that is spent as this one is."""
    return replace(lot, lot_id=lot_id, amount=amount, remaining=0, expired=0, held=0, create_time_us=now_us)
