"""One object that may differ: looked at under the locks of its accounts, and repaired by its event's own handler."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final, NamedTuple

import structlog

from billing_service.commands.accounts.customers import send_contact
from billing_service.commands.environment import Environment
from billing_service.domain.inbox import EventStatus
from billing_service.domain.refusals import Refusal
from billing_service.domain.sales.purchases import PurchaseStatus
from billing_service.payments.objects import (
    checkout_session,
    customer,
    dispute,
    early_fraud_warning,
    payment_intent,
    refund,
)
from billing_service.reconcile.findings import Change, Finding, FindingKind, Outcome
from billing_service.reconcile.standing import Listed
from billing_service.storage.rows.disputes import disputes_of
from billing_service.storage.rows.profiles import read_profile, whose_customer
from billing_service.storage.rows.purchases import find_purchase, read_purchase, refunds_of
from billing_service.storage.statements import Work
from billing_service.stripe_events.effect import LOST_NOTE, effect_of, read_object
from billing_service.stripe_events.inbox import count_effects
from billing_service.stripe_events.result import Result, quarantined
from billing_service.stripe_events.runs import Runs

log = structlog.get_logger(__name__)

_KINDS: Final = {
    checkout_session.KIND: FindingKind.PURCHASE_OUTDATED,
    payment_intent.KIND: FindingKind.PURCHASE_OUTDATED,
    refund.KIND: FindingKind.REFUND_OUTDATED,
    dispute.KIND: FindingKind.DISPUTE_OUTDATED,
    early_fraud_warning.KIND: FindingKind.FRAUD_WARNING_MISSING,
    customer.KIND: FindingKind.CUSTOMER_OUTDATED,
}
_OWN: Final = frozenset({"customer_update_time_us", "contact_version_sent", "customer_attempt", "told_time_us"})
"""When and how something was heard of: no difference by itself."""
Picture = dict[str, str]
"""What the ledger has of an object, by name."""


class _OnlyLookedError(Exception):
    """A dry run has seen what it would do. Nothing of it is stored."""

    def __init__(self, seen: "_Seen") -> None:
        super().__init__()
        self.seen = seen


class _Seen(NamedTuple):
    result: Result
    changes: tuple[Change, ...]


class Look(NamedTuple):
    """What a look at one object came to."""

    status: EventStatus
    finding: Finding | None
    """What differed, and what became of it; None where all is as Stripe has it, or is not ours."""


async def look(environment: Environment, listed: Listed, *, dry_run: bool) -> Look:
    """Repairs what differs, unless it is a dry run. Raises Failure."""
    claim, runs = listed.claim, Runs(environment)
    event = read_object(environment, listed.envelope)

    def work() -> Work[_Seen]:
        before = yield from _picture(listed)
        result = yield from effect_of(environment, claim, event, runs)
        seen = _Seen(result, tuple(_changes(before, (yield from _picture(listed)))))
        if dry_run:
            raise _OnlyLookedError(seen)
        return seen

    try:
        seen = await runs.write(work)
    except _OnlyLookedError as looked:
        seen = looked.seen
    except Refusal as refusal:  # a rule of money stood against it
        seen = _Seen(quarantined(f"{refusal.reason}: {refusal.message}"), ())
    if not dry_run:
        count_effects(environment, seen.result)
        if seen.result.customer_behind:
            await send_contact(environment, seen.result.customer_behind)
    return Look(seen.result.status, _finding(listed, seen, dry_run=dry_run))


def _finding(listed: Listed, seen: _Seen, *, dry_run: bool) -> Finding | None:
    result, did = seen.result, dict(seen.result.did)
    account_id, purchase_id = str(did.get("account_id", "")), str(did.get("purchase_id", ""))
    stripe_id = listed.claim.stripe_id
    if result.status is EventStatus.QUARANTINED:
        kind = FindingKind.OBJECT_UNKNOWN if result.note == LOST_NOTE else FindingKind.CONTRADICTION
        return Finding(kind, Outcome.LEFT, stripe_id, account_id, purchase_id, result.note)
    if not seen.changes:
        return None
    completes = any(
        change.name == "purchase.status" and change.after == PurchaseStatus.COMPLETED for change in seen.changes
    )
    kind = FindingKind.PURCHASE_NOT_COMPLETED if completes else _KINDS[listed.kind]
    outcome = Outcome.FOUND if dry_run else Outcome.REPAIRED
    return Finding(
        kind, outcome, stripe_id, account_id, purchase_id, changes=seen.changes, booked=str(did.get("booked", ""))
    )


def _picture(listed: Listed) -> Work[Picture]:
    if listed.kind == customer.KIND:
        account_id = (yield from whose_customer(listed.claim.stripe_id)) or listed.claim.account_id
        profile = (yield from read_profile(account_id)) if account_id else None
        return {} if profile is None else _flat("account", asdict(profile))
    key = None
    for reference in (listed.reference, listed.claim.purchase_id):
        key = key or ((yield from find_purchase(reference)) if reference else None)
    purchase = (yield from read_purchase(*key)) if key else None
    if purchase is None:
        return {}
    picture = _flat("purchase", asdict(purchase))
    for each in (yield from refunds_of(purchase)):
        about = f"refund {each.stripe_refund_id or each.refund_id}"
        picture |= _flat(about, {"status": each.status, "amount_minor": each.amount_minor})
    for told in (yield from disputes_of(purchase)):
        picture |= _flat(f"dispute {told.dispute_id}", {"word": told.word, "out_minor": told.out_minor})
    return picture


def _flat(about: str, fields: dict[str, Any]) -> Picture:
    return {
        f"{about}.{name}": "" if value is None else str(value) for name, value in fields.items() if name not in _OWN
    }


def _changes(before: Picture, after: Picture) -> Iterator[Change]:
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name, ""), after.get(name, "")
        if was != now:
            yield Change(name, was, now)
