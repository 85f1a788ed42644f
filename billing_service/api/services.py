"""The services of the protos and what implements them: the one list of servicers, whoever serves them."""

from typing import Any

from prepaid.billing.v1 import admin_pb2, billing_pb2, stripe_events_pb2

from billing_service.api.server import Service
from billing_service.api.servicers.access import Access
from billing_service.api.servicers.admin import Administration
from billing_service.api.servicers.all_purchases import AllPurchases
from billing_service.api.servicers.feed import Feeding
from billing_service.api.servicers.hold_methods import Holding
from billing_service.api.servicers.limits import Limiting
from billing_service.api.servicers.many_deductions import ManyDeductions
from billing_service.api.servicers.priced_holds import PricedHolds
from billing_service.api.servicers.rate_cards import RateCards
from billing_service.api.servicers.receipts import Receipts
from billing_service.api.servicers.reconciling import Reconciling
from billing_service.api.servicers.rerating import Rerating
from billing_service.api.servicers.sales import Selling
from billing_service.api.servicers.sessions import Metering
from billing_service.api.servicers.spending import Spending
from billing_service.api.servicers.stripe_events import StripeEvents
from billing_service.api.servicers.usage import Quoting
from billing_service.api.servicers.watching import Watching
from billing_service.commands.environment import Environment
from billing_service.feed.head import FeedHead
from billing_service.feed.tail import Feed
from billing_service.reconcile.pace import REQUESTS_PER_S, Pace


def services_of(
    environment: Environment, page_token_secret: bytes, head: FeedHead | None = None, pace: Pace | None = None
) -> list[Service]:
    """Every service, over one environment. `page_token_secret` signs the tokens of lists. `head`: what the loop that
    places events moves; without it, consumers of the feed find events by looking. `pace`: what comparisons with Stripe
    share with the job that makes them; without it, they have one of their own."""
    billing = billing_pb2.DESCRIPTOR.services_by_name["BillingService"]
    admin = admin_pb2.DESCRIPTOR.services_by_name["AdminService"]
    events = stripe_events_pb2.DESCRIPTOR.services_by_name["StripeEventService"]
    spending, selling = Spending(environment, page_token_secret), Selling(environment, page_token_secret)
    priced = PricedHolds(environment)
    charging = spending, ManyDeductions(environment, priced)
    holding = Holding(environment, priced, page_token_secret)
    accounts, access = Administration(environment, page_token_secret), Access(environment, page_token_secret)
    usage = Quoting(environment), Receipts(environment), Metering(environment), Watching(environment)
    rates = RateCards(environment, page_token_secret), Rerating(environment, page_token_secret)
    feeding = Feeding(environment, Feed(environment.store, head or FeedHead()), page_token_secret)
    listing = AllPurchases(environment, page_token_secret)
    reconciling = Reconciling(environment, pace or Pace(REQUESTS_PER_S), page_token_secret)
    return [
        Service.of(billing, _Joined(*charging, holding, *usage, Limiting(environment), selling)),
        Service.of(events, StripeEvents(environment)),
        Service.of(admin, _Joined(accounts, access, *rates, feeding, listing, reconciling)),
    ]


class _Joined:
    """One service whose methods live in several classes."""

    def __init__(self, *parts: object) -> None:
        self._parts = parts

    def __getattr__(self, name: str) -> Any:
        found = [getattr(part, name) for part in self._parts if hasattr(part, name)]
        if len(found) != 1:
            raise AttributeError(name)
        return found[0]
