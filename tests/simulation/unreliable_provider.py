"""The payment provider that a simulated service is given: Stripe behind a line that loses requests and replies."""

from billing_service.domain.deployment import MARK_FIELD
from billing_service.payments.port import ProviderRefused, ProviderUnavailable

_STORED_FAILURE = object()


class UnreliableProvider:
    """Fits `payments.port.PaymentProvider`. Idempotency keys are Stripe's, and outlive the processes that use them."""

    def __init__(self, stripe, turns, chance):
        self.stripe = stripe
        self._turns = turns
        self._chance = chance
        self._keys = {}
        self.reliable = False
        self.calls = 0
        """Under way."""

    def forget_keys(self):
        """A day has passed. Not to be called while a call is under way: none lasts a day."""
        assert not self.calls
        self._keys.clear()

    async def _call(self, perform, key="", said=()):
        self.calls += 1
        try:
            await self._turns.turn()
            answer = self._answer(perform, key, said)
            await self._turns.turn()
        finally:
            self.calls -= 1
        if self._unlucky(0.1):
            raise ProviderUnavailable("the reply was lost")
        return answer

    def _answer(self, perform, key, said):
        if self._unlucky(0.1):
            raise ProviderUnavailable("the request was lost")
        if not key:
            return perform()
        if key in self._keys:
            answer, said_first = self._keys[key]
            if answer is _STORED_FAILURE:
                raise ProviderUnavailable("a failure that is kept for the key", key_spent=True)
            if said != said_first:
                raise ProviderRefused("idempotency_error", "the key was used with other parameters")
            return answer
        failing = self._unlucky(0.15)
        if failing and self._unlucky(0.5):
            self._keys[key] = (_STORED_FAILURE, said)
            raise ProviderUnavailable("failed before the effect", key_spent=True)
        answer = perform()
        self._keys[key] = (_STORED_FAILURE if failing else answer, said)
        if failing:
            raise ProviderUnavailable("failed after the effect", key_spent=True)
        return answer

    def _unlucky(self, share):
        return not self.reliable and self._chance.random() < share

    async def create_customer(self, *, account_id, email, name, contact_version, mark, idempotency_key):
        said = (account_id, email, name, contact_version, mark)
        return await self._call(lambda: self.stripe.create_customer(*said), idempotency_key, said)

    async def get_customer(self, customer_id):
        return await self._call(lambda: self.stripe.get_customer(customer_id))

    async def update_customer(self, customer_id, *, email, name, contact_version):
        return await self._call(lambda: self.stripe.update_customer(customer_id, email, name, contact_version))

    async def create_checkout(self, order):
        return await self._call(lambda: self.stripe.create_checkout(order), order.idempotency_key, order)

    async def get_checkout(self, session_id):
        return await self._call(lambda: self.stripe.sessions[session_id])

    async def expire_checkout(self, session_id, idempotency_key):
        return await self._call(lambda: self.stripe.expire_checkout(session_id), idempotency_key, session_id)

    async def create_refund(
        self, *, refund_id, purchase_id, account_id, payment_intent_id, amount_minor, mark, idempotency_key
    ):
        metadata = {"refund_id": refund_id, "purchase_id": purchase_id, "account_id": account_id, MARK_FIELD: mark}
        status = self._chance.choice(["succeeded", "succeeded", "pending"])
        return await self._call(
            lambda: self.stripe.create_refund(payment_intent_id, amount_minor, status, metadata),
            idempotency_key,
            (payment_intent_id, amount_minor, refund_id, mark),
        )

    async def list_refunds(self, payment_intent_id):
        return await self._call(lambda: self.stripe.list_refunds(payment_intent_id))

    async def close(self):
        """Nothing is open."""
