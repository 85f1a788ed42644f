"""What the service asks of a payment provider. Nothing here knows Stripe's SDK.

Money is a whole number of the currency's smallest unit, times are microseconds since 1970, statuses are the provider's own words.

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
from typing import Final, Protocol

CONTACT_VERSION_FIELD: Final = "contact_version"
"""The metadata key of a customer that says which of the account's versions of e-mail and name it has; absent for the first."""


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
    """The provider refused our own key, or the key may not do this. The call had no effect; earlier ones of the same step may have had
    theirs, so what was set aside is kept here too."""


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
    """A price of the provider's catalogue that says the same as amount and currency; None: priced by the order itself."""


@dataclass(frozen=True, slots=True)
class CheckoutSession:
    """A checkout as it is at the provider now; fits `domain.sales.purchases.CheckoutReport`."""

    session_id: str
    purchase_id: str | None
    """None unless metadata and client reference at the provider name the same purchase."""
    account_id: str | None
    customer_id: str | None
    mode: str
    url: str
    """Empty once the checkout is no longer open."""
    status: str
    """open · complete · expired"""
    payment_status: str
    """unpaid · paid · no_payment_required"""
    payment_intent_id: str | None
    """Known once the customer pays."""
    expire_time_us: int
    amount_subtotal_minor: int
    amount_total_minor: int
    amount_discount_minor: int
    amount_tax_minor: int
    currency: str
    livemode: bool
    amount_shipping_minor: int = 0


@dataclass(frozen=True, slots=True)
class ProviderRefund:
    """A refund as it is at the provider now. Ids of ours are None on refunds that we did not begin."""

    stripe_refund_id: str
    status: str
    """pending · requires_action · succeeded · failed · canceled; empty where the provider says none"""
    amount_minor: int
    currency: str
    payment_intent_id: str | None
    charge_id: str | None
    refund_id: str | None
    purchase_id: str | None
    mark: str = ""
    """Whatever it carries as one; empty for none."""


@dataclass(frozen=True, slots=True)
class ProviderCustomer:
    """A customer as it is at the provider now. E-mail and name are empty where it has none."""

    customer_id: str
    email: str
    name: str
    deleted: bool
    contact_version: int = 0
    """Which of the account's versions of e-mail and name these come from."""


class PaymentProvider(Protocol):
    """All methods raise ProviderRefused or ProviderUnavailable, and nothing else of their own."""

    async def create_customer(
        self, *, account_id: str, email: str, name: str, mark: str, idempotency_key: str, contact_version: int = 0
    ) -> str:
        """The id of the new customer. Empty e-mail and name are left out. Its events carry the version of both."""
        ...

    async def update_customer(self, customer_id: str, *, email: str, name: str, contact_version: int | None) -> None:
        """Gives the customer this e-mail and name, none where empty, and the version that they are of; None keeps that. Safe to repeat:
        the version in every event shows which of several calls came last."""
        ...

    async def get_customer(self, customer_id: str) -> ProviderCustomer:
        """The customer, also a deleted one."""
        ...

    async def create_checkout(self, order: CheckoutOrder) -> CheckoutSession:
        """The open checkout. A price of the provider's catalogue that disagrees with the order is refused as `amount_mismatch`."""
        ...

    async def get_checkout(self, session_id: str) -> CheckoutSession: ...

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
        """`mark`: empty for none."""
        ...

    async def list_refunds(self, payment_intent_id: str) -> list[ProviderRefund]:
        """All refunds of a payment, newest first, also failed and canceled ones and those begun elsewhere."""
        ...

    async def close(self) -> None:
        """Closes connections; no call may follow."""
        ...
