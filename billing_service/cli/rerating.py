"""`billing rates rerate`: what a past window of usage costs by another rate card."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer
from billing_client import BillingClient

from billing_service.cli.amounts import shown_credits
from billing_service.cli.connection import AsJson, IdempotencyKey, calls_service
from billing_service.cli.display import EXIT_MISCONFIGURED, fail, say, show_json
from billing_service.cli.layout import Column
from billing_service.cli.listing import ListTable
from billing_service.cli.progress import shown_progress
from billing_service.cli.rerating_sums import ACCOUNTS_MAX, FIELDS, Amounts, Sums
from billing_service.cli.times import read_past

_USAGES: Final = (
    Column("usages", is_number=True),
    Column("charged", is_number=True),
    Column("new", is_number=True),
    Column("difference", is_number=True),
)
_DRY: Final = (*_USAGES, Column("uncollected", is_number=True, gives_way=True))
_APPLIED: Final = (*_USAGES, Column("corrected", is_number=True), Column("short", is_number=True))
MODELS, ACCOUNTS = (ListTable(Column(name), *_DRY) for name in ("model", "account"))
CORRECTED_MODELS, CORRECTED_ACCOUNTS = (ListTable(Column(name), *_APPLIED) for name in ("model", "account"))
UNPRICED = ListTable(
    Column("model"), Column("no price for"), Column("usages", is_number=True), Column("charged", is_number=True)
)
UNCORRECTED = ListTable(Column("account"), Column("reason"))
ACCOUNTS_DEFAULT: Final = 20
SETTLED: Final = timedelta(minutes=21)
"""Only usage that is 20 minutes old is corrected, unless BILLING_LATE_CAPTURE_S is longer."""
From = Annotated[
    str, typer.Option("--from", metavar="VERSION", help="Only usage that this card priced.", show_default=False)
]
To = Annotated[str, typer.Option("--to", metavar="VERSION", help="The card to price by.")]
Since = Annotated[
    datetime, typer.Option("--since", parser=read_past, metavar="TIME", help="Charged then or later, such as 7d.")
]
Until = Annotated[
    datetime | None,
    typer.Option(
        "--until", parser=read_past, metavar="TIME", help="Charged before; now when absent. At most 92 days in all."
    ),
]
Accounts = Annotated[
    int, typer.Option("--accounts", min=0, max=ACCOUNTS_MAX, help="How many accounts have a line of their own.")
]


Apply = Annotated[bool, typer.Option("--apply", help="Correct what was charged, each charge once for a card.")]
Why = Annotated[
    str, typer.Option("--reason", help="With --apply: why; kept in history and audit log.", show_default=False)
]


@calls_service
def rerate(
    client: BillingClient,
    *,
    to_version: To,
    since: Since,
    until: Until = None,
    from_version: From = "",
    accounts: Accounts = ACCOUNTS_DEFAULT,
    apply: Apply = False,
    reason: Why = "",
    idempotency_key: IdempotencyKey = None,
    as_json: AsJson = False,
) -> None:
    """What the usage of a past window costs by another card: by model, and by the accounts with the largest
    differences. Nothing is changed without --apply."""
    if apply and not reason.strip():
        fail("--apply: needs --reason", code=EXIT_MISCONFIGURED)
    end = until or datetime.now(UTC) - (SETTLED if apply else timedelta())
    with Sums() as sums, shown_progress("rerate") as progress:
        for part in client.iter_re_rating(
            to_rate_card_version=to_version,
            start_time=since,
            end_time=end,
            from_rate_card_version=from_version,
            dry_run=not apply,
            reason=reason,
            idempotency_key=idempotency_key,
        ):
            sums.add(part)
            progress("usages priced", sums.usages, None)
        if as_json:
            show_json(_as_json(sums, accounts))
        else:
            show(sums, accounts, applied=apply)
    if sums.uncorrected:
        fail(f"{len(sums.uncorrected):,} accounts could not be corrected")


def show(sums: Sums, accounts: int, *, applied: bool) -> None:
    """As tables. `applied`: whether something was corrected."""
    by_model, by_account = (CORRECTED_MODELS, CORRECTED_ACCOUNTS) if applied else (MODELS, ACCOUNTS)
    rows = [
        (f"{provider} {model}", *_cells(amounts, applied=applied))
        for (provider, model), amounts in sorted(sums.models.items())
    ]
    total = ("all", *_cells(sums.total, applied=applied))
    by_model.show("By model, in credits", [*rows, total] if len(rows) > 1 else rows)
    largest, others = sums.accounts(accounts)
    shown = [(account_id, *_cells(amounts, applied=applied)) for account_id, amounts in largest]
    if others.account_count:
        shown.append((f"{others.account_count:,} others", *_cells(others.amounts, applied=applied)))
    by_account.show("By account, the largest differences first", shown)
    if decided := sums.total.of("decided_count"):
        say(f"{decided:,} usages were decided by this card before")
    if sums.unpriced:
        missing = [
            (f"{provider} {model}", what, f"{usages:,}", shown_credits(charged))
            for (provider, model, what), (usages, charged) in sorted(sums.unpriced.items())
        ]
        UNPRICED.show("Without a price", missing)
    if sums.uncorrected:
        UNCORRECTED.show("Not corrected", sorted(sums.uncorrected.items()))


def _cells(amounts: Amounts, *, applied: bool) -> tuple[object, ...]:
    more = ("corrected", "shortfall") if applied else ("uncollected",)
    names = ("charged", "target", "difference", *more)
    return f"{amounts.of('usage_count'):,}", *(shown_credits(amounts.of(f"{name}_microcredits")) for name in names)


def _as_json(sums: Sums, accounts: int) -> dict[str, object]:
    """As the protos name it, 64-bit integers as text."""
    largest, others = sums.accounts(accounts)
    return {
        "totals": _json(sums.total),
        "models": [
            {"provider": provider, "model": model, **_json(amounts)}
            for (provider, model), amounts in sorted(sums.models.items())
        ],
        "accounts": [{"account_id": account_id, **_json(amounts)} for account_id, amounts in largest],
        "other_accounts": {"account_count": str(others.account_count), **_json(others.amounts)},
        "uncorrected": [
            {"account_id": account_id, "refusal": refusal} for account_id, refusal in sorted(sums.uncorrected.items())
        ],
        "unpriced": [
            {
                "provider": provider,
                "model": model,
                "missing": missing,
                "usage_count": str(usages),
                "charged_microcredits": str(charged),
            }
            for (provider, model, missing), (usages, charged) in sorted(sums.unpriced.items())
        ],
    }


def _json(amounts: Amounts) -> dict[str, str]:
    return {name: str(amounts.of(name)) for name in FIELDS}
