"""A payment provider in memory whose calls are points: Stripe's rules about keys, and none of its network."""

import asyncio
from dataclasses import replace

from billing_service.payments.objects.checkout_session import CheckoutSession
from billing_service.payments.objects.customer import ProviderCustomer
from billing_service.payments.objects.payment_intent import PaymentIntent
from billing_service.payments.objects.refund import ProviderRefund
from billing_service.payments.ports.listings import Listed
from billing_service.payments.ports.outcomes import ProviderRefused, ProviderUnavailable
from tests.support.fault_modes import CANCEL, DEFECT, UNREACHABLE
from tests.support.fault_points import BEFORE, PROVIDER
from tests.support.provider_line import ProviderLine


class StripeInMemory:
    """What Stripe has, and how it answers."""

    def __init__(self, ids):
        self._ids = ids
        self.customers = {}
        """What Stripe says of a customer when it is asked."""
        self.checkouts = {}
        self.payments = {}
        self.refunds = []
        self.contacts = {}
        """E-mail, name and their version, by customer, as they were last updated."""
        self.refuses = False
        """Whether checkouts and refunds are refused."""
        self.objects = {}
        """What Stripe lists, by kind, the newest first; events that were not delivered as `event`."""

    def create_customer(self, **_asked):
        return self._ids("cus")

    def get_customer(self, customer_id):
        return self.customers.get(customer_id, ProviderCustomer(customer_id, "", "", deleted=False))

    def update_customer(self, customer_id, email, name, contact_version, **_whose):
        self.contacts[customer_id] = (email, name, contact_version)

    def create_checkout(self, order):
        if self.refuses:
            raise ProviderRefused("amount_too_small", "the amount is too small")
        session = CheckoutSession(
            session_id=self._ids("cs"),
            purchase_id=order.purchase_id,
            account_id=order.account_id,
            customer_id=order.customer_id,
            mode="payment",
            url="https://checkout.test/page",
            status="open",
            payment_status="unpaid",
            payment_intent_id=None,
            expire_time_us=order.expire_time_us,
            amount_subtotal_minor=order.amount_minor,
            amount_total_minor=order.amount_minor,
            amount_discount_minor=0,
            amount_tax_minor=0,
            currency=order.currency,
            livemode=False,
        )
        self.checkouts[session.session_id] = session
        return session

    def get_checkout(self, session_id):
        return self.checkouts[session_id]

    def expire_checkout(self, session_id, idempotency_key):
        del idempotency_key  # the line keeps keys
        session = self.checkouts[session_id]
        if session.status != "open":
            raise ProviderRefused("checkout_session_not_open", f"the session is {session.status}")
        session = self.checkouts[session_id] = replace(session, status="expired", url="")
        return session

    def create_payment(self, order):
        if self.refuses:
            raise ProviderRefused("amount_too_small", "the amount is too small")
        made = self._ids("pi")
        self.payments[made] = PaymentIntent(
            payment_intent_id=made,
            purchase_id=order.purchase_id,
            account_id=order.account_id,
            amount_minor=order.amount_minor,
            currency=order.currency,
            livemode=False,
            status="requires_payment_method",
            client_secret=f"{made}_secret_x",
        )
        return self.payments[made]

    def get_payment(self, payment_intent_id):
        return self.payments[payment_intent_id]

    def cancel_payment(self, payment_intent_id, idempotency_key):
        del idempotency_key  # the line keeps keys
        intent = self.payments[payment_intent_id]
        if intent.status in ("succeeded", "processing", "canceled"):
            raise ProviderRefused("payment_intent_unexpected_state", f"the payment is {intent.status}")
        intent = self.payments[payment_intent_id] = replace(intent, status="canceled")
        return intent

    def create_refund(self, refund_id, purchase_id, payment_intent_id, amount_minor, mark, **_asked):
        return self._send_back("succeeded", amount_minor, "usd", payment_intent_id, None, refund_id, purchase_id, mark)

    def list_refunds(self, payment_intent_id):
        return [sent for sent in self.refunds if sent.payment_intent_id == payment_intent_id]

    def list_created(self, kind, since_us, until_us, after):
        del since_us, until_us, after
        return Listed(list(self.objects.get(kind, ())), "")

    def list_of_payment(self, kind, payment_intent_id):
        found = [each for each in self.objects.get(kind, ()) if each.get("payment_intent") == payment_intent_id]
        return Listed(found, "")

    def list_undelivered_events(self, types, since_us, until_us, after):
        del since_us, until_us, after
        return Listed([each for each in self.objects.get("event", ()) if each["type"] in types], "")

    def get_object(self, kind, object_id):
        found = (each for each in self.objects.get(kind, ()) if each["id"] == object_id)
        return next(found, None) or self._refuse_missing(object_id)

    def _refuse_missing(self, object_id):
        raise ProviderRefused("resource_missing", f"no such object: {object_id}")

    def send_back(self, payment_intent_id, amount_minor):
        """A refund begun at Stripe itself."""
        return self._send_back("succeeded", amount_minor, "usd", payment_intent_id, None, None, None)

    def _send_back(self, *made):
        if self.refuses:
            raise ProviderRefused("charge_disputed", "the charge is disputed")
        sent = ProviderRefund(self._ids("re"), *made)
        self.refunds.insert(0, sent)
        return sent


class FaultyProvider(ProviderLine):
    """Answers a key as it answered it first, also with a failure that was stored for it."""

    def __init__(self, points, ids):
        super().__init__(StripeInMemory(ids))
        self._points = points
        self._by_key = {}
        self.unreachable_calls = 0
        """How many calls from now on find nobody."""

    async def carry(self, call):
        strike = self._points.reach(PROVIDER, call.name)
        if self.unreachable_calls:
            self.unreachable_calls -= 1
            raise ProviderUnavailable("nobody answers")
        if strike is not None and strike.when == BEFORE:
            await self._strike(strike.mode, call.key)
        answer = self._once(call)
        if strike is not None:
            await self._strike(strike.mode, call.key)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _once(self, call):
        if call.key in self._by_key:
            return self._by_key[call.key]
        try:
            answer = call.effect()
        except ProviderRefused as refused:
            answer = refused
        if call.key:
            self._by_key[call.key] = answer
        return answer

    async def _strike(self, mode, key):
        if mode.kind == CANCEL:
            self._points.caller.cancel()
            await asyncio.sleep(0)
        if mode.kind == DEFECT:
            raise RuntimeError("told to fail: a defect of the client")
        if mode.kind == UNREACHABLE or not key:
            raise ProviderUnavailable("told to fail")
        stored = self._by_key[key] = ProviderUnavailable("told to fail", key_spent=True)
        raise stored
