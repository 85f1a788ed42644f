"""A payment provider in memory whose calls are points: Stripe's rules about keys, and none of its network."""

import asyncio
from dataclasses import replace

from billing_service.payments.objects.checkout_session import CheckoutSession
from billing_service.payments.objects.customer import ProviderCustomer
from billing_service.payments.objects.refund import ProviderRefund
from billing_service.payments.port import ProviderRefused, ProviderUnavailable
from tests.support.fault_modes import CANCEL, DEFECT, UNREACHABLE
from tests.support.fault_points import BEFORE, PROVIDER


class FaultyProvider:
    """Answers a key as it answered it first, also with a failure that was stored for it."""

    def __init__(self, points, ids):
        self._points = points
        self._ids = ids
        self._by_key = {}
        self.customers = {}
        """What Stripe says of a customer when it is asked."""
        self.checkouts = {}
        self.refunds = []
        self.contacts = {}
        """E-mail, name and their version, by customer, as they were last updated."""
        self.refuses = False
        """Whether checkouts and refunds are refused."""
        self.unreachable_calls = 0
        """How many calls from now on find nobody."""

    async def create_customer(self, *, account_id, email, name, contact_version, mark, idempotency_key):
        del account_id, email, name, contact_version, mark
        return await self._at_point("create_customer", lambda: self._ids("cus"), idempotency_key)

    async def get_customer(self, customer_id):
        found = self.customers.get(customer_id, ProviderCustomer(customer_id, "", "", deleted=False))
        return await self._at_point("get_customer", lambda: found)

    async def update_customer(self, customer_id, *, email, name, contact_version):
        contact = (email, name, contact_version)
        return await self._at_point("update_customer", lambda: self.contacts.update({customer_id: contact}))

    async def create_checkout(self, order):
        return await self._at_point("create_checkout", lambda: self._open(order), order.idempotency_key)

    async def get_checkout(self, session_id):
        return await self._at_point("get_checkout", lambda: self.checkouts[session_id])

    async def expire_checkout(self, session_id, idempotency_key):
        return await self._at_point("expire_checkout", lambda: self._close(session_id), idempotency_key)

    async def create_refund(
        self, *, refund_id, purchase_id, account_id, payment_intent_id, amount_minor, mark, idempotency_key
    ):
        del account_id
        made = ("succeeded", amount_minor, "usd", payment_intent_id, None, refund_id, purchase_id, mark)
        return await self._at_point("create_refund", lambda: self._send_back(*made), idempotency_key)

    async def list_refunds(self, payment_intent_id):
        return await self._at_point(
            "list_refunds", lambda: [sent for sent in self.refunds if sent.payment_intent_id == payment_intent_id]
        )

    async def close(self):
        """Nothing is open."""

    def send_back(self, payment_intent_id, amount_minor):
        """A refund begun at Stripe itself."""
        return self._send_back("succeeded", amount_minor, "usd", payment_intent_id, None, None, None)

    def _open(self, order):
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

    def _close(self, session_id):
        session = self.checkouts[session_id]
        if session.status != "open":
            raise ProviderRefused("checkout_session_not_open", f"the session is {session.status}")
        session = self.checkouts[session_id] = replace(session, status="expired", url="")
        return session

    def _send_back(self, *made):
        if self.refuses:
            raise ProviderRefused("charge_disputed", "the charge is disputed")
        sent = ProviderRefund(self._ids("re"), *made)
        self.refunds.insert(0, sent)
        return sent

    async def _at_point(self, name, effect, key=None):
        strike = self._points.reach(PROVIDER, name)
        if self.unreachable_calls:
            self.unreachable_calls -= 1
            raise ProviderUnavailable("nobody answers")
        if strike is not None and strike.when == BEFORE:
            await self._strike(strike.mode, key)
        answer = self._once(key, effect)
        if strike is not None:
            await self._strike(strike.mode, key)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _once(self, key, effect):
        if key in self._by_key:
            return self._by_key[key]
        try:
            answer = effect()
        except ProviderRefused as refused:
            answer = refused
        if key is not None:
            self._by_key[key] = answer
        return answer

    async def _strike(self, mode, key):
        if mode.kind == CANCEL:
            self._points.caller.cancel()
            await asyncio.sleep(0)
        if mode.kind == DEFECT:
            raise RuntimeError("told to fail: a defect of the client")
        if mode.kind == UNREACHABLE or key is None:
            raise ProviderUnavailable("told to fail")
        stored = self._by_key[key] = ProviderUnavailable("told to fail", key_spent=True)
        raise stored
