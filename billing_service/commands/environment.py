"""What commands are given: stores, clocks, what the payment provider can do, and the terms of business. Made once, by
bootstrap."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from billing_service.clock import ClockUs
from billing_service.commands.counters import Counters
from billing_service.commands.rate_card_cache import RateCardCache
from billing_service.domain.catalogue.packages import Catalog, CustomAmounts
from billing_service.domain.deployment import Deployment
from billing_service.domain.ledger.account import Ids
from billing_service.domain.promotions.referrals import ReferralPolicy
from billing_service.domain.spending.deductions import STANDARD_TERMS, SpendingTerms
from billing_service.domain.spending.outcome_policies import DEFAULT_POLICIES, OutcomePolicies
from billing_service.ledger.changes import Changes
from billing_service.ledger.reader import BalanceReader
from billing_service.ledger.ticks import TickWriter
from billing_service.ledger.unit import Sources
from billing_service.ledger.writer import LedgerWriter
from billing_service.payments.ports.checkouts import Checkouts
from billing_service.payments.ports.customers import Customers
from billing_service.payments.ports.listings import Listings
from billing_service.payments.ports.payments import Payments
from billing_service.payments.ports.refunds import Refunds
from billing_service.storage.store import Store


@dataclass(frozen=True, slots=True)
class PurchaseTerms:
    """How purchases are sold."""

    custom_amounts: CustomAmounts | None
    """None: no custom amounts are sold."""
    success_url: str
    cancel_url: str
    checkout_lifetime_us: int
    allow_promotion_codes: bool
    livemode: bool


@dataclass(frozen=True, slots=True)
class Gathering:
    """How calls that come at the same time are gathered into one transaction."""

    batch_max: int
    wait_s: float
    """For how long a batch waits for more. 0: not at all."""
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything that a command may use. The ledger's writer and reader, and the rate
    cards, are made here, of the same store, clock, ids and terms."""

    store: Store
    clock_us: ClockUs
    ids: Ids
    gathering: Gathering
    customers: Customers
    checkouts: Checkouts
    payments: Payments
    refunds: Refunds
    listings: Listings
    deployment: Deployment
    catalog: Catalog
    terms: PurchaseTerms
    referrals: ReferralPolicy
    webhook_secrets: tuple[str, ...] = field(repr=False)
    api_key_pepper: bytes = field(repr=False)
    spending: SpendingTerms = STANDARD_TERMS
    outcome_policies: OutcomePolicies = DEFAULT_POLICIES
    random_bytes: Callable[[int], bytes] = field(default=os.urandom)
    counters: Counters = field(default_factory=Counters)
    changes: Changes = field(default_factory=Changes)
    writer: LedgerWriter = field(init=False)
    balances: BalanceReader = field(init=False)
    ticks: TickWriter = field(init=False)
    rate_cards: RateCardCache = field(init=False)

    def __post_init__(self) -> None:
        how = self.gathering
        bounds: dict[str, Any] = {"batch_max": how.batch_max, "wait_s": how.wait_s}
        writer = LedgerWriter(
            self.store,
            self.clock_us,
            self.ids,
            changes=self.changes,
            terms=self.spending,
            monotonic=how.monotonic,
            **bounds,
        )
        object.__setattr__(self, "writer", writer)
        object.__setattr__(self, "balances", BalanceReader(self.store, self.clock_us, **bounds))
        rate_cards = RateCardCache(
            self.store,
            self.clock_us,
            usage_age_max_us=self.spending.usage_age_max_us,
            monotonic=how.monotonic,
        )
        object.__setattr__(self, "rate_cards", rate_cards)
        object.__setattr__(self, "ticks", TickWriter(self.store, **bounds))

    @property
    def sources(self) -> Sources:
        """What a unit of work may use of it."""
        return Sources(self.clock_us, self.ids, self.random_bytes, self.spending)
