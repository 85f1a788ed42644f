"""Rate cards as one process knows them: the list of versions, read again every few seconds, and the cards that priced
usage last.

A card never changes, so it is read once. A new card prices nothing for its first ten seconds (`NOTICE_US`), and no
process prices by a list that is older than five. So no process prices by a card that another has given up.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from billing_service.clock import ClockUs
from billing_service.collector import keep_for_good
from billing_service.domain.catalogue.rate_card_checks import CardInvalid
from billing_service.domain.catalogue.rate_card_packing import unpacked
from billing_service.domain.catalogue.rate_card_versions import CardVersion, version_in_force
from billing_service.domain.catalogue.rate_cards import RateCard
from billing_service.domain.refusals.catalogue import no_rate_card
from billing_service.domain.spending.pricing import OCCUR_WINDOW_US, TimeBasis, pricing_time
from billing_service.storage.rows.rate_cards import read_card, versions_since
from billing_service.storage.store import Store

VERSIONS_FRESH_S: Final = 5.0
"""How long the list of versions is believed without a look. Half of `NOTICE_US`: the rest is for a slow commit and for
clocks that differ."""
SET_BACK_US: Final = OCCUR_WINDOW_US
"""How much further back versions are known than a usage may choose its price: for a clock that is set back."""
CARDS_MAX: Final = 4
"""Cards in memory. Usage of the last day is priced by one or two; the card of all of litellm's map takes 27 MB."""


class CardDamagedError(Exception):
    """A stored card can't be read: it was changed in the database, or a newer program wrote it."""


class CardAtTime(NamedTuple):
    """What a usage is priced by."""

    card: RateCard
    time_us: int
    time_basis: TimeBasis


class RateCardCache:
    """The card in force at a moment, for any number of callers at once."""

    def __init__(
        self,
        store: Store,
        clock_us: ClockUs,
        *,
        usage_age_max_us: int = OCCUR_WINDOW_US,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`usage_age_max_us`: how long ago a usage may have been whose own time chooses its price."""
        self._store = store
        self._clock_us = clock_us
        self._usage_age_max_us = usage_age_max_us
        self._monotonic = monotonic
        self._versions: Sequence[CardVersion] = ()
        self._fresh_until = float("-inf")
        self._refresh: asyncio.Task[None] | None = None
        self._cards: dict[str, RateCard] = {}
        """The one used last is the last."""
        self._loads: dict[str, asyncio.Task[RateCard]] = {}

    async def for_usage(self, occur_time_us: int | None) -> CardAtTime:
        """The card and the moment that price a usage. Raises PRICE_MISSING where there is no card,
        STORAGE_UNAVAILABLE."""
        while self._monotonic() >= self._fresh_until:
            if self._refresh is None:
                self._refresh = asyncio.ensure_future(self._read_versions())
            await asyncio.shield(self._refresh)
        found, time_us, basis = self._choose(occur_time_us)
        return CardAtTime(await self._card(found.version), time_us, basis)

    def at_hand(self, occur_time_us: int | None, version: str = "") -> CardAtTime | None:
        """The same without waiting, or another card by its version; None where something must be read first."""
        if self._monotonic() >= self._fresh_until:
            return None
        found, time_us, basis = self._choose(occur_time_us)
        card = self._cards.get(version or found.version)
        return None if card is None else CardAtTime(card, time_us, basis)

    def _choose(self, occur_time_us: int | None) -> tuple[CardVersion, int, TimeBasis]:
        time_us, basis = pricing_time(occur_time_us, self._clock_us(), self._usage_age_max_us)
        found = version_in_force(self._versions, time_us)
        if found is None:
            raise no_rate_card()
        return found, time_us, basis

    async def of_version(self, version: str) -> RateCard:
        """One card, in force or not. Raises CardDamagedError where there is none, STORAGE_UNAVAILABLE."""
        return await self._card(version)

    async def _read_versions(self) -> None:
        fresh_until = self._monotonic() + VERSIONS_FRESH_S  # from before the read: what it returns may be that old
        try:
            since_us = self._clock_us() - self._usage_age_max_us - SET_BACK_US
            self._versions = await self._store.read(lambda: versions_since(since_us))
            self._fresh_until = fresh_until
        finally:
            self._refresh = None

    async def _card(self, version: str) -> RateCard:
        known = self._cards.pop(version, None)
        if known is not None:
            self._cards[version] = known
            return known
        load = self._loads.get(version)
        if load is None:
            load = self._loads[version] = asyncio.ensure_future(self._load(version))
        return await asyncio.shield(load)

    async def _load(self, version: str) -> RateCard:
        try:
            row = await self._store.read(lambda: read_card(version))
            if row is None:
                raise CardDamagedError(f"rate card {version} is gone")
            try:
                card = await asyncio.to_thread(unpacked, row.card_file)
            except CardInvalid as invalid:
                raise CardDamagedError(f"rate card {version}: {invalid}") from None
        finally:
            del self._loads[version]
        self._cards[version] = card
        keep_for_good()  # the built-in card has 27,000 objects
        while len(self._cards) > CARDS_MAX:
            del self._cards[next(iter(self._cards))]
        return card
