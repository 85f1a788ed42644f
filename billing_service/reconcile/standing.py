"""Whether the ledger has an object as Stripe has it. Decided of many at once, by a read without a lock: what does not
stand is looked at again under one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from billing_service.commands.sales.refund_update import status_of
from billing_service.domain.sales.disputes import PurchaseFlags
from billing_service.domain.sales.purchases import PurchaseStatus
from billing_service.payments.objects import checkout_session, customer, dispute, early_fraud_warning, payment_intent
from billing_service.payments.objects import refund as refunds
from billing_service.payments.objects.fields import ObjectInvalid
from billing_service.storage.rows.reconciling import Known, read_known
from billing_service.storage.statements import Work
from billing_service.stripe_events.envelope import Envelope
from billing_service.stripe_events.families import payment_intent as payments
from billing_service.stripe_events.ownership import Claim, read_claim

_FUNDS_FOLLOWED: Final = frozenset({PurchaseStatus.AWAITING_FUNDS, PurchaseStatus.FAILED, PurchaseStatus.COMPLETED})


class Listed(NamedTuple):
    """An object that has something to tell."""

    kind: str
    envelope: Envelope
    claim: Claim

    @property
    def reference(self) -> str:
        """What finds its purchase."""
        by_itself = self.kind in (checkout_session.KIND, payment_intent.KIND)
        return self.claim.stripe_id if by_itself else self.claim.payment_intent_id


def listed(kind: str, envelope: Envelope) -> Listed:
    return Listed(kind, envelope, read_claim(envelope))


def differing(found: Sequence[Listed]) -> Work[list[Listed]]:
    """Those that the ledger may have otherwise, in their order."""
    known = yield from read_known(
        _of(found, lambda each: each.kind != customer.KIND, lambda each: each.reference),
        _of(found, lambda each: each.kind == refunds.KIND, lambda each: each.claim.stripe_id),
        _of(found, lambda each: each.kind == dispute.KIND, lambda each: each.reference),
        _of(found, lambda each: each.kind == customer.KIND, lambda each: each.claim.stripe_id),
    )
    return [each for each in found if not _stands(each, known)]


def _of(found: Iterable[Listed], chosen: Callable[[Listed], bool], name: Callable[[Listed], str]) -> list[str]:
    return sorted({name(each) for each in found if chosen(each)} - {""})


def _stands(each: Listed, known: Known) -> bool:
    if not _is_known(each, known):
        # Another product's, unless it says that it is ours: the handler decides whether that is true.
        claim = each.claim
        if each.kind == payment_intent.KIND and each.envelope.event_type != payments.SUCCEEDED:
            return True  # of a checkout, or of a purchase whose payment nobody was told of
        return not (claim.purchase_id or claim.refund_id or claim.account_id or claim.mark)
    try:
        return _STANDS[each.kind](each, known)
    except ObjectInvalid:
        return False


def _is_known(each: Listed, known: Known) -> bool:
    if each.kind == customer.KIND:
        return each.claim.stripe_id in known.profiles
    return each.reference in known.purchases


def _checkout(each: Listed, known: Known) -> bool:
    purchase = known.purchases[each.reference]
    session = checkout_session.read_checkout_session(each.envelope.object)
    if session.status == "expired":
        return purchase.status is not PurchaseStatus.PENDING
    if purchase.checkout_session_id != session.session_id:
        return False
    if each.envelope.event_type.endswith("failed"):
        return purchase.status in (PurchaseStatus.FAILED, PurchaseStatus.COMPLETED)
    if session.payment_status == "unpaid":
        return purchase.status in _FUNDS_FOLLOWED
    bound = session.payment_intent_id in (None, purchase.payment_intent_id)
    return purchase.status is PurchaseStatus.COMPLETED and bound


def _payment(each: Listed, known: Known) -> bool:
    purchase = known.purchases[each.reference]
    status = each.envelope.object.get("status")
    if status == "canceled":
        return purchase.status is not PurchaseStatus.PENDING
    if status == "processing":
        return purchase.status in _FUNDS_FOLLOWED
    if status == "requires_payment_method":
        return purchase.status is not PurchaseStatus.AWAITING_FUNDS
    return purchase.status is PurchaseStatus.COMPLETED and (
        purchase.payment_time_us is not None and purchase.payment_intent_id == each.claim.stripe_id
    )


def _refund(each: Listed, known: Known) -> bool:
    sent = refunds.read_refund(each.envelope.object)
    sent.require("amount_minor", "currency", "status")
    if sent.amount_minor == 0:
        return True
    kept = known.refunds.get(sent.stripe_refund_id)
    return kept is not None and status_of(sent).rank <= kept.status.rank


def _dispute(each: Listed, known: Known) -> bool:
    sent = dispute.read_dispute(each.envelope.object)
    sent.require(*dispute.NEEDED)
    sent.check("entries")
    kept = known.disputes.get(sent.dispute_id)
    return (
        kept is not None
        and (kept.word, kept.amount_minor) == (sent.word, sent.amount_minor)
        and (sent.entries or {}).keys() <= kept.entries.keys()
    )


def _warning(each: Listed, known: Known) -> bool:
    return PurchaseFlags.FRAUD_WARNING in known.purchases[each.reference].flags


def _customer(each: Listed, known: Known) -> bool:
    profile = known.profiles[each.claim.stripe_id]
    sent = customer.read_customer(each.envelope.object)
    return profile.stripe_customer_id != sent.customer_id or (
        sent.contact_version >= profile.contact_version
        and (sent.email or profile.email, sent.name or profile.name) == (profile.email, profile.name)
    )


_STANDS: Final[Mapping[str, Callable[[Listed, Known], bool]]] = {
    checkout_session.KIND: _checkout,
    payment_intent.KIND: _payment,
    refunds.KIND: _refund,
    dispute.KIND: _dispute,
    early_fraud_warning.KIND: _warning,
    customer.KIND: _customer,
}
