"""One purchase, and all that Stripe has of it: what "paid and got nothing" is answered by."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from billing_service.commands.environment import Environment
from billing_service.commands.sales.get_purchase import purchase_by_id
from billing_service.domain.refusals import Refusal
from billing_service.domain.refusals.sales import purchase_not_found
from billing_service.domain.sales.purchases import Purchase
from billing_service.ledger.provider_step import as_refusals
from billing_service.payments.objects import checkout_session, dispute, early_fraud_warning, payment_intent, refund
from billing_service.payments.objects.fields import own_text
from billing_service.payments.ports.outcomes import ProviderRefused
from billing_service.reconcile.findings import Finding
from billing_service.reconcile.pace import Pace
from billing_service.reconcile.run import Reconciler
from billing_service.storage.rows.purchases import refunds_of

StripeObject = Mapping[str, Any]
OF_A_PAYMENT: Final = (refund.KIND, dispute.KIND, early_fraud_warning.KIND)
_CHECKOUT, _PAYMENT = "cs_", "pi_"
"""How Stripe's ids begin."""
_MISSING: Final = "resource_missing"


class Examined(NamedTuple):
    """What was found of one purchase."""

    objects: Sequence[tuple[str, StripeObject]]
    """Kind and object, as Stripe has them now."""
    findings: Sequence[Finding]


async def examine(
    environment: Environment, pace: Pace, reconciler: Reconciler, reference: str, *, dry_run: bool
) -> Examined:
    """Compares one purchase. Raises PURCHASE_NOT_FOUND where neither the ledger nor Stripe knows it, and Failure."""
    purchase = await _known(environment, reference)
    with as_refusals():
        objects = await _Asking(environment, pace).objects(purchase, reference)
        if purchase is None and not objects:
            raise purchase_not_found(reference)
        findings: list[Finding] = []
        for kind in (checkout_session.KIND, payment_intent.KIND, *OF_A_PAYMENT):
            found = [about for each, about in objects if each == kind]
            findings += await reconciler.compare(kind, found, dry_run=dry_run)
        if purchase is not None:
            for kept in await environment.store.read(lambda: refunds_of(purchase)):
                if kept.is_unsent:
                    findings += await reconciler.send(kept, dry_run=dry_run)
    return Examined(objects, findings)


async def _known(environment: Environment, reference: str) -> Purchase | None:
    try:
        return await purchase_by_id(environment, reference)
    except Refusal:
        return None


class _Asking:
    """Asks Stripe for what belongs to one purchase."""

    def __init__(self, environment: Environment, pace: Pace) -> None:
        self._listings = environment.listings
        self._pace = pace

    async def objects(self, purchase: Purchase | None, reference: str) -> list[tuple[str, StripeObject]]:
        """The newest refund, dispute or warning first."""
        session = await self._get(checkout_session.KIND, _session_of(purchase, reference))
        known = purchase.payment_intent_id if purchase is not None else ""
        payment_id = known or _payment_of(session) or (reference if reference.startswith(_PAYMENT) else "")
        payment = await self._get(payment_intent.KIND, payment_id)
        if session is None and payment is not None:
            listed = await self._of_payment(checkout_session.KIND, payment_id)
            session = listed[0] if listed else None
        found = [(checkout_session.KIND, session), (payment_intent.KIND, payment)]
        objects = [(kind, about) for kind, about in found if about is not None]
        if payment is not None:
            for kind in OF_A_PAYMENT:
                objects += [(kind, about) for about in await self._of_payment(kind, payment_id)]
        return objects

    async def _get(self, kind: str, object_id: str) -> StripeObject | None:
        if not object_id:
            return None
        try:
            return await self._pace.ask(lambda: self._listings.get_object(kind, object_id))
        except ProviderRefused as refused:
            if refused.code != _MISSING:
                raise
            return None

    async def _of_payment(self, kind: str, payment_intent_id: str) -> Sequence[StripeObject]:
        page = await self._pace.ask(lambda: self._listings.list_of_payment(kind, payment_intent_id))
        return page.objects


def _session_of(purchase: Purchase | None, reference: str) -> str:
    known = "" if purchase is None else purchase.checkout_session_id
    return known or (reference if reference.startswith(_CHECKOUT) else "")


def _payment_of(session: StripeObject | None) -> str:
    about = session.get("payment_intent") if session is not None else None
    return own_text(about.get("id") if isinstance(about, Mapping) else about) or ""
