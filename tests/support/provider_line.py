"""The line between the service and a Stripe in memory. Its calls are those of the port's capabilities, found by walking
their Protocols: a call that a capability gets needs no line here."""

import inspect
from dataclasses import dataclass

from billing_service.payments.ports.provider import CAPABILITIES, OPERATIONS


@dataclass(frozen=True)
class ProviderCall:
    """One call on its way to Stripe."""

    name: str
    arguments: dict
    """All of them, by the port's names."""
    effect: object
    """Asks the Stripe in memory; answers, or raises ProviderRefused."""

    @property
    def key(self):
        """The idempotency key; empty where the call has none."""
        order = self.arguments.get("order")
        return order.idempotency_key if order is not None else self.arguments.get("idempotency_key", "")


class ProviderLine:
    """Fits `ports.provider.PaymentProvider`. A subclass decides in `carry` what becomes of each call: it may count it,
    delay it, lose it or its answer, or answer by itself. `stripe` has a method for each call that a test makes, with
    the port's names of arguments."""

    def __init__(self, stripe):
        self.stripe = stripe
        self.asked = []
        """(name, arguments) of the calls that came."""

    async def carry(self, call):
        """Answers the call."""
        return call.effect()

    async def close(self):
        """Nothing is open."""


def takes_every_call(stripe):
    """Raises where a Stripe in memory lacks a call of a capability, or one of its arguments."""
    for name in OPERATIONS:
        named = inspect.signature(getattr(ProviderLine, name)).parameters
        inspect.signature(getattr(stripe, name)).bind(**dict.fromkeys(named))


def _carried(name, signature):
    async def carried(self, *positional, **named):
        bound = signature.bind(self, *positional, **named)
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        del arguments["self"]
        self.asked.append((name, arguments))
        return await self.carry(ProviderCall(name, arguments, lambda: getattr(self.stripe, name)(**arguments)))

    carried.__name__, carried.__signature__ = name, signature
    return carried


for _capability in CAPABILITIES:
    for _name, _method in vars(_capability).items():
        if _name in OPERATIONS:
            setattr(ProviderLine, _name, _carried(_name, inspect.signature(_method)))
