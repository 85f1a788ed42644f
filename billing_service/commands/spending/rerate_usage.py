"""ReRate: what the priced usage of a past window costs by another version of the rate card, in parts that add up."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from billing_service.clock import first_id, moment_of_id
from billing_service.commands.catalogue.rate_cards import rate_card
from billing_service.commands.environment import Environment
from billing_service.domain.catalogue.rate_cards import RateCard
from billing_service.domain.spending.price_records import decode_record
from billing_service.domain.spending.rerating import ChargedUsage, Rerated, price_again, standing_of
from billing_service.storage.rows.history import SET_BACK_MAX_US
from billing_service.storage.rows.rerating import ChargeRow, charges_after

READS_A_PART: Final = 200
"""A part that finds little ends after so many reads: no call lasts long."""
USAGES_AT_ONCE: Final = 50
"""Priced without a pause: a few milliseconds."""


class Window(NamedTuple):
    """Which usage is rated again."""

    from_version: str
    """The card that priced it; empty: any."""
    start_us: int
    """Charged at this time or later."""
    end_us: int
    """Charged before."""


class Part(NamedTuple):
    """Sums of usages that were charged one after the other."""

    rerated: Rerated
    next_after: str
    """The transaction that the next part begins after; empty where the window is done."""
    reached_us: int
    """How far in the window it is done."""


async def rerate_part(environment: Environment, window: Window, to_version: str, after: str, usages: int) -> Part:
    """What the usages after the transaction `after` cost by the card `to_version`; empty: from the start. Ends with the
    read that reaches `usages`. Raises RATE_CARD_NOT_FOUND, STORAGE_UNAVAILABLE."""
    card = await card_of(environment, to_version)
    if window.from_version:
        await rate_card(environment, window.from_version)
    rerated, reads = Rerated(), 0
    after = after or first_id("txn", window.start_us - SET_BACK_MAX_US)
    while rerated.usages < usages and reads < READS_A_PART:
        reads += 1
        found = await environment.store.read(lambda: charges_after(after, window.start_us, window.end_us))  # noqa: B023
        for some in _parts(found.charges, USAGES_AT_ONCE):
            for usage in priced_usages(some, window.from_version):
                rerated.add(usage, price_again(usage, card))
            await asyncio.sleep(0)  # deductions go on meanwhile
        made_us = moment_of_id(found.last_id)
        if not found.last_id or (made_us is not None and made_us > window.end_us + SET_BACK_MAX_US):
            return Part(rerated, "", window.end_us)
        after = found.last_id
    reached_us = moment_of_id(after) or window.start_us
    return Part(rerated, after, min(max(reached_us, window.start_us), window.end_us))


async def card_of(environment: Environment, version: str) -> RateCard:
    """A card that need not be in force. Raises RATE_CARD_NOT_FOUND, CardDamagedError."""
    await rate_card(environment, version)
    return await environment.rate_cards.of_version(version)


def priced_usages(rows: Sequence[ChargeRow], from_version: str) -> list[ChargedUsage]:
    """Those of the rows whose usage is known: priced by a card, or by the card that is named, or asked for a price that
    it did not have. Raises PriceDamagedError."""
    found = []
    for row in rows:
        record = decode_record(row.price_record)
        usage = record.priced or record.unpriced
        if usage is not None and from_version in ("", record.rate_card_version):
            standing = standing_of(row.charged, record.amount, row.given_back)
            named = (row.account_id, row.transaction_id, row.create_time_us)
            found.append(ChargedUsage(*named, usage, standing, record.part))
    return found


def _parts(rows: Sequence[ChargeRow], size: int) -> Iterator[Sequence[ChargeRow]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
