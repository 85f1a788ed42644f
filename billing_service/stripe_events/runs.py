"""The runs of one event's unit of work. Stripe is asked between two runs, never inside one. A waiting event that breaks
a run is left out of the next, so that it holds up no other event's effect."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import structlog

from billing_service.commands.environment import Environment
from billing_service.domain.refusals import Failure
from billing_service.ledger.provider_step import as_refusals, stripe_failed
from billing_service.payments.objects.customer import ProviderCustomer
from billing_service.payments.objects.payment_intent import PaymentIntent
from billing_service.payments.objects.refund import ProviderRefund
from billing_service.payments.ports.outcomes import ProviderKeyRefused, ProviderRefused, ProviderUnavailable
from billing_service.storage.statements import Work

T = TypeVar("T")
log = structlog.get_logger(__name__)

_NO_LIST = "Stripe refused to list the payment's refunds"


class KnownRefunds(NamedTuple):
    """Stripe's own list of a payment's refunds."""

    sent: tuple[ProviderRefund, ...]
    fault: str
    """Why there is no list; empty when there is one."""
    failure: Failure | None = None
    """What to fail with where the event under way needs the list, and Stripe may give it once an operator has mended
    the key."""


class UnansweredError(Exception):
    """This run must know something of Stripe that was not asked yet. Nothing of it is stored."""


class SpoiledError(Exception):
    """A waiting event broke this run. The event under way is not to blame: it runs again without that one."""

    def __init__(self, event_id: str, note: str) -> None:
        super().__init__(event_id)
        self.event_id = event_id
        self.note = note


class _RefundsUnknownError(UnansweredError):
    def __init__(self, payment_intent_id: str) -> None:
        super().__init__(payment_intent_id)
        self.payment_intent_id = payment_intent_id


class _PaymentUnknownError(UnansweredError):
    def __init__(self, payment_intent_id: str) -> None:
        super().__init__(payment_intent_id)
        self.payment_intent_id = payment_intent_id


class _CustomerUnknownError(UnansweredError):
    def __init__(self, customer_id: str) -> None:
        super().__init__(customer_id)
        self.customer_id = customer_id


@dataclass(slots=True)
class Runs:
    """What the runs that did not commit have brought to light."""

    environment: Environment
    spoiled: dict[str, str] = field(default_factory=dict)
    """Waiting events that broke a run, by id, and how."""
    _refunds: dict[str, KnownRefunds] = field(default_factory=dict)
    _customers: dict[str, ProviderCustomer] = field(default_factory=dict)
    _payments: dict[str, PaymentIntent] = field(default_factory=dict)

    def refunds_of(self, payment_intent_id: str) -> KnownRefunds:
        """All refunds of a payment. Raises UnansweredError."""
        known = self._refunds.get(payment_intent_id)
        if known is None:
            raise _RefundsUnknownError(payment_intent_id)
        return known

    def customer(self, customer_id: str) -> ProviderCustomer:
        """A customer as it is at Stripe now. Raises UnansweredError."""
        known = self._customers.get(customer_id)
        if known is None:
            raise _CustomerUnknownError(customer_id)
        return known

    def payment(self, payment_intent_id: str) -> PaymentIntent:
        """A payment as it is at Stripe now. Raises UnansweredError."""
        known = self._payments.get(payment_intent_id)
        if known is None:
            raise _PaymentUnknownError(payment_intent_id)
        return known

    async def write(self, work: Callable[[], Work[T]]) -> T:
        """Runs a unit of work until it commits. Raises what it raises, STRIPE_UNAVAILABLE and STRIPE_REFUSED."""
        while True:
            try:
                return await self.environment.store.write(work)
            except _RefundsUnknownError as unknown:
                await self._ask_for_refunds(unknown)
            except _CustomerUnknownError as unknown:
                await self._ask_for_customer(unknown)
            except _PaymentUnknownError as unknown:
                with as_refusals():
                    asked = await self.environment.payments.get_payment(unknown.payment_intent_id)
                self._payments[unknown.payment_intent_id] = asked
            except SpoiledError as spoiled:
                log.exception("waiting_stripe_event_broke", event_id=spoiled.event_id)
                self.spoiled[spoiled.event_id] = spoiled.note

    async def _ask_for_refunds(self, unknown: _RefundsUnknownError) -> None:
        try:
            sent = await self.environment.refunds.list_refunds(unknown.payment_intent_id)
        except ProviderRefused as refused:
            self._refunds[unknown.payment_intent_id] = KnownRefunds((), f"{_NO_LIST}: {refused.code}")
            return
        except ProviderKeyRefused as refused:
            self._refunds[unknown.payment_intent_id] = KnownRefunds(
                (), f"{_NO_LIST}: replay this", stripe_failed(refused)
            )
            return
        except ProviderUnavailable as unavailable:
            raise stripe_failed(unavailable) from unavailable
        self._refunds[unknown.payment_intent_id] = KnownRefunds(tuple(sent), "")

    async def _ask_for_customer(self, unknown: _CustomerUnknownError) -> None:
        with as_refusals():
            self._customers[unknown.customer_id] = await self.environment.customers.get_customer(unknown.customer_id)
