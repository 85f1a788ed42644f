"""A purchase, its page and its payment, as Stripe's objects have them."""

from dataclasses import asdict, dataclass

from billing_service.domain.deployment import MARK_FIELD, MarkKind
from billing_service.payments.objects.refund import read_refund
from billing_service.storage.rows.disputes import disputes_of
from billing_service.storage.rows.ledger import fetch_lots, read_accounts
from billing_service.storage.rows.purchases import read_purchase, refunds_of
from tests.support.doubles import DEPLOYMENT

PRICE_MINOR = 1_000


@dataclass
class Page:
    """A purchase, its page and its payment."""

    world: object
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
