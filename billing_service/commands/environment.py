"""What commands are given: stores, clocks, the payment provider and the terms of business. Made once, by bootstrap."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from billing_service.clock import ClockUs
from billing_service.commands.counters import Counters
from billing_service.domain.catalogue.packages import Catalog, CustomAmounts
from billing_service.domain.deployment import Deployment
from billing_service.domain.ledger.account import Ids
from billing_service.domain.promotions.referrals import CODE_RANDOM_BYTES, ReferralPolicy, code_from_random
from billing_service.domain.spending.deductions import STANDARD_TERMS, SpendingTerms
from billing_service.ledger.reader import BalanceReader
from billing_service.ledger.writer import LedgerWriter
from billing_service.payments.port import PaymentProvider
from billing_service.storage.store import Store


class Caller(NamedTuple):
    """Who calls, for idempotency, statements and the audit log."""

    name: str
    peer: str
    method: str
    is_admin: bool = False
    """Whether it has the scope admin."""


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

    def new_referral_code(self) -> str:
        return code_from_random(self.random_bytes(CODE_RANDOM_BYTES))
