"""One process of the simulated service: the product's environment and servicers over a simulated store, until it
dies."""

import asyncio
from fractions import Fraction
from types import SimpleNamespace

import structlog
from prepaid.billing.v1 import billing_pb2
from prometheus_client import CollectorRegistry

from billing_service.api.admission import Admission
from billing_service.api.deadlines import OverdueCalls
from billing_service.api.metrics import CallMetrics
from billing_service.api.pipeline import Edge
from billing_service.api.services import services_of
from billing_service.api.streams.streaming import build_stream_handler
from billing_service.clock import TimeOrderedIds
from billing_service.commands.environment import Gathering, PurchaseTerms
from billing_service.domain.access.api_keys import Scope
from billing_service.domain.catalogue.packages import CustomAmounts, Package, catalog_of
from billing_service.domain.catalogue.rate_cards import Column, Entry
from billing_service.domain.deployment import Deployment, Mode
from billing_service.domain.promotions.referrals import ReferralPolicy
from billing_service.domain.spending.deductions import SpendingTerms
from billing_service.jobs.expiry import sweep_expired
from tests.simulation.turns import loop_time
from tests.support.environments import environment_of
from tests.support.methods import methods_of
from tests.support.rate_card_examples import card_of, prices_of

START_US = 1_800_000_000_000_000
WEBHOOK_SECRET = "whsec_" + "simulated"
BONUS = 9
BONUS_PURCHASE_MIN_MINOR = 5
VESTING_US = 60_000_000
REWARDED_MAX = 1
SPENDING = SpendingTerms(debt_max=30, reversal_window_us=20_000_000, late_capture_us=15_000_000)
CARDS_CHANGE_US = START_US + 60_000_000
PRICES = {"cheap": (0, Fraction(77, 100)), "dear": (CARDS_CHANGE_US, Fraction(143, 100))}
"""From when, and microcredits for a token with the markup of 10 %: by version of the rate card."""
CARDS = {
    version: card_of(
        Entry("simulated", "model", (Column(prices_of(output_tokens=int(price / Fraction(11, 10) * 10**10))),)),
        version=version,
        effective_time_us=from_us,
        markup_ppm=100_000,
    )
    for version, (from_us, price) in PRICES.items()
}
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
    custom_amounts=CustomAmounts(),
    success_url="https://shop.test/thanks",
    cancel_url="https://shop.test/",
    checkout_lifetime_us=3_600_000_000,
    allow_promotion_codes=False,
    livemode=False,
)


DEPLOYMENT = Deployment("dep_simulated", b"simulated", Mode.SANDBOX, 0)
STREAM_DEDUCTIONS = billing_pb2.DESCRIPTOR.services_by_name["BillingService"].methods_by_name["StreamDeductions"]
CALLER = "simulation"
IN_FLIGHT_MAX = 1_000
NEVER_S = 1e9


class InOrder(dict):
    """A set that is gone through in the order of arrival: in a set of functions it is that of their addresses."""

    def add(self, element):
        self[element] = None

    def discard(self, element):
        self.pop(element, None)


class ServiceProcess:
    """Serves until `die`; then nothing of it is left but the file of its store."""

    def __init__(self, store, provider, clock_us, chance, authenticator, *, vesting_us):
        self.store = store
        self.beside = None
        """Another process at the same database."""
        self.environment = environment_of(
            store,
            clock_us,
            TimeOrderedIds(clock_us, chance.randbytes),
            provider=provider,
            gathering=Gathering(8, NEVER_S, loop_time),
            deployment=DEPLOYMENT,
            catalog=CATALOG,
            terms=TERMS,
            referrals=ReferralPolicy(BONUS, BONUS_PURCHASE_MIN_MINOR, REWARDED_MAX, vesting_us),
            webhook_secrets=(WEBHOOK_SECRET,),
            spending=SPENDING,
            random_bytes=chance.randbytes,
        )
        self.environment.rate_cards._cards.update(CARDS)  # to read one takes a thread
        self.admission = Admission(IN_FLIGHT_MAX, streams=InOrder())
        self.overdue = OverdueCalls(NEVER_S)
        metrics = CallMetrics(CollectorRegistry(auto_describe=False), self.admission)
        self._edge = Edge(authenticator, self.admission, metrics, self.overdue, structlog.get_logger(__name__))
        self._methods = methods_of(services_of(self.environment, b"page tokens"))
        self._stream = build_stream_handler(
            STREAM_DEDUCTIONS, self._methods["stream_deductions"], self._edge
        ).stream_stream

    def begin(self, method, request, *, admin=True):
        """A task that serves one request as the server would, without the wire."""
        scopes = frozenset(Scope) if admin else frozenset({Scope.DEDUCT})
        call = SimpleNamespace(
            caller=CALLER,
            scopes=scopes,
            peer="memory",
            method=method,
            correlation_id="",
            edge=self._edge,
            note=lambda _did: None,
            require_account=lambda _account_id: None,
            spender_ids=(),
            account_ids=frozenset(),
        )
        return asyncio.ensure_future(self._methods[method](request, call))

    def begin_stream(self, context):
        """A task that serves one stream as grpc.aio would have it served."""
        return asyncio.ensure_future(self._stream(None, context))

    @property
    def streams_without_status(self):
        """How many were begun and are not counted under the status that they ended with."""
        counts = self._edge.metrics._methods[0]
        return counts.started - counts.ok - counts.failed.total()

    def begin_sweep(self):
        return asyncio.ensure_future(sweep_expired(self.environment))

    async def die(self):
        """Every task of the process ends where it stands."""
        self.store.crash()
        self.overdue.close()
        doomed = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)
        self.store.abandon()
        if self.beside is not None:
            self.beside.overdue.close()
            self.beside.store.abandon()

    def either(self, chance):
        """One of the processes, where there are two."""
        return self if self.beside is None else chance.choice(self.all)

    @property
    def all(self):
        """Of the database."""
        return [self] if self.beside is None else [self, self.beside]
