"""Whose object an event is about. It is decided here alone, before any handler sees the event.

Our Stripe account is shared: other products, other deployments of this service and people in the Dashboard make objects
there. Such an object may name one of our account ids, or carry the metadata of one of ours. So no id in metadata is
believed by itself:

    in our tables   an object whose id at Stripe we know is ours, with a mark or without; a refund and a charge are
                    their payment's.
    our mark        an object that carries this deployment's mark is ours, and the mark proves the id of ours that it
                    names.
    before marks    an unmarked payment or charge that names a purchase older than this deployment's marks is ours.

How an event is handled:

    claim = read_claim(envelope)                                    # never fails, whatever shape the object has
    owner = yield from family.owner(environment.deployment, claim)  # in the effect's transaction: `effect.effect_of`

FOREIGN is ignored: kept, answered, and nothing else. LOST is ours, but the ledger does not know it: a backup older than
it was restored. What says that its money moved is quarantined. UNDECIDED is a refund without a mark, or a dispute, of a
payment that no purchase knows yet: it waits for its payment, and costs a row of the inbox. OURS reaches its handler,
which acts on `owner.purchase` or `owner.account_id`, and on no id that it finds in metadata.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Final, NamedTuple

from billing_service.domain.deployment import MARK_FIELD, Deployment, MarkKind
from billing_service.payments.objects.fields import own_text
from billing_service.storage.rows.profiles import read_profile, whose_customer
from billing_service.storage.rows.purchases import find_purchase, read_purchase
from billing_service.storage.statements import Work
from billing_service.stripe_events.envelope import Envelope

PurchaseKey = tuple[str, str]
"""Account id and purchase id."""


class Whose(Enum):
    """To whom an object at Stripe belongs."""

    OURS = auto()
    LOST = auto()
    UNDECIDED = auto()
    FOREIGN = auto()


class Owner(NamedTuple):
    """To whom the object belongs, and of what of ours it is."""

    whose: Whose
    purchase: PurchaseKey | None = None
    """Of a checkout, payment, charge or refund that is OURS."""
    account_id: str = ""
    """Of a customer that is OURS."""

    def of_purchase(self) -> PurchaseKey:
        """The purchase of a checkout or payment that is OURS."""
        assert self.purchase is not None
        return self.purchase


FOREIGN: Final = Owner(Whose.FOREIGN)
LOST: Final = Owner(Whose.LOST)
UNDECIDED: Final = Owner(Whose.UNDECIDED)


class Claim(NamedTuple):
    """What an object says of itself. Texts are empty where it says nothing, or nothing that we would ever have
    written."""

    stripe_id: str
    payment_intent_id: str
    purchase_id: str
    refund_id: str
    account_id: str
    mark: str


def read_claim(envelope: Envelope) -> Claim:
    about = envelope.object
    metadata = about.get("metadata")
    named: Mapping[str, Any] = metadata if isinstance(metadata, dict) else {}
    payment = about.get("payment_intent")
    return Claim(
        stripe_id=own_text(about.get("id")) or "",
        payment_intent_id=own_text(payment.get("id") if isinstance(payment, dict) else payment) or "",
        purchase_id=own_text(named.get("purchase_id")) or "",
        refund_id=own_text(named.get("refund_id")) or "",
        account_id=own_text(named.get("account_id")) or "",
        mark=own_text(named.get(MARK_FIELD)) or "",
    )


def of_checkout(deployment: Deployment, claim: Claim) -> Work[Owner]:
    known = yield from _known(claim.stripe_id)
    return known or (yield from _marked_purchase(deployment, claim)) or FOREIGN


def of_payment(deployment: Deployment, claim: Claim) -> Work[Owner]:
    return (yield from _known_or_named(deployment, claim, claim.stripe_id))


def of_charge(deployment: Deployment, claim: Claim) -> Work[Owner]:
    return (yield from _known_or_named(deployment, claim, claim.payment_intent_id))


def of_refund(deployment: Deployment, claim: Claim) -> Work[Owner]:
    known = yield from _known(claim.payment_intent_id)
    if known is not None:
        return known
    if claim.mark:
        # Our own refunds are of payments that we know, or knew.
        return LOST if deployment.made(MarkKind.REFUND, claim.refund_id, claim.mark) else FOREIGN
    return UNDECIDED if claim.payment_intent_id else FOREIGN


def of_dispute(_deployment: Deployment, claim: Claim) -> Work[Owner]:
    """It carries no metadata of ours: only its payment says whose it is."""
    known = yield from _known(claim.payment_intent_id)
    return known or (UNDECIDED if claim.payment_intent_id else FOREIGN)


def of_customer(deployment: Deployment, claim: Claim) -> Work[Owner]:
    account_id = yield from whose_customer(claim.stripe_id)
    if account_id is not None:
        return Owner(Whose.OURS, account_id=account_id)
    if not deployment.made(MarkKind.CUSTOMER, claim.account_id, claim.mark):
        return FOREIGN
    known = yield from read_profile(claim.account_id)
    return LOST if known is None else Owner(Whose.OURS, account_id=claim.account_id)


def _known_or_named(deployment: Deployment, claim: Claim, payment_intent_id: str) -> Work[Owner]:
    known = yield from _known(payment_intent_id)
    if known is None and not claim.mark:
        known = yield from _made_before_marks(deployment, claim)
    return known or (yield from _marked_purchase(deployment, claim)) or FOREIGN


def _known(reference: str) -> Work[Owner | None]:
    """By an id at Stripe that our tables have."""
    found = (yield from find_purchase(reference)) if reference else None
    return None if found is None else Owner(Whose.OURS, found)


def _marked_purchase(deployment: Deployment, claim: Claim) -> Work[Owner | None]:
    if not deployment.made(MarkKind.PURCHASE, claim.purchase_id, claim.mark):
        return None
    return (yield from _known(claim.purchase_id)) or LOST


def _made_before_marks(deployment: Deployment, claim: Claim) -> Work[Owner | None]:
    known = yield from _known(claim.purchase_id)
    if known is None or known.purchase is None:
        return None
    purchase = yield from read_purchase(*known.purchase)
    return known if purchase is not None and purchase.create_time_us < deployment.create_time_us else None
