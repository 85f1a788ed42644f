"""The state of a purchase, and whether a payment that was reported for it is the one that was sold.

Money that went back is no state of a purchase: see `domain.sales.reversals`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

from billing_service.domain.sales.disputes import NO_FLAGS, PurchaseFlags


class PurchaseStatus(StrEnum):
    """The wire's names without their prefix."""

    PENDING = "PENDING"
    AWAITING_FUNDS = "AWAITING_FUNDS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    CANCELED = "CANCELED"


class PurchaseUpdate(StrEnum):
    """What can be learned about a purchase: from Stripe, in any order and any number of times, or from our own
    caller."""

    PAID = "PAID"
    """The money is there, or none is needed."""
    FUNDS_PROMISED = "FUNDS_PROMISED"
    """The customer completed the checkout with a payment method that pays later."""
    PAYMENT_FAILED = "PAYMENT_FAILED"
    """The delayed payment did not come."""
    CHECKOUT_REFUSED = "CHECKOUT_REFUSED"
    """Stripe would not open a checkout."""
    CHECKOUT_EXPIRED = "CHECKOUT_EXPIRED"
    CANCELED = "CANCELED"
    """Called off by CancelPurchase after its checkout was closed."""


def _transitions() -> Mapping[tuple[PurchaseStatus, PurchaseUpdate], PurchaseStatus]:
    status, update = PurchaseStatus, PurchaseUpdate
    awaiting, completed, failed, expired, canceled = (
        status.AWAITING_FUNDS,
        status.COMPLETED,
        status.FAILED,
        status.EXPIRED,
        status.CANCELED,
    )
    columns = (
        update.PAID,
        update.FUNDS_PROMISED,
        update.PAYMENT_FAILED,
        update.CHECKOUT_REFUSED,
        update.CHECKOUT_EXPIRED,
        update.CANCELED,
    )
    rows = {
        status.PENDING: (completed, awaiting, failed, failed, expired, canceled),
        expired: (completed, awaiting, failed, expired, expired, canceled),
        canceled: (completed, awaiting, failed, canceled, canceled, canceled),
        awaiting: (completed, awaiting, failed, awaiting, awaiting, awaiting),
        failed: (completed, failed, failed, failed, failed, failed),
        completed: (completed,) * len(columns),
    }
    return MappingProxyType(
        {(before, update): after for before, row in rows.items() for update, after in zip(columns, row, strict=True)}
    )


TRANSITIONS: Final = _transitions()
"""Total: each status and update. COMPLETED is for good, money that comes late wins over every other end, and the order
of Stripe's news does not matter. EXPIRED gives way to CANCELED because CancelPurchase closes the checkout, which Stripe
may report first."""


def next_status(before: PurchaseStatus, update: PurchaseUpdate) -> PurchaseStatus:
    """The status of the purchase after the update."""
    return TRANSITIONS[before, update]


def may_be_opened(status: PurchaseStatus) -> bool:
    """Whether a CreatePurchase that was never answered may still open a page. One that ran out meanwhile was seen by
    nobody."""
    return status in (PurchaseStatus.PENDING, PurchaseStatus.EXPIRED)


def is_cancelable(status: PurchaseStatus) -> bool:
    """Whether CancelPurchase may call it off: only while nobody paid or promised to."""
    return status is PurchaseStatus.PENDING


@dataclass(frozen=True, slots=True)
class PurchaseSnapshot:
    """What was sold, fixed when the purchase was made. `checkout_session_id` is None until Stripe's answer was
    stored."""

    purchase_id: str
    account_id: str
    amount_minor: int
    currency: str
    checkout_session_id: str | None


class CheckoutReport(Protocol):
    """A Checkout Session as Stripe reports it, in an event or when asked. Texts are Stripe's own words; money in the
    smallest unit."""

    @property
    def session_id(self) -> str: ...
    @property
    def purchase_id(self) -> str | None: ...
    @property
    def account_id(self) -> str | None: ...
    @property
    def mode(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def payment_status(self) -> str: ...
    @property
    def amount_subtotal_minor(self) -> int | None: ...
    @property
    def amount_total_minor(self) -> int | None: ...
    @property
    def amount_discount_minor(self) -> int: ...
    @property
    def amount_tax_minor(self) -> int: ...
    @property
    def amount_shipping_minor(self) -> int: ...
    @property
    def currency(self) -> str | None: ...
    @property
    def livemode(self) -> bool | None: ...


class PaymentReport(Protocol):
    """A payment that succeeded, as Stripe reports it; ids of ours are None where it names none."""

    @property
    def purchase_id(self) -> str | None: ...
    @property
    def account_id(self) -> str | None: ...
    @property
    def amount_minor(self) -> int | None: ...
    @property
    def currency(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was sold."""

    field: str
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why a report must not grant anything: quarantine and alarm."""

    differences: tuple[Difference, ...]

    def __str__(self) -> str:
        return "; ".join(f"{d.field}: expected {d.expected}, got {d.actual}" for d in self.differences)


def checkout_update(report: CheckoutReport) -> PurchaseUpdate | None:
    """What a session says about its purchase; None while the customer has not finished.

    A session that is still open is never paid, even when nothing is to pay: the customer has yet to confirm.
    Only an event says that a delayed payment failed; the session never does.
    """
    if report.status == "expired":
        return PurchaseUpdate.CHECKOUT_EXPIRED
    if report.status != "complete":
        return None
    return (
        PurchaseUpdate.PAID
        if report.payment_status in {"paid", "no_payment_required"}
        else PurchaseUpdate.FUNDS_PROMISED
    )


def paid_for_credits_minor(report: CheckoutReport) -> int:
    """What the customer paid for the credits themselves, without tax and shipping; never more than was paid in all."""
    return max(
        0, min(report.amount_total_minor or 0, (report.amount_subtotal_minor or 0) - report.amount_discount_minor)
    )


def check_payment(
    snapshot: PurchaseSnapshot, report: CheckoutReport, *, livemode_expected: bool, promotion_codes_allowed: bool
) -> Mismatch | None:
    """None when the reported session is the one that was sold, else everything that differs.

    The total may be lower than the price by a discount where promotion codes are allowed, and higher by tax and
    shipping alone.
    """
    expected_actual = [
        ("livemode", livemode_expected, report.livemode),
        ("purchase_id", snapshot.purchase_id, report.purchase_id),
        ("account_id", snapshot.account_id, report.account_id),
        ("mode", "payment", report.mode),
        ("currency", snapshot.currency, report.currency),
        ("amount_subtotal", snapshot.amount_minor, report.amount_subtotal_minor),
    ]
    if snapshot.checkout_session_id is not None:
        expected_actual.append(("session_id", snapshot.checkout_session_id, report.session_id))
    differences = [
        Difference(field, str(expected), str(actual))
        for field, expected, actual in expected_actual
        if expected != actual
    ]
    if report.amount_discount_minor > 0 and not promotion_codes_allowed:
        differences.append(Difference("amount_discount", "0", str(report.amount_discount_minor)))
    lowest_minor = max(0, snapshot.amount_minor - report.amount_discount_minor)
    highest_minor = lowest_minor + report.amount_tax_minor + report.amount_shipping_minor
    if report.amount_total_minor is None or not lowest_minor <= report.amount_total_minor <= highest_minor:
        differences.append(
            Difference("amount_total", f"{lowest_minor} to {highest_minor}", str(report.amount_total_minor))
        )
    if report.payment_status == "no_payment_required" and report.amount_total_minor != 0:
        differences.append(Difference("payment_status", "paid", report.payment_status))
    return Mismatch(tuple(differences)) if differences else None


def check_intent(
    snapshot: PurchaseSnapshot, report: PaymentReport, *, promotion_codes_allowed: bool
) -> Mismatch | None:
    """None when a payment that succeeded may be the purchase's, else everything that differs.

    A payment knows nothing of taxes and discounts, so it may be higher than the price, and lower where promotion codes
    are allowed.
    """
    expected_actual = [("currency", snapshot.currency, str(report.currency))]
    if report.purchase_id is not None:
        expected_actual.append(("purchase_id", snapshot.purchase_id, report.purchase_id))
    if report.account_id is not None:
        expected_actual.append(("account_id", snapshot.account_id, report.account_id))
    differences = [
        Difference(field, expected, actual) for field, expected, actual in expected_actual if expected != actual
    ]
    if report.amount_minor is None or (report.amount_minor < snapshot.amount_minor and not promotion_codes_allowed):
        differences.append(Difference("amount", f"{snapshot.amount_minor} or more", str(report.amount_minor)))
    return Mismatch(tuple(differences)) if differences else None


@dataclass(slots=True)
class Purchase:
    """One sale of credits, with the snapshot of what was sold. Credits in microcredits, money in the smallest unit."""

    account_id: str
    purchase_id: str
    package_code: str
    name: str
    description: str
    credits: int
    amount_minor: int
    currency: str
    status: PurchaseStatus
    attempt: int
    checkout_session_id: str
    checkout_url: str
    payment_intent_id: str
    paid_minor: int
    refunded_minor: int
    disputed_minor: int
    reversed: int
    lot_id: str
    success_url: str
    cancel_url: str
    metadata: str
    create_time_us: int
    expire_time_us: int
    complete_time_us: int | None
    net_paid_minor: int | None = None
    """What was paid for the credits themselves, without tax and shipping; None before completion and on rows older than
    it."""
    payment_time_us: int | None = None
    """When Stripe first reported the payment's success."""
    reversed_debt: int = 0
    """The part of `reversed` that became debt."""
    reversed_expired: int = 0
    """The part of `reversed` that had expired before it was taken."""
    terms: str = ""
    """What held when the page was opened, as JSON; empty on rows older than it."""
    flags: PurchaseFlags = NO_FLAGS
    """What a person should know of it."""

    @property
    def paid_for_credits_minor(self) -> int:
        """What was paid for the credits; on older rows the price, as far as it was paid."""
        return min(self.paid_minor, self.amount_minor) if self.net_paid_minor is None else self.net_paid_minor
