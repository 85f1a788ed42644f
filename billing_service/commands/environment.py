"""What commands are given: stores, clocks, the payment provider and the terms of business. Made once, by bootstrap."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from billing_service.clock import ClockUs
from billing_service.commands.counters import Counters
from billing_service.domain.catalogue.packages import Catalog, CustomAmounts
from billing_service.domain.deployment import Deployment
from billing_service.domain.ledger.account import Ids
from billing_service.domain.promotions.referrals import ReferralPolicy
from billing_service.domain.spending.deductions import STANDARD_TERMS, SpendingTerms
from billing_service.ledger.reader import BalanceReader
from billing_service.ledger.unit import Sources
from billing_service.ledger.writer import LedgerWriter
from billing_service.payments.port import PaymentProvider
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
class Environment:
    """Everything that a command may use."""

    store: Store
    clock_us: ClockUs
    ids: Ids
    writer: LedgerWriter
    balances: BalanceReader
    provider: PaymentProvider
    deployment: Deployment
    catalog: Catalog
    terms: PurchaseTerms
    referrals: ReferralPolicy
    webhook_secrets: tuple[str, ...] = field(repr=False)
    api_key_pepper: bytes = field(repr=False)
    spending: SpendingTerms = STANDARD_TERMS
    """The same that `writer` has."""
    random_bytes: Callable[[int], bytes] = field(default=os.urandom)
    counters: Counters = field(default_factory=Counters)

    @property
    def sources(self) -> Sources:
        """What a unit of work may use of it."""
        return Sources(self.clock_us, self.ids, self.random_bytes)
