"""A service in this process, what Stripe has of its purchases and customers, and the events that tell of them."""

import hashlib
import hmac
import itertools
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog
from prepaid.billing.v1 import purchases_pb2

from billing_service.domain.deployment import MARK_FIELD, MarkKind
from billing_service.domain.inbox import EventStatus
from billing_service.payments.objects.customer import ProviderCustomer
from billing_service.storage.rows.events import list_events
from billing_service.storage.rows.profiles import PROFILES, ensure_account, read_profile
from billing_service.storage.rows.purchases import PURCHASES, claim_reference, read_purchase
from billing_service.stripe_events.inbox import process_event
from tests.support.bought_page import Page
from tests.support.doubles import DEPLOYMENT, SECOND_US, START_US
from tests.support.fault_points import FaultPoints
from tests.support.fault_service import SECRET, FaultService, Lasting

NOW_S = START_US // SECOND_US
CREDITS = 1_000
NEWEST = (2**62, "")


@asynccontextmanager
async def running_world(store):
    """A world over an empty ledger, until the block ends. `said` are the lines of the log."""
    with structlog.testing.capture_logs() as said:
        made = World(store)
        made.said = said
        yield made
        await made.service.writer.close()
        await made.service.balances.close()


class World:
    """Everything about one purchase is named by a tag of its own."""

    def __init__(self, store):
        self.service = FaultService(store, Lasting(FaultPoints()))
        self.environment, self.provider, self.store = self.service.environment, self.service.provider, store
        self._tags = (f"t{number}" for number in itertools.count(1))
        self._events = itertools.count(1)

    @property
    def asked(self):
        """What Stripe was asked for, as (name, id)."""
        reads = ("get_customer", "list_refunds")
        return [(name, *arguments.values()) for name, arguments in self.provider.asked if name in reads]

    async def deliver(self, event):
        """Hands over an event, signed now; answers the outcome's name, and keeps in `did` what the log is told of
        it."""
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        moment = self.service.clock() // SECOND_US
        signature = hmac.new(SECRET.encode(), b"%d." % moment + payload, hashlib.sha256).hexdigest()
        processed = await process_event(self.environment, payload, f"t={moment},v1={signature}")
        self.did = dict(processed.did)
        return str(processed.outcome)

    def event(self, event_type, about, *, created_s=NOW_S, **envelope):
        made = {
            "id": f"evt_{next(self._events)}",
            "object": "event",
            "type": event_type,
            "created": created_s,
            "livemode": False,
        }
        return made | {"data": {"object": about}} | envelope

    async def open_page(self):
        """A purchase whose page is open."""
        tag = next(self._tags)
        request = purchases_pb2.CreatePurchaseRequest(
            account_id=f"acct-{tag}", package_code="starter", idempotency_key=tag
        )
        made = (await self.service.answer("create_purchase", request)).purchase
        customer_id = (await self.profile(made.account_id))["stripe_customer_id"]
        return Page(self, tag, made.account_id, made.purchase_id, made.checkout_session_id, customer_id)

    async def forget_page(self, page):
        """As when the service died before it stored which page Stripe had opened."""

        def work():
            purchase = yield from read_purchase(page.account_id, page.purchase_id)
            purchase.checkout_session_id = ""
            yield from PURCHASES.replace(purchase)

        await self.store.write(work)

    async def bind(self, page, payment_intent_id):
        """As an older program bound a payment of which it had heard."""

        def work():
            purchase = yield from read_purchase(page.account_id, page.purchase_id)
            purchase.payment_intent_id = payment_intent_id
            yield from PURCHASES.replace(purchase)
            assert (yield from claim_reference(payment_intent_id, page.account_id, page.purchase_id))

        await self.store.write(work)

    async def account(self, **profile):
        """An account that has no customer at Stripe yet; answers its id."""
        account_id = f"acct-{next(self._tags)}"

        def work():
            made = yield from ensure_account(account_id, START_US, self.environment.sources.new_referral_code)
            yield from PROFILES.replace(replace(made, **profile))

        await self.store.write(work)
        return account_id

    def customer(self, account_id, customer_id, **fields):
        mark = DEPLOYMENT.mark(MarkKind.CUSTOMER, account_id)
        metadata = {"account_id": account_id, MARK_FIELD: mark}
        return {
            "id": customer_id,
            "object": "customer",
            "email": None,
            "name": None,
            "livemode": False,
            "metadata": metadata,
        } | fields

    def stands(self, customer_id, email="", name="", *, deleted=False):
        """What Stripe says of a customer when it is asked."""
        self.provider.stripe.customers[customer_id] = ProviderCustomer(customer_id, email, name, deleted)

    async def profile(self, account_id):
        kept = await self.store.read(lambda: read_profile(account_id))
        return {
            name: getattr(kept, name)
            for name in ("email", "name", "stripe_customer_id", "customer_attempt", "customer_update_time_us")
        }

    async def kept(self):
        """All events as the inbox has them, by id."""
        found = await self.store.read(lambda: list_events("", NEWEST, 100_000, with_payload=False))
        return {event.event_id: event for event in found}

    async def waiting(self):
        return {event.event_id for event in (await self.kept()).values() if event.subject}

    async def statuses(self, *events):
        kept = await self.kept()
        return [EventStatus(kept[event["id"]].status).value for event in events]
