"""What the service asks of a payment provider. Nothing here knows Stripe's SDK.

Money is a whole number of the currency's smallest unit, times are microseconds since 1970, statuses are the provider's
own words.

Repeating a call
    Every call that makes something takes an idempotency key derived from our own row. All its parameters must come from
    that row as well, because the same key with other parameters is refused. A URL read from settings at the time of a
    retry would break the retry. Within a day the same key gives the same answer. After that, look before repeating.

After ProviderUnavailable the outcome is unknown. Keep what was set aside and call again with the same key, unless:
    `key_spent`: the provider keeps answering this key with a failure that it stored. A new attempt needs a new key (such as the old one
    with an attempt number that the row counts), and is safe to make
      - at once for a customer or a checkout, because a second one whose address no caller got can't be paid.
      - for a refund only after `list_refunds` of the payment shows none with our `refund_id`. If one is there, that is
        the outcome.
    The same look-up comes first for a refund whose key is older than a day.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from billing_service.payments.objects.checkout_session import CheckoutSession
from billing_service.payments.objects.customer import ProviderCustomer
from billing_service.payments.objects.refund import ProviderRefund


class ProviderRefused(Exception):  # noqa: N818 - a "no" of the provider, not an error of the program
    """A definite no: the call had no effect, and would have none if repeated. `param` names the parameter at fault,
    where known."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.param = param


class ProviderUnavailable(Exception):  # noqa: N818 - as above
    """No answer to rely on: the call may or may not have had its effect. See the module's words on repeating."""

    def __init__(self, message: str, *, key_spent: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.key_spent = key_spent


class ProviderKeyRefused(ProviderUnavailable):
    """The provider refused our own key, or the key may not do this. The call had no effect; earlier ones of the same
    step may have had theirs, so what was set aside is kept here too."""


@dataclass(frozen=True, slots=True)
class CheckoutOrder:
    """A page where the customer pays exactly `amount_minor`, less promotion codes where allowed."""

    purchase_id: str
    account_id: str
    customer_id: str | None
    name: str
    description: str
    amount_minor: int
    currency: str
    success_url: str
    cancel_url: str
    expire_time_us: int
    """30 minutes to 24 hours ahead when the page is first asked for; cut to whole seconds."""
    idempotency_key: str
    mark: str
    """Goes with the checkout, its payment and its charge, so that they are known as ours."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """The caller's own, shown with the payment at the provider as far as there is room. Names of ours are not the
    caller's."""
    allow_promotion_codes: bool = False
    stripe_price_id: str | None = None
    """A price of the provider's catalogue that says the same as amount and currency; None: priced by the order
    itself."""


class PaymentProvider(Protocol):
    """All methods raise ProviderRefused or ProviderUnavailable, and nothing else of their own."""

    async def create_customer(
        self, *, account_id: str, email: str, name: str, mark: str, idempotency_key: str, contact_version: int = 0
    ) -> str:
        """The id of the new customer. Empty e-mail and name are left out. Its events carry the version of both."""
        ...

    async def update_customer(self, customer_id: str, *, email: str, name: str, contact_version: int | None) -> None:
        """Gives the customer this e-mail and name, none where empty, and the version that they are of; None keeps that.
        Safe to repeat: the version in every event shows which of several calls came last."""
        ...

    async def get_customer(self, customer_id: str) -> ProviderCustomer:
        """The customer, also a deleted one."""
        ...

    async def create_checkout(self, order: CheckoutOrder) -> CheckoutSession:
        """The open checkout; its id, status, amount and currency are there. A price of the provider's catalogue that
        disagrees with the order is refused as `amount_mismatch`."""
        ...

    async def get_checkout(self, session_id: str) -> CheckoutSession:
        """The checkout as it is now; its id, status and amounts are there."""
        ...

    async def expire_checkout(self, session_id: str, idempotency_key: str) -> CheckoutSession:
        """Closes an open checkout. One that is expired or complete already is refused: `get_checkout` says which."""
        ...

    async def create_refund(
        self,
        *,
        refund_id: str,
        purchase_id: str,
        account_id: str,
        payment_intent_id: str,
        amount_minor: int,
        mark: str,
        idempotency_key: str,
    ) -> ProviderRefund:
        """`mark`: empty for none. Id, amount, currency and status of the refund are there."""
        ...

    async def list_refunds(self, payment_intent_id: str) -> list[ProviderRefund]:
        """All refunds of a payment, newest first, also failed and canceled ones and those begun elsewhere. One may have
        faults."""
        ...

    async def close(self) -> None:
        """Closes connections; no call may follow."""
        ...
