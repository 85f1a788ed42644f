"""A service in this process, what Stripe has of its purchases and customers, and the events that tell of them."""

import hashlib
import hmac
import itertools
import json
from dataclasses import asdict, dataclass, replace

from prepaid.billing.v1 import purchases_pb2

from billing_service.domain.deployment import MARK_FIELD, MarkKind
from billing_service.domain.inbox import EventStatus
from billing_service.payments.objects.customer import ProviderCustomer
from billing_service.payments.objects.refund import read_refund
from billing_service.storage.rows.disputes import disputes_of
from billing_service.storage.rows.events import list_events
from billing_service.storage.rows.ledger import fetch_lots, read_accounts
from billing_service.storage.rows.profiles import PROFILES, ensure_account, read_profile
from billing_service.storage.rows.purchases import PURCHASES, claim_reference, read_purchase, refunds_of
from billing_service.stripe_events.inbox import process_event
from tests.support.doubles import DEPLOYMENT, SECOND_US, START_US
from tests.support.fault_points import FaultPoints
from tests.support.fault_service import SECRET, FaultService, Lasting

NOW_S = START_US // SECOND_US
PRICE_MINOR = 1_000
CREDITS = 1_000
NEWEST = (2**62, "")


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


@dataclass
class Page:
    """A purchase, its page and its payment."""

    world: World
    tag: str
    account_id: str
    purchase_id: str
    session_id: str
    customer_id: str

    @property
    def payment_intent_id(self):
        return f"pi_{self.tag}"

    @property
    def metadata(self):
        """What the product put on the page and its payment."""
        mark = DEPLOYMENT.mark(MarkKind.PURCHASE, self.purchase_id)
        return {"purchase_id": self.purchase_id, "account_id": self.account_id, MARK_FIELD: mark}

    def session(self, **changes):
        """Paid, unless told otherwise."""
        return {
            "id": self.session_id,
            "object": "checkout.session",
            "mode": "payment",
            "status": "complete",
            "payment_status": "paid",
            "payment_intent": self.payment_intent_id,
            "customer": self.customer_id,
            "client_reference_id": self.purchase_id,
            "metadata": self.metadata,
            "amount_subtotal": PRICE_MINOR,
            "amount_total": PRICE_MINOR,
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
            "currency": "usd",
            "livemode": False,
        } | changes

    def payment(self, **changes):
        return {
            "id": self.payment_intent_id,
            "object": "payment_intent",
            "status": "succeeded",
            "amount": PRICE_MINOR,
            "amount_received": PRICE_MINOR,
            "currency": "usd",
            "latest_charge": f"ch_{self.tag}",
            "metadata": self.metadata,
            "livemode": False,
        } | changes

    def charge(self, **changes):
        return {
            "id": f"ch_{self.tag}",
            "object": "charge",
            "amount": PRICE_MINOR,
            "amount_refunded": 0,
            "currency": "usd",
            "payment_intent": self.payment_intent_id,
            "metadata": self.metadata,
            "livemode": False,
        } | changes

    def refund(self, number=1, **changes):
        """Begun in the Dashboard: it bears no mark of ours."""
        return {
            "id": f"re_{self.tag}n{number}",
            "object": "refund",
            "amount": 300,
            "currency": "usd",
            "status": "succeeded",
            "charge": f"ch_{self.tag}",
            "payment_intent": self.payment_intent_id,
            "metadata": {},
        } | changes

    def dispute(self, *moved, number=1, **changes):
        """`moved`: amounts of the entries of Stripe's balance, the oldest first."""
        dispute_id = f"dp_{self.tag}n{number}"
        return {
            "id": dispute_id,
            "object": "dispute",
            "charge": f"ch_{self.tag}",
            "payment_intent": self.payment_intent_id,
            "amount": PRICE_MINOR,
            "currency": "usd",
            "status": "needs_response",
            "reason": "fraudulent",
            "balance_transactions": [
                {"id": f"txn_{dispute_id}m{place}", "object": "balance_transaction", "amount": amount}
                for place, amount in enumerate(moved)
            ],
            "evidence_details": {"due_by": 1_800_900_000},
            "livemode": False,
        } | changes

    def warning(self, **changes):
        about = {
            "id": f"issfr_{self.tag}",
            "object": "radar.early_fraud_warning",
            "charge": f"ch_{self.tag}",
            "actionable": True,
        }
        return about | {"payment_intent": self.payment_intent_id, "livemode": False} | changes

    def list_at_stripe(self, *refunds):
        """What Stripe says when it is asked for the payment's refunds."""
        for sent in refunds:
            self.world.provider.stripe.refunds.insert(0, read_refund(sent))

    async def stands(self):
        """What is stored of the purchase and its account, without what depends on when it was stored."""

        def work():
            purchase = yield from read_purchase(self.account_id, self.purchase_id)
            refunds = yield from refunds_of(purchase)
            disputes = yield from disputes_of(purchase)
            account = (yield from read_accounts([self.account_id]))[self.account_id]
            if purchase.lot_id:
                yield from fetch_lots(account, [purchase.lot_id])
            return purchase, refunds, disputes, account

        purchase, refunds, disputes, account = await self.world.store.read(work)
        names = (
            "status",
            "checkout_session_id",
            "payment_intent_id",
            "paid_minor",
            "refunded_minor",
            "disputed_minor",
            "reversed",
            "payment_time_us",
            "flags",
        )
        shown = account.show(self.world.service.clock())
        return {
            "purchase": {name: asdict(purchase)[name] for name in names},
            "refunds": sorted((refund.stripe_refund_id, refund.amount_minor, str(refund.status)) for refund in refunds),
            "disputes": [(each.dispute_id, each.word, each.amount_minor, each.out_minor) for each in disputes],
            "left": account.lot(purchase.lot_id).remaining if purchase.lot_id else None,
            "available": shown.available // 10**6,
            "debt": shown.debt // 10**6,
        }
