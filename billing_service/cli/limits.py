"""`billing limits …`: what an account and its spenders may charge in a day, in a month or in all."""

from typing import Annotated, Any

import typer
from billing_client import BillingClient, SpendWindow
from prepaid.billing.v1.spend_limits_pb2 import SetSpendLimitResponse, SpendLimit

from billing_service.cli.accounts import AccountId
from billing_service.cli.amounts import read_credits, shown_credits
from billing_service.cli.connection import AsJson, IdempotencyKey, calls_service
from billing_service.cli.display import enum_option, show_json, shown_enum
from billing_service.cli.layout import Column
from billing_service.cli.listing import All, Extent, Limit, ListTable, show_list
from billing_service.cli.times import shown_time

limits = typer.Typer(help="Spend limits: list, set, remove.", no_args_is_help=True)

LIMITS = ListTable(
    Column("spender"),
    Column("window"),
    Column("limit", is_number=True),
    Column("used", is_number=True),
    Column("left", is_number=True),
    Column("begins anew", gives_way=True),
)
Spender = Annotated[str, typer.Option("--spender", help="Whose limit; without it, the account's own.")]
Window = Annotated[Any, enum_option(SpendWindow, "What the limit counts in")]


@limits.command("list")
@calls_service
def list_limits(
    client: BillingClient,
    *,
    account_id: AccountId,
    limit: Limit = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """All limits of an account and its spenders, with what is used and left."""
    found = client.get_account(account_id=account_id).spend_limits
    extent = Extent(limit, everything)
    show_list(f"Spend limits of {account_id}", LIMITS, iter(found), _cells, extent=extent, as_json=as_json)


@limits.command("set")
@calls_service
def set_limit(
    client: BillingClient,
    *,
    account_id: AccountId,
    amount: Annotated[
        int, typer.Argument(parser=read_credits, metavar="CREDITS", help="The most that may be charged; 0: nothing.")
    ],
    window: Window,
    spender: Spender = "",
    idempotency_key: IdempotencyKey = None,
    as_json: AsJson = False,
) -> None:
    """Set or change a limit. What is used stays as it is."""
    answer = client.set_spend_limit(
        account_id=account_id,
        window=window,
        limit_microcredits=amount,
        spender_id=spender,
        idempotency_key=idempotency_key,
    )
    _show(answer, account_id, spender, as_json=as_json)


@limits.command("remove")
@calls_service
def remove_limit(
    client: BillingClient,
    *,
    account_id: AccountId,
    window: Window,
    spender: Spender = "",
    idempotency_key: IdempotencyKey = None,
    as_json: AsJson = False,
) -> None:
    """Remove a limit, and forget what was used of it. A limit that is not there is fine."""
    answer = client.set_spend_limit(
        account_id=account_id,
        window=window,
        limit_microcredits=None,
        spender_id=spender,
        idempotency_key=idempotency_key,
    )
    _show(answer, account_id, spender, as_json=as_json)


def _show(answer: SetSpendLimitResponse, account_id: str, spender: str, *, as_json: bool) -> None:
    if as_json:
        show_json(answer)
    else:
        whose = f"{spender} at {account_id}" if spender else account_id
        LIMITS.show(f"Spend limits of {whose}", [_cells(limit) for limit in answer.spend_limits])


def _cells(limit: SpendLimit) -> tuple[object, ...]:
    return (
        limit.spender_id or "(account)",
        shown_enum(SpendWindow, limit.window),
        shown_credits(limit.limit_microcredits),
        shown_credits(limit.used_microcredits),
        shown_credits(limit.left_microcredits),
        shown_time(limit.reset_time),
    )
