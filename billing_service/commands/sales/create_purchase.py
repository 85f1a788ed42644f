"""CreatePurchase: the row first, then Stripe, then the page's address. A crash between two steps is healed by the same key."""

from collections.abc import Callable
from dataclasses import dataclass

import orjson
import structlog

from billing_service.commands.accounts.customers import ensure_customer, forget_customer, stripe_failed, stripe_refused
from billing_service.commands.environment import Environment
from billing_service.commands.sale_terms import terms_of, todays_terms
from billing_service.domain.catalogue.packages import PurchaseItem
from billing_service.domain.deployment import MarkKind
from billing_service.domain.sales.purchases import Purchase, PurchaseStatus, PurchaseUpdate, may_be_opened, next_status
from billing_service.ledger.keys import Answer
from billing_service.ledger.unit import Request, Unit, answer_begun, audit, begin, find_key, record_key
from billing_service.payments.objects.checkout_session import CheckoutSession
from billing_service.payments.port import CheckoutOrder, ProviderRefused, ProviderUnavailable
from billing_service.storage.rows.keys import answer_key, find_keys, free_key
from billing_service.storage.rows.purchases import PURCHASES, claim_reference, find_purchase, read_purchase
from billing_service.storage.statements import Work

log = structlog.get_logger(__name__)

CHECKOUT_AHEAD_MIN_US = 40 * 60 * 1_000_000
"""Stripe opens no page that runs out within 30 minutes of its own clock; the rest is for the difference and the way there."""


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


async def create_purchase(environment: Environment, command: CreatePurchase) -> Answer:
    """Raises STRIPE_REFUSED, after which the key is free again, and STRIPE_UNAVAILABLE, after which the key resumes."""
    begun = await environment.store.write(lambda: _begin(environment, command))
    if isinstance(begun, Answer):
        return begun
    purchase, request = begun, command.request_in(begun.currency)
    try:
        session = await _ask_stripe(environment, purchase)
    except ProviderRefused as refused:
        log.warning(
            "checkout_refused",
            account_id=purchase.account_id,
            purchase_id=purchase.purchase_id,
            code=refused.code,
            message=refused.message,
        )
        await environment.store.write(lambda: _give_up(environment, request, purchase.purchase_id))
        raise stripe_refused(refused) from refused
    except ProviderUnavailable as unavailable:
        if unavailable.key_spent:
            await environment.store.write(lambda: _next_attempt(environment, purchase))
        raise stripe_failed(unavailable) from unavailable
    return await environment.store.write(lambda: _open(environment, request, command.encode, purchase.purchase_id, session))


def _begin(environment: Environment, command: CreatePurchase) -> Work[Purchase | Answer]:
    unit = yield from begin(environment.sources, [command.account_id], make_missing=True)
    begun = yield from _begun(environment, unit, command)
    if begun is not None:
        return begun
    item, terms = command.item(), environment.terms
    request = command.request_in(item.currency)
    purchase = Purchase(
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
        terms=todays_terms(environment, item.stripe_price_id).encode(),
    )
    yield from PURCHASES.add(purchase)
    yield from claim_reference(purchase.purchase_id, purchase.account_id, purchase.purchase_id)
    yield from record_key(unit, request.key, None, purchase.purchase_id)
    detail = {"purchase_id": purchase.purchase_id, "package_code": item.package_code, "amount_minor": item.amount_minor}
    yield from audit(unit, request.caller, command.account_id, detail)
    return purchase


def _begun(environment: Environment, unit: Unit, command: CreatePurchase) -> Work[Purchase | Answer | None]:
    """What the key has begun or answered already. An empty currency means what it meant then, whatever the catalogue's is by now."""
    key_id = command.request_in("").key.id
    stored = (yield from find_keys([key_id])).get(key_id)
    if stored is None:
        return None
    purchase = yield from read_purchase(command.account_id, stored.resource_id)
    assert purchase is not None, "a key that has begun names its purchase"
    command.request_in(purchase.currency).key.check(stored)
    if stored.reply is not None:
        return Answer(stored.reply, replayed=True)
    if may_be_opened(purchase.status):
        yield from _renew(environment, unit, purchase)
        return purchase
    # Called off before Stripe answered: no page is opened for it any more.
    reply = command.encode(purchase)
    yield from answer_key(key_id, reply)
    return Answer(reply, replayed=False)


def _renew(environment: Environment, unit: Unit, purchase: Purchase) -> Work[None]:
    """Gives a purchase whose page ran out unseen, or would be refused for running out too soon, a new page under a new key."""
    if purchase.status is PurchaseStatus.PENDING and purchase.expire_time_us - unit.now_us >= CHECKOUT_AHEAD_MIN_US:
        return
    purchase.status = PurchaseStatus.PENDING
    purchase.attempt += 1
    purchase.checkout_session_id = ""
    purchase.expire_time_us = unit.now_us + environment.terms.checkout_lifetime_us
    yield from PURCHASES.replace(purchase)


async def _ask_stripe(environment: Environment, purchase: Purchase) -> CheckoutSession:
    """Opens the checkout; once more with a new customer when Stripe knows the account's no longer."""
    customer_id = await _customer(environment, purchase.account_id)
    try:
        return await environment.provider.create_checkout(_order(environment, purchase, customer_id))
    except ProviderRefused as refused:
        if customer_id is None or (refused.code, refused.param) != ("resource_missing", "customer"):
            raise
    gone = customer_id
    log.warning("customer_missing_at_stripe", account_id=purchase.account_id, customer_id=gone)
    await environment.store.write(lambda: forget_customer(environment, purchase.account_id, gone))
    customer_id = await _customer(environment, purchase.account_id)
    return await environment.provider.create_checkout(_order(environment, purchase, customer_id))


async def _customer(environment: Environment, account_id: str) -> str | None:
    """The account's customer; None where Stripe refuses its address, which must stop nobody from paying: the page asks for one."""
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


def _open(
    environment: Environment, request: Request, encode: Callable[[Purchase], bytes], purchase_id: str, session: CheckoutSession
) -> Work[Answer]:
    unit = yield from begin(environment.sources, [request.key.account_id])
    stored = yield from find_key(request.key)
    if stored is not None and stored.resource_id == purchase_id and stored.reply is not None:
        return Answer(stored.reply, replayed=True)
    purchase = yield from read_purchase(request.key.account_id, purchase_id)
    assert purchase is not None
    told = yield from find_purchase(session.session_id)
    if purchase.status is PurchaseStatus.EXPIRED and purchase.attempt and told is None:
        purchase.status = PurchaseStatus.PENDING  # the page of an earlier attempt, which nobody saw, ran out while Stripe was asked
    # A page that was paid already stays the purchase's, though this call was resumed with another one.
    purchase.checkout_session_id = purchase.checkout_session_id or session.session_id
    # Called off while Stripe was asked: nobody is sent to the page, which runs out by itself.
    purchase.checkout_url = session.url if purchase.status is PurchaseStatus.PENDING else ""
    purchase.expire_time_us = session.expire_time_us or purchase.expire_time_us
    yield from PURCHASES.replace(purchase)
    yield from claim_reference(session.session_id, purchase.account_id, purchase_id)
    reply = encode(purchase)
    yield from answer_begun(unit, request.key, stored, reply, purchase_id)
    return Answer(reply, replayed=False)


def _give_up(environment: Environment, request: Request, purchase_id: str) -> Work[None]:
    yield from begin(environment.sources, [request.key.account_id])
    stored = yield from find_key(request.key)
    purchase = yield from read_purchase(request.key.account_id, purchase_id)
    if purchase is None or stored is None or stored.reply is not None or stored.resource_id != purchase_id:
        return
    purchase.status = next_status(purchase.status, PurchaseUpdate.CHECKOUT_REFUSED)
    yield from PURCHASES.replace(purchase)
    yield from free_key(request.key.id)


def _next_attempt(environment: Environment, seen: Purchase) -> Work[None]:
    """Stripe replays a stored failure for this key: the next try needs another one. Only the first to notice moves on."""
    yield from begin(environment.sources, [seen.account_id])
    purchase = yield from read_purchase(seen.account_id, seen.purchase_id)
    if purchase is not None and purchase.attempt == seen.attempt:
        purchase.attempt += 1
        yield from PURCHASES.replace(purchase)


def metadata_text(metadata: dict[str, str]) -> str:
    """Metadata as it is kept; empty for none."""
    return orjson.dumps(metadata, option=orjson.OPT_SORT_KEYS).decode() if metadata else ""
