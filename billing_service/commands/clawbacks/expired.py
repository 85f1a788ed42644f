"""Books what ran out. What an older program put back into lots that had ended goes on, and counts as taken back."""

from billing_service.domain.ledger.granting import expire
from billing_service.ledger.settled_debt import fetch_lots_and_heirs
from billing_service.ledger.unit import Unit
from billing_service.storage.statements import Work


def book_expired(unit: Unit) -> Work[int]:
    """Books every lot of the unit's accounts that has expired; answers for how many accounts. The caller writes the
    unit."""
    booked = 0
    for account in unit.accounts.values():
        yield from fetch_lots_and_heirs(account, [lot.lot_id for lot in account.lots if lot.ended_to and lot.remaining])
        if expire(account, now_us=unit.now_us, ids=unit.ids):
            booked += 1
    yield from unit.note_returns()
    return booked
