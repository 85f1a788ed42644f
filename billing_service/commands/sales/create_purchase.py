"""CreatePurchase: the row first, then Stripe, then the page's address. A crash between two steps is healed by the same
key."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import orjson
import structlog

from billing_service.commands.accounts.customers import ensure_customer, forget_customer
from billing_service.commands.environment import Environment
from billing_service.commands.sale_terms import terms_of, todays_terms
from billing_service.commands.sales.payment_step import ask_for_payment, bind_payment
from billing_service.domain.catalogue.packages import PurchaseItem
from billing_service.domain.deployment import MarkKind
from billing_service.domain.sales.purchases import Purchase, PurchaseStatus, PurchaseUpdate, may_be_opened, next_status
from billing_service.domain.times import US_PER_S
from billing_service.ledger.keys import Answer, IdempotencyKey
from billing_service.ledger.provider_step import (
    Begun,
    Recorded,
    as_refusals,
    give_up_intent,
    provider_step,
    record_intent,
    settle_intent,
)
from billing_service.ledger.unit import Request, Unit, begin
from billing_service.payments.objects.checkout_session import CheckoutSession
from billing_service.payments.objects.payment_intent import PaymentIntent
from billing_service.payments.ports.checkouts import CheckoutOrder
from billing_service.payments.ports.outcomes import ProviderRefused
from billing_service.storage.rows.purchases import PURCHASES, claim_reference, find_purchase, read_purchase
from billing_service.storage.statements import Work

log = structlog.get_logger(__name__)

CHECKOUT_AHEAD_MIN_US = 40 * 60 * US_PER_S
"""Stripe opens no page that runs out within 30 minutes of its own clock; the rest is for the difference and the way
there."""


@dataclass(frozen=True, slots=True)
class CreatePurchase:
    """A valid request."""

    request_in: Callable[[str], Request]
    """The request, an empty currency of it read as the one given."""
    account_id: str
    item: Callable[[], PurchaseItem]
    """What is sold. Asked only for a new purchase: a repeat gets its answer whatever the catalogue says by then."""
    success_url: str
    cancel_url: str
    metadata: str
    encode: Callable[[Purchase], bytes]
    pays_by_intent: bool = False
    """Whether the customer pays in the caller's own page."""


Asked = CheckoutSession | PaymentIntent
"""What a purchase asks Stripe for."""


async def create_purchase(environment: Environment, command: CreatePurchase) -> Answer:
    """Raises STRIPE_REFUSED, after which the key is free again, and STRIPE_UNAVAILABLE, after which the key resumes."""
    store = environment.store

    async def begin_purchase() -> Begun[Purchase] | Answer:
        return await store.write(lambda: _begin(environment, command))

    async def settle(purchase: Purchase, asked: Asked) -> Answer:
        return await store.write(lambda: _open(environment, command, purchase, asked))

    async def give_up(purchase: Purchase, refused: ProviderRefused) -> None:
        about = {"account_id": purchase.account_id, "purchase_id": purchase.purchase_id}
        log.warning("checkout_refused", **about, code=refused.code, message=refused.message)
        await store.write(lambda: _give_up(environment, command, purchase))

    async def next_attempt(purchase: Purchase) -> Purchase:
        await store.write(lambda: _next_attempt(environment, purchase))
        return purchase

    with as_refusals():
        return await provider_step(
            begin=begin_purchase,
            ask=partial(_ask_stripe, environment),
            settle=settle,
            give_up=give_up,
            next_attempt=next_attempt,
        )


def _begin(environment: Environment, command: CreatePurchase) -> Work[Begun[Purchase] | Answer]:
    def start(unit: Unit) -> Work[Recorded[Purchase]]:
        item = command.item()
        purchase = _purchase(environment, unit, command, item)
        yield from PURCHASES.add(purchase)
        yield from claim_reference(purchase.purchase_id, purchase.account_id, purchase.purchase_id)
        unit.detail |= {
            "purchase_id": purchase.purchase_id,
            "package_code": item.package_code,
            "amount_minor": item.amount_minor,
        }
        return Recorded(purchase, command.request_in(item.currency), purchase.purchase_id)

    def resume(unit: Unit, purchase_id: str) -> Work[Purchase | bytes]:
        purchase = yield from _purchase_begun(command, purchase_id)
        if not may_be_opened(purchase.status):  # called off before Stripe answered: no page is opened for it any more
            return command.encode(purchase)
        yield from _renew(environment, unit, purchase)
        return purchase

    def key_as_begun(purchase_id: str) -> Work[IdempotencyKey]:
        """An empty currency means what it meant then, whatever the catalogue's is by now."""
        purchase = yield from _purchase_begun(command, purchase_id)
        return command.request_in(purchase.currency).key

    key_id = command.request_in("").key.id
    return (
        yield from record_intent(
            environment.sources,
            [command.account_id],
            key_id,
            start=start,
            resume=resume,
            key=key_as_begun,
            make_missing=True,
        )
    )


def _purchase_begun(command: CreatePurchase, purchase_id: str) -> Work[Purchase]:
    purchase = yield from read_purchase(command.account_id, purchase_id)
    assert purchase is not None, "a key that has begun names its purchase"
    return purchase


def _purchase(environment: Environment, unit: Unit, command: CreatePurchase, item: PurchaseItem) -> Purchase:
    terms = environment.terms
    return Purchase(
        account_id=command.account_id,
        purchase_id=unit.ids("pur"),
        package_code=item.package_code,
        name=item.name,
        description=item.description,
        credits=item.credits_microcredits,
        amount_minor=item.amount_minor,
        currency=item.currency,
        status=PurchaseStatus.PENDING,
        attempt=0,
        checkout_session_id="",
        checkout_url="",
        payment_intent_id="",
        paid_minor=0,
        refunded_minor=0,
        disputed_minor=0,
        reversed=0,
        lot_id="",
        success_url=command.success_url or terms.success_url,
        cancel_url=command.cancel_url or terms.cancel_url,
        metadata=command.metadata,
        create_time_us=unit.now_us,
        expire_time_us=unit.now_us + terms.checkout_lifetime_us,
        complete_time_us=None,
        terms=todays_terms(environment, item.stripe_price_id, pays_by_intent=command.pays_by_intent).encode(),
    )


def _renew(environment: Environment, unit: Unit, purchase: Purchase) -> Work[None]:
    """Gives a purchase whose page ran out unseen, or would be refused for running out too soon, a new page under a new
    key."""
    if purchase.status is PurchaseStatus.PENDING and purchase.expire_time_us - unit.now_us >= CHECKOUT_AHEAD_MIN_US:
        return
    purchase.status = PurchaseStatus.PENDING
    purchase.attempt += 1
    purchase.checkout_session_id = ""
    purchase.expire_time_us = unit.now_us + environment.terms.checkout_lifetime_us
    yield from PURCHASES.replace(purchase)


async def _ask_stripe(environment: Environment, purchase: Purchase) -> Asked:
    """Opens the checkout, or asks for the payment; once more with a new customer when Stripe knows the account's no
    longer."""
    customer_id = await _customer(environment, purchase.account_id)
    try:
        return await _ask_with(environment, purchase, customer_id)
    except ProviderRefused as refused:
        if customer_id is None or (refused.code, refused.param) != ("resource_missing", "customer"):
            raise
    gone = customer_id
    log.warning("customer_missing_at_stripe", account_id=purchase.account_id, customer_id=gone)
    await environment.store.write(lambda: forget_customer(environment, purchase.account_id, gone))
    customer_id = await _customer(environment, purchase.account_id)
    return await _ask_with(environment, purchase, customer_id)


async def _ask_with(environment: Environment, purchase: Purchase, customer_id: str | None) -> Asked:
    if terms_of(environment, purchase).pays_by_intent:
        return await ask_for_payment(environment, purchase, customer_id)
    return await environment.checkouts.create_checkout(_order(environment, purchase, customer_id))


async def _customer(environment: Environment, account_id: str) -> str | None:
    """The account's customer; None where Stripe refuses its address, which must stop nobody from paying: the page asks
    for one."""
    try:
        return await ensure_customer(environment, account_id)
    except ProviderRefused as refused:
        if refused.code != "email_invalid":
            raise
    log.warning("customer_refused_for_its_address", account_id=account_id)
    return None


def _order(environment: Environment, purchase: Purchase, customer_id: str | None) -> CheckoutOrder:
    """All from the row, so that a resumed call says the same as the first."""
    terms = terms_of(environment, purchase)
    mark = environment.deployment.mark(MarkKind.PURCHASE, purchase.purchase_id)
    return CheckoutOrder(
        purchase_id=purchase.purchase_id,
        account_id=purchase.account_id,
        customer_id=customer_id,
        name=purchase.name,
        description=purchase.description,
        amount_minor=purchase.amount_minor,
        currency=purchase.currency,
        success_url=purchase.success_url,
        cancel_url=purchase.cancel_url,
        expire_time_us=purchase.expire_time_us,
        # The mark in it: a ledger restored for another deployment opens a page of its own.
        idempotency_key=f"checkout:{purchase.purchase_id}:{purchase.attempt}:{customer_id or ''}:{mark}",
        mark=mark,
        metadata=orjson.loads(purchase.metadata) if purchase.metadata else {},
        allow_promotion_codes=terms.promotion_codes_allowed,
        stripe_price_id=terms.stripe_price_id,
    )


def _open(environment: Environment, command: CreatePurchase, begun: Purchase, session: Asked) -> Work[Answer]:
    def effect(_unit: Unit) -> Work[bytes]:
        purchase = yield from _purchase_begun(command, begun.purchase_id)
        if isinstance(session, PaymentIntent):
            yield from bind_payment(purchase, session)
            return command.encode(purchase)
        told = yield from find_purchase(session.session_id)
        if purchase.status is PurchaseStatus.EXPIRED and purchase.attempt and told is None:
            # the page of an earlier attempt, which nobody saw, ran out while Stripe was asked
            purchase.status = PurchaseStatus.PENDING
        # A page that was paid already stays the purchase's, though this call was resumed with another one.
        purchase.checkout_session_id = purchase.checkout_session_id or session.session_id
        # Called off while Stripe was asked: nobody is sent to the page, which runs out by itself.
        purchase.checkout_url = session.url if purchase.status is PurchaseStatus.PENDING else ""
        purchase.expire_time_us = session.expire_time_us or purchase.expire_time_us
        yield from PURCHASES.replace(purchase)
        yield from claim_reference(session.session_id, purchase.account_id, purchase.purchase_id)
        return command.encode(purchase)

    request = command.request_in(begun.currency)
    return (yield from settle_intent(environment.sources, [begun.account_id], request, begun.purchase_id, effect))


def _give_up(environment: Environment, command: CreatePurchase, begun: Purchase) -> Work[None]:
    def undo(_unit: Unit) -> Work[None]:
        purchase = yield from _purchase_begun(command, begun.purchase_id)
        purchase.status = next_status(purchase.status, PurchaseUpdate.CHECKOUT_REFUSED)
        yield from PURCHASES.replace(purchase)

    request = command.request_in(begun.currency)
    yield from give_up_intent(environment.sources, [begun.account_id], request, begun.purchase_id, undo)


def _next_attempt(environment: Environment, seen: Purchase) -> Work[None]:
    """Stripe replays a stored failure for this key: the next try needs another one. Only the first to notice moves
    on."""
    yield from begin(environment.sources, [seen.account_id])
    purchase = yield from read_purchase(seen.account_id, seen.purchase_id)
    if purchase is not None and purchase.attempt == seen.attempt:
        purchase.attempt += 1
        yield from PURCHASES.replace(purchase)
