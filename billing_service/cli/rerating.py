"""`billing rates rerate`: what a past window of usage costs by another rate card."""

from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from billing_client import BillingClient

from billing_service.cli.amounts import shown_credits
from billing_service.cli.connection import AsJson, calls_service
from billing_service.cli.display import show_json
from billing_service.cli.layout import Column
from billing_service.cli.listing import ListTable
from billing_service.cli.progress import shown_progress
from billing_service.cli.rerating_sums import ACCOUNTS_MAX, FIELDS, Amounts, Sums
from billing_service.cli.times import read_past

_SUMS: Final = (
    Column("usages", is_number=True),
    Column("charged", is_number=True),
    Column("new", is_number=True),
    Column("difference", is_number=True),
    Column("uncollected", is_number=True, gives_way=True),
)
MODELS = ListTable(Column("model"), *_SUMS)
ACCOUNTS = ListTable(Column("account"), *_SUMS)
UNPRICED = ListTable(
    Column("model"), Column("no price for"), Column("usages", is_number=True), Column("charged", is_number=True)
)
ACCOUNTS_DEFAULT: Final = 20
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


@calls_service
def rerate(
    client: BillingClient,
    *,
    to_version: To,
    since: Since,
    until: Until = None,
    from_version: From = "",
    accounts: Accounts = ACCOUNTS_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """What the usage of a past window costs by another card: by model, and by the accounts with the largest
    differences. Nothing is changed."""
    end = until or datetime.now(UTC)
    with Sums() as sums, shown_progress("rerate") as progress:
        for part in client.iter_re_rating(
            to_rate_card_version=to_version, start_time=since, end_time=end, from_rate_card_version=from_version
        ):
            sums.add(part)
            progress("usages priced", sums.usages, None)
        if as_json:
            show_json(_as_json(sums, accounts))
        else:
            _show(sums, accounts)


def _show(sums: Sums, accounts: int) -> None:
    rows = [(f"{provider} {model}", *_cells(amounts)) for (provider, model), amounts in sorted(sums.models.items())]
    MODELS.show("By model, in credits", [*rows, ("all", *_cells(sums.total))] if len(rows) > 1 else rows)
    largest, others = sums.accounts(accounts)
    shown = [(account_id, *_cells(amounts)) for account_id, amounts in largest]
    if others.account_count:
        shown.append((f"{others.account_count:,} others", *_cells(others.amounts)))
    ACCOUNTS.show("By account, the largest differences first", shown)
    if sums.unpriced:
        missing = [
            (f"{provider} {model}", what, f"{usages:,}", shown_credits(charged))
            for (provider, model, what), (usages, charged) in sorted(sums.unpriced.items())
        ]
        UNPRICED.show("Without a price", missing)


def _cells(amounts: Amounts) -> tuple[object, ...]:
    names = ("charged", "target", "difference", "uncollected")
    shown = (shown_credits(amounts.of(f"{name}_microcredits")) for name in names)
    return f"{amounts.of('usage_count'):,}", *shown


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
