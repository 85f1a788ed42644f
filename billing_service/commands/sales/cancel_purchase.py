"""CancelPurchase: closes the checkout at Stripe first, so that nobody pays for a purchase that was called off.

This is no step of `ledger/provider_step.py`. That step records its intent before Stripe is asked; a cancellation that
was recorded first would stand although the page was paid meanwhile. So nothing is recorded before Stripe has closed the
page, and a crash between the two leaves an open purchase, whose cancellation is asked for again. Stripe's "no" is no
refusal either: it means that the page has ended, and how it ended is applied as an event would be.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256

from billing_service.commands.clawbacks.purchases import purchase_accounts
from billing_service.commands.environment import Environment
from billing_service.commands.sale_terms import terms_of
from billing_service.commands.sales.completion import apply_update
from billing_service.commands.sales.get_purchase import purchase_by_id
from billing_service.commands.sales.payment_step import end_payment
from billing_service.domain.refusals import conflict, stripe_refused
from billing_service.domain.refusals.sales import purchase_not_cancelable
from billing_service.domain.sales.purchases import Purchase, PurchaseStatus, PurchaseUpdate, is_cancelable
from billing_service.ledger.keys import Answer
from billing_service.ledger.provider_step import as_refusals, stripe_failed
from billing_service.ledger.unit import Request, Unit, earlier_answer, once
from billing_service.payments.objects.checkout_session import CheckoutSession
from billing_service.payments.objects.payment_intent import PaymentIntent
from billing_service.payments.ports.outcomes import ProviderRefused, ProviderUnavailable
from billing_service.storage.rows.purchases import read_purchase
from billing_service.storage.statements import Work

_CLOSED = (PurchaseStatus.PENDING, PurchaseStatus.EXPIRED)
"""Closing the checkout may be reported as its expiry before we book the cancellation."""


PAGES_CLOSED_MAX = 3
"""A purchase gets one page, and now and then a second one when its first call had to be resumed."""


@dataclass(frozen=True, slots=True)
class CancelPurchase:
    """A valid request. The key is the account's, which the purchase names."""

    make_request: Callable[[str], Request]
    purchase_id: str
    encode: Callable[[Purchase], bytes]
    follow: Callable[[Purchase, CheckoutSession | PaymentIntent], Awaitable[Purchase]]
    """Applies what Stripe says of the purchase's page or payment, as an event about it would; answers the purchase as
    it is then."""


async def cancel_purchase(environment: Environment, command: CancelPurchase) -> Answer:
    """Raises PURCHASE_NOT_FOUND, PURCHASE_NOT_CANCELABLE, STRIPE_UNAVAILABLE."""
    for _ in range(PAGES_CLOSED_MAX):
        try:
            return await _try_to_cancel(environment, command)
        except _PageOpenedError:
            continue
    raise conflict()


class _PageOpenedError(Exception):
    """CreatePurchase opened a page after we looked: it has to be closed as well."""


async def _try_to_cancel(environment: Environment, command: CancelPurchase) -> Answer:
    purchase = await purchase_by_id(environment, command.purchase_id)
    request = command.make_request(purchase.account_id)
    earlier = await environment.store.read(lambda: earlier_answer(request.key))
    if earlier is not None:
        return earlier
    if not (is_cancelable(purchase.status) or _may_be_closed_by_its_key(purchase)):
        raise purchase_not_cancelable(purchase.purchase_id, purchase.status.value)
    if purchase.checkout_session_id or terms_of(environment, purchase).pays_by_intent:
        closed = await _close(environment, purchase, request)
        if closed is not None:  # paid, promised or run out, and the event is not here yet
            now = await command.follow(purchase, closed)
            raise purchase_not_cancelable(now.purchase_id, now.status.value)
    return await environment.store.write(lambda: _cancel(environment, command, request, purchase))


def _may_be_closed_by_its_key(purchase: Purchase) -> bool:
    """Whether an earlier call of the same key may have closed the page, and Stripe's event of that was written before
    the cancellation. Stripe says so by the key."""
    was_opened = purchase.checkout_session_id or purchase.payment_intent_id
    return purchase.status is PurchaseStatus.EXPIRED and bool(was_opened)


async def _close(
    environment: Environment, purchase: Purchase, request: Request
) -> CheckoutSession | PaymentIntent | None:
    """None when nobody can pay any more, because of this call. Else the page or the payment as it had ended before."""
    if purchase.checkout_session_id:
        return await _close_checkout(environment, purchase, request)
    if not purchase.payment_intent_id:
        return None  # nobody was told of a payment, and nobody will be
    key = f"cancel:{purchase.payment_intent_id}:{sha256(repr(request.key.id).encode()).hexdigest()}"
    with as_refusals():
        intent = await end_payment(environment, purchase.payment_intent_id, key)
    return None if intent.status == "canceled" else intent


async def _close_checkout(environment: Environment, purchase: Purchase, request: Request) -> CheckoutSession | None:
    """None when the page was open, and this call closed it. Else the page as it had ended before."""
    session_id = purchase.checkout_session_id
    # A repeat of this call is answered by Stripe as its first try was: what that one closed, this one has closed.
    key = f"cancel:{session_id}:{sha256(repr(request.key.id).encode()).hexdigest()}"
    try:
        return await _closed(environment, session_id, key)
    except ProviderUnavailable as unavailable:
        if not unavailable.key_spent:
            raise stripe_failed(unavailable) from unavailable
    # Stripe keeps a failure for that key: whether that key closed the page is unknown, so a page that ran out counts as
    # closed by us.
    with as_refusals():
        ended = await _closed(environment, session_id, environment.ids("cancel"))
    return None if ended is None or ended.status == "expired" else ended


async def _closed(environment: Environment, session_id: str, key: str) -> CheckoutSession | None:
    """None when the page was open until now, else as it had ended before. Raises ProviderUnavailable,
    STRIPE_REFUSED."""
    try:
        session = await environment.checkouts.expire_checkout(session_id, key)
    except ProviderRefused as refused:
        try:
            session = await environment.checkouts.get_checkout(session_id)
        except ProviderRefused as unknown:
            raise stripe_refused(unknown.code) from unknown
        if session.status == "open":
            raise stripe_refused(refused.code) from refused
        return session
    return None if session.status == "expired" else session


def _cancel(environment: Environment, command: CancelPurchase, request: Request, seen: Purchase) -> Work[Answer]:
    involved = yield from purchase_accounts(seen.account_id)

    def effect(unit: Unit) -> Work[bytes]:
        purchase = yield from read_purchase(seen.account_id, seen.purchase_id)
        assert purchase is not None
        if purchase.status not in _CLOSED:
            raise purchase_not_cancelable(purchase.purchase_id, purchase.status.value)
        opened = (purchase.checkout_session_id, purchase.payment_intent_id)
        if opened != (seen.checkout_session_id, seen.payment_intent_id):
            raise _PageOpenedError
        yield from apply_update(environment, unit, purchase, PurchaseUpdate.CANCELED)
        return command.encode(purchase)

    return (yield from once(environment.sources, request, involved, effect, detail={"purchase_id": seen.purchase_id}))
