"""Ticks of sessions: gathered over all sessions into one write a transaction. No account is locked and no ledger
transaction is made. A tick raises what the end of its session's hold captures."""

from collections.abc import Sequence

from billing_service.domain.spending.sessions import Owner, Tick
from billing_service.ledger.gathering import Gatherer
from billing_service.storage.rows.sessions import write_ticks
from billing_service.storage.store import Store


class TickWriter:
    """Writes ticks. What it answers is durable."""

    def __init__(self, store: Store, *, batch_max: int, wait_s: float) -> None:
        self._store = store
        gatherer: Gatherer[Tick, Owner | None] = Gatherer(self._write, batch_max=batch_max, wait_s=wait_s)
        self.submit = gatherer.submit
        """Answers whose the session is after the tick; None where there is no such session. See `Owner.has`. The future
        raises Failure."""
        self.close = gatherer.close

    async def _write(self, ticks: Sequence[Tick]) -> Sequence[Owner | None]:
        newest: dict[tuple[str, str], Tick] = {}  # each says the whole usage so far
        for tick in ticks:
            former = newest.get((tick.account_id, tick.session_id))
            if former is None or (former.epoch, former.sequence) < (tick.epoch, tick.sequence):
                newest[tick.account_id, tick.session_id] = tick
        rows = sorted(newest.values())
        owners = await self._store.write(lambda: write_ticks(rows))
        found = {(row.account_id, row.session_id): owner for row, owner in zip(rows, owners, strict=True)}
        return [found[tick.account_id, tick.session_id] for tick in ticks]
