"""The payment provider that a simulated service is given: Stripe behind a line that loses requests and replies."""

from functools import partial

from billing_service.payments.ports.outcomes import ProviderRefused, ProviderUnavailable
from tests.support.provider_line import ProviderLine

_STORED_FAILURE = object()


class UnreliableProvider(ProviderLine):
    """Idempotency keys are Stripe's, and outlive the processes that use them."""

    def __init__(self, stripe, turns, chance):
        super().__init__(stripe)
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

    async def carry(self, call):
        effect = call.effect
        if call.name == "create_refund":
            status = self._chance.choice(["succeeded", "succeeded", "pending"])
            effect = partial(self.stripe.create_refund, **call.arguments, status=status)
        self.calls += 1
        try:
            await self._turns.turn()
            answer = self._answer(effect, call.key, call.arguments)
            await self._turns.turn()
        finally:
            self.calls -= 1
        if self._unlucky(0.1):
            raise ProviderUnavailable("the reply was lost")
        return answer

    def _answer(self, effect, key, said):
        if self._unlucky(0.1):
            raise ProviderUnavailable("the request was lost")
        if not key:
            return effect()
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
        answer = effect()
        self._keys[key] = (_STORED_FAILURE if failing else answer, said)
        if failing:
            raise ProviderUnavailable("failed after the effect", key_spent=True)
        return answer

    def _unlucky(self, share):
        return not self.reliable and self._chance.random() < share
