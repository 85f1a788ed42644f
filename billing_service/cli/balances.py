"""`billing balance`."""

from datetime import datetime
from typing import Annotated

import typer
from billing_client import BillingClient
from prepaid.billing.v1.accounts_pb2 import Balance

from billing_service.cli.accounts import AccountId
from billing_service.cli.amounts import shown_credits
from billing_service.cli.connection import AsJson, calls_service
from billing_service.cli.display import show_fields, show_json
from billing_service.cli.times import read_past, shown_time


@calls_service
def balance(
    client: BillingClient,
    account_id: AccountId,
    *,
    at: Annotated[
        datetime | None,
        typer.Option(parser=read_past, metavar="TIME", help="As of then: 2026-05-31T12:00:00Z, or 7d ago."),
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=0, help="As of this version of the account.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What an account holds, in credits, now or at a past moment."""
    if at is not None and version is not None:
        raise typer.BadParameter("--at and --version name one moment each; give one of them")
    found = client.get_balance(account_id=account_id, as_of_time=at, as_of_version=version).balance
    if as_json:
        show_json(found)
        return
    is_past = at is not None or version is not None
    when = f" at {shown_time(found.as_of_time)}" if is_past else ""
    show_fields(f"Balance of {account_id}{when}, in credits", _parts(found))


def _parts(found: Balance) -> list[tuple[str, object]]:
    parts: list[tuple[str, object]] = [
        ("available", shown_credits(found.available_microcredits)),
        ("  promotional", shown_credits(found.promotional_microcredits)),
        ("  plan", shown_credits(found.plan_microcredits)),
        ("  paid", shown_credits(found.paid_microcredits)),
        ("held", shown_credits(found.held_microcredits)),
        ("frozen", shown_credits(found.frozen_microcredits)),
        ("debt", shown_credits(found.debt_microcredits)),
        ("version", found.account_version),
    ]
    if found.HasField("next_expiry_time"):
        expiring = shown_credits(found.next_expiry_microcredits)
        parts.append(("expiring next", f"{expiring} at {shown_time(found.next_expiry_time)}"))
    return parts
