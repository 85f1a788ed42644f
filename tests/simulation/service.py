"""One process of the simulated service: the product's environment and servicers over a simulated store, until it dies."""

import asyncio
from collections import Counter
from types import SimpleNamespace

from billing_service.api.admin import Administration
from billing_service.api.admission import Admission
from billing_service.api.many_deductions import ManyDeductions
from billing_service.api.selling import Selling
from billing_service.api.spending import Spending
from billing_service.api.stripe_events import StripeEvents
from billing_service.clock import TimeOrderedIds
from billing_service.commands.environment import Environment, PurchaseTerms
from billing_service.domain.catalog import CustomAmountLimits, Package, catalog_of
from billing_service.domain.referrals import ReferralPolicy
from billing_service.jobs.expiry import sweep_expired
from billing_service.ledger.reader import BalanceReader
from billing_service.ledger.writer import LedgerWriter

WEBHOOK_SECRET = "whsec_" + "simulated"
BONUS = 9
BONUS_PURCHASE_MIN_MINOR = 5
VESTING_US = 60_000_000
REWARDED_MAX = 1
PACKAGES = {"odd": (10, 3), "large": (100, 7)}
"""Credits and price by code: prices that leave a remainder."""
CATALOG = catalog_of(
    "usd",
    {
        code: Package(code, code, "", credits_sold, price_minor, "usd", active=True, display_order=1)
        for code, (credits_sold, price_minor) in PACKAGES.items()
    },
)
TERMS = PurchaseTerms(
    custom_amounts=CustomAmountLimits(),
    success_url="https://shop.test/thanks",
    cancel_url="https://shop.test/",
    checkout_lifetime_us=3_600_000_000,
    allow_promotion_codes=False,
    livemode=False,
)


class ServiceProcess:
    """Serves until `die`; then nothing of it is left but the file of its store."""

    def __init__(self, store, provider, clock_us, chance, *, vesting_us):
        self.store = store
        ids = TimeOrderedIds(clock_us, chance.randbytes)
        bounds = {"batch_max": 8, "wait_s": 1e9}
        self.environment = Environment(
            store=store,
            clock_us=clock_us,
            ids=ids,
            writer=LedgerWriter(store, clock_us, ids, **bounds),
            balances=BalanceReader(store, clock_us, **bounds),
            provider=provider,
            catalog=CATALOG,
            terms=TERMS,
            referrals=ReferralPolicy(BONUS, BONUS_PURCHASE_MIN_MINOR, REWARDED_MAX, vesting_us),
            webhook_secrets=(WEBHOOK_SECRET,),
            api_key_pepper=b"",
            chance=chance.randbytes,
        )
        secret = b"page tokens"
        self.admission = Admission(in_flight_max=1_000)
        self._edge = SimpleNamespace(admission=self.admission, metrics=SimpleNamespace(refusals=Counter()))
        self._servicers = (
            Spending(self.environment, secret),
            ManyDeductions(self.environment),
            Selling(self.environment, secret),
            Administration(self.environment, secret),
            StripeEvents(self.environment),
        )

    def begin(self, method, request):
        """A task that serves one request as the server would, without the wire."""
        call = SimpleNamespace(caller="simulation", peer="memory", method=method, correlation_id="", edge=self._edge)
        serve = next(getattr(servicer, method) for servicer in self._servicers if hasattr(servicer, method))
        return asyncio.ensure_future(serve(request, call))

    def begin_sweep(self):
        return asyncio.ensure_future(sweep_expired(self.store, self.environment.clock_us, self.environment.ids))

    async def die(self):
        """Every task of the process ends where it stands."""
        self.store.crash()
        doomed = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)
        self.store.abandon()
