"""`billing reconcile`, `explain`: what Stripe has against what the ledger has."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Final

import orjson
import typer
from billing_client import BillingClient
from billing_client.errors import PurchaseNotFound
from prepaid.billing.v1.purchases_pb2 import Purchase
from prepaid.billing.v1.reconciling_pb2 import (
    Finding,
    FindingKind,
    FindingOutcome,
    ReconcileResponse,
    StripeObject,
)

from billing_service.cli.amounts import shown_money
from billing_service.cli.connection import AsJson, calls_service
from billing_service.cli.display import EXIT_MISCONFIGURED, as_json_value, fail, say, show_json, shown_enum
from billing_service.cli.layout import Column
from billing_service.cli.listing import ListTable
from billing_service.cli.progress import shown_progress
from billing_service.cli.purchases import find_purchase, present_purchase
from billing_service.cli.times import read_past, shown_time

FINDINGS: Final = ListTable(
    Column("what"),
    Column("outcome"),
    Column("subject"),
    Column("account", gives_way=True),
    Column("purchase", gives_way=True),
    Column("detail", gives_way=True),
)
OBJECTS: Final = ListTable(
    Column("made"),
    Column("what"),
    Column("status"),
    Column("amount", is_number=True),
    Column("id", gives_way=True),
    Column("failure", gives_way=True),
)
SHOWN_MAX: Final = 200
"""Findings of one table; JSON has all of them."""
LEFT: Final = FindingOutcome.Value("FINDING_OUTCOME_LEFT")
FOUND: Final = FindingOutcome.Value("FINDING_OUTCOME_FOUND")

Since = Annotated[
    datetime | None,
    typer.Option("--since", parser=read_past, metavar="TIME", help="Made at Stripe then or later; 3d when absent."),
]
Until = Annotated[
    datetime | None, typer.Option("--until", parser=read_past, metavar="TIME", help="Made before; now when absent.")
]
Apply = Annotated[bool, typer.Option("--apply", help="Repair what differs.")]
Why = Annotated[str, typer.Option("--reason", help="With --apply: why; kept in the audit log.", show_default=False)]


@calls_service
def reconcile(
    client: BillingClient,
    *,
    since: Since = None,
    until: Until = None,
    apply: Apply = False,
    reason: Why = "",
    resume: Annotated[
        str, typer.Option("--resume", help="Go on where an earlier run with these times ended.", show_default=False)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Compare Stripe with the ledger, and show what differs. Nothing is changed without --apply. Of JSON, a finding a
    line."""
    _check(reason, apply=apply)
    parts = client.reconcile(start_time=since, end_time=until, dry_run=not apply, reason=reason, resume_token=resume)
    found: list[Finding] = []
    counts: Counter[tuple[int, int]] = Counter()
    compared = 0
    with shown_progress("reconcile") as progress:
        for part in _told(parts):
            compared += part.compared_count
            progress(f"objects compared, {part.stage}", compared, None)
            for each in part.findings:
                counts[each.kind, each.outcome] += 1
                if as_json:
                    _write(each)
                elif len(found) < SHOWN_MAX:
                    found.append(each)
    if not as_json:
        _show(found, counts, compared)
    _end(counts)


def _told(parts: Iterator[ReconcileResponse]) -> Iterator[ReconcileResponse]:
    """Says where a run that breaks off goes on."""
    token = ""
    try:
        for part in parts:
            yield part
            token = part.resume_token
    except BaseException:
        if token:
            sys.stderr.write(f"go on with the same times and --resume {token}\n")
        raise


@calls_service
def explain(
    client: BillingClient,
    *,
    purchase: Annotated[str, typer.Argument(metavar="PURCHASE", help="pur_…, cs_… or pi_….")],
    apply: Apply = False,
    reason: Why = "",
    as_json: AsJson = False,
) -> None:
    """What the ledger has of one purchase, what Stripe has, and what differs. Nothing is changed without --apply."""
    _check(reason, apply=apply)
    [part] = client.reconcile(purchase=purchase, dry_run=not apply, reason=reason)
    if as_json:
        show_json(part)
        return
    known = _known(client, purchase, part)
    if known is None:
        say(f"The ledger has no purchase {purchase}")
    else:
        present_purchase(known)
    OBJECTS.show("At Stripe", [_object_cells(each) for each in part.objects])
    FINDINGS.show("Differences", [_cells(each) for each in part.findings])
    say(_verdict(known, part))


def _known(client: BillingClient, reference: str, part: ReconcileResponse) -> Purchase | None:
    named = [each.purchase_id for each in part.findings if each.purchase_id]
    for wanted in (reference, *named):
        try:
            return find_purchase(client, wanted)
        except PurchaseNotFound:
            continue
    return None


def _verdict(purchase: Purchase | None, part: ReconcileResponse) -> str:
    if any(each.outcome == LEFT for each in part.findings):
        return "A person has to look: Stripe and the ledger contradict each other."
    if any(each.outcome == FOUND for each in part.findings):
        return "The ledger is behind Stripe: `billing explain --apply --reason …` repairs it."
    if part.findings:
        return "It was repaired: the ledger says what Stripe says."
    if purchase is None:
        return "It is not this deployment's: nothing of it belongs in this ledger."
    return "The ledger says what Stripe says."


def _check(reason: str, *, apply: bool) -> None:
    if apply and not reason.strip():
        fail("--apply: needs --reason", code=EXIT_MISCONFIGURED)


def _show(found: Sequence[Finding], counts: Counter[tuple[int, int]], compared: int) -> None:
    FINDINGS.show("Differences", [_cells(each) for each in found])
    for (kind, outcome), count in sorted(counts.items()):
        say(f"{count:>8,}  {shown_enum(FindingKind, kind)}: {shown_enum(FindingOutcome, outcome)}")
    say(f"{compared:,} objects and events compared, {counts.total():,} differ")


def _end(counts: Counter[tuple[int, int]]) -> None:
    left = sum(count for (_, outcome), count in counts.items() if outcome == LEFT)
    if left:
        fail(f"{left:,} are left for a person")


def _write(found: Finding) -> None:
    sys.stdout.write(f"{orjson.dumps(as_json_value(found)).decode()}\n")
    sys.stdout.flush()


def _cells(found: Finding) -> tuple[object, ...]:
    return (
        shown_enum(FindingKind, found.kind),
        shown_enum(FindingOutcome, found.outcome),
        found.subject_id,
        found.account_id,
        found.purchase_id,
        found.booked or found.note or ", ".join(_changes(found)),
    )


def _changes(found: Finding) -> Iterable[str]:
    return (f"{change.name} {change.before or 'none'} → {change.after or 'none'}" for change in found.changes)


def _object_cells(each: StripeObject) -> tuple[object, ...]:
    amount = shown_money(each.amount_minor, each.currency) if each.currency else ""
    return shown_time(each.create_time), each.kind, each.status, amount, each.id, each.failure
