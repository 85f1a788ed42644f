"""ReRate without effect: what the priced usage of a past window costs by another version of the rate card, in parts
that add up. `correct_charges` is ReRate with its effect."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from billing_service.clock import first_id, moment_of_id
from billing_service.commands.catalogue.rate_cards import rate_card
from billing_service.commands.environment import Environment
from billing_service.domain.catalogue.rate_cards import RateCard
from billing_service.domain.refusals import Refusal
from billing_service.domain.spending.price_records import card_mark, decode_record
from billing_service.domain.spending.pricing import Price
from billing_service.domain.spending.rerating import (
    ChargedUsage,
    Rerated,
    price_again,
    standing_of,
    standing_of_changed,
)
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
    to_version: str
    """The card to price by."""
    start_us: int
    """Charged at this time or later."""
    end_us: int
    """Charged before."""


class PricedAgain(NamedTuple):
    """A charged usage, and its price by the new card or the refusal that it has none."""

    usage: ChargedUsage
    found: Price | Refusal


class Found(NamedTuple):
    """Usages that were charged one after the other."""

    usages: list[PricedAgain]
    next_after: str
    """The transaction that the next part begins after; empty where the window is done."""
    reached_us: int
    """How far in the window it is done."""


class Part(NamedTuple):
    """Sums of usages that were charged one after the other."""

    rerated: Rerated
    next_after: str
    reached_us: int


async def rerate_part(environment: Environment, window: Window, after: str, usages: int) -> Part:
    """What the usages after the transaction `after` cost by the new card; empty: from the start. Raises
    RATE_CARD_NOT_FOUND, STORAGE_UNAVAILABLE."""
    found = await price_part(environment, window, after, usages)
    rerated = Rerated()
    for each in found.usages:
        rerated.add(*each)
    return Part(rerated, found.next_after, found.reached_us)


async def price_part(environment: Environment, window: Window, after: str, usages: int) -> Found:
    """Prices the usages after the transaction `after` anew. Ends with the read that reaches `usages`. Raises
    RATE_CARD_NOT_FOUND, STORAGE_UNAVAILABLE."""
    card = await _card_of(environment, window)
    priced: list[PricedAgain] = []
    reads, mark = 0, card_mark(window.from_version) if window.from_version else b""
    after = after or first_id("txn", window.start_us - SET_BACK_MAX_US)
    while len(priced) < usages and reads < READS_A_PART:
        reads += 1
        found = await environment.store.read(lambda: charges_after(after, window.start_us, window.end_us, mark))  # noqa: B023
        for some in _parts(found.charges, USAGES_AT_ONCE):
            priced += [PricedAgain(usage, price_again(usage, card)) for usage in priced_usages(some, window)]
            await asyncio.sleep(0)  # deductions go on meanwhile
        made_us = moment_of_id(found.last_id)
        if not found.last_id or (made_us is not None and made_us > window.end_us + SET_BACK_MAX_US):
            return Found(priced, "", window.end_us)
        after = found.last_id
    reached_us = moment_of_id(after) or window.start_us
    return Found(priced, after, min(max(reached_us, window.start_us), window.end_us))


async def _card_of(environment: Environment, window: Window) -> RateCard:
    """The new card, which need not be in force."""
    for version in {window.to_version, window.from_version} - {""}:
        await rate_card(environment, version)
    return await environment.rate_cards.of_version(window.to_version)


def priced_usages(rows: Sequence[ChargeRow], window: Window) -> list[ChargedUsage]:
    """Those of the rows whose usage is known: priced by a card, or by the card that is named, or asked for a price that
    it did not have. Raises PriceDamagedError."""
    found = []
    for row in rows:
        record = decode_record(row.price_record)
        usage = record.priced or record.unpriced
        if usage is None or window.from_version not in ("", record.rate_card_version):
            continue
        decided = window.to_version in row.decided_by
        standing = standing_of(row.charged, record.amount, row.given_back)._replace(decided=decided)
        if row.corrected is not None:
            standing = standing_of_changed(row.corrected, record.amount, decided=decided)
        named = (row.account_id, row.transaction_id, row.create_time_us)
        found.append(ChargedUsage(*named, usage, standing, record.part))
    return found


def _parts(rows: Sequence[ChargeRow], size: int) -> Iterator[Sequence[ChargeRow]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
