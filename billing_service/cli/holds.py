"""`billing holds …`: what is reserved, and giving it back."""

from typing import Annotated

import typer
from billing_client import BillingClient, HoldState
from prepaid.billing.v1.transactions_pb2 import Hold

from billing_service.cli.accounts import AccountId
from billing_service.cli.amounts import shown_credits
from billing_service.cli.connection import AsJson, IdempotencyKey, calls_service
from billing_service.cli.display import show_fields, show_json, shown_enum
from billing_service.cli.layout import Column
from billing_service.cli.listing import All, Extent, Limit, ListTable, show_list
from billing_service.cli.times import shown_time

holds = typer.Typer(help="Holds: list, show, release.", no_args_is_help=True)

HOLDS = ListTable(
    Column("time"),
    Column("state"),
    Column("credits", is_number=True),
    Column("captured", is_number=True),
    Column("given back", is_number=True, gives_way=True),
    Column("ends", gives_way=True),
    Column("hold", gives_way=True),
    Column("description", gives_way=True),
)
HoldId = Annotated[str, typer.Argument(metavar="HOLD", help="hold_…")]


@holds.command("list")
@calls_service
def list_holds(
    client: BillingClient,
    *,
    account_id: AccountId,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that are open now.")] = False,
    limit: Limit = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """Holds of an account, newest first."""
    extent = Extent(limit, everything)
    found = client.iter_holds(account_id=account_id, open_only=open_only, page_size=extent.page_size)
    title = f"Open holds of {account_id}" if open_only else f"Holds of {account_id}"
    show_list(title, HOLDS, found, _cells, extent=extent, as_json=as_json)


@holds.command("show")
@calls_service
def show_hold(client: BillingClient, *, account_id: AccountId, hold_id: HoldId, as_json: AsJson = False) -> None:
    """One hold as it is now."""
    found = client.get_hold(account_id=account_id, hold_id=hold_id).hold
    if as_json:
        show_json(found)
    else:
        _show(found)


@holds.command("release")
@calls_service
def release_hold(
    client: BillingClient,
    *,
    account_id: AccountId,
    hold_id: HoldId,
    reason: Annotated[str, typer.Option(help="For the history.")] = "",
    idempotency_key: IdempotencyKey = None,
    as_json: AsJson = False,
) -> None:
    """Give back what is left of an open hold. What its caller used meanwhile can't be captured any more."""
    answer = client.release_hold(
        account_id=account_id, hold_id=hold_id, description=reason, idempotency_key=idempotency_key
    )
    if as_json:
        show_json(answer)
    else:
        _show(answer.hold, available_now=shown_credits(answer.balance.available_microcredits))


def _cells(made: Hold) -> tuple[object, ...]:
    return (
        shown_time(made.create_time),
        shown_enum(HoldState, made.state),
        shown_credits(made.amount_microcredits),
        shown_credits(made.captured_microcredits),
        shown_credits(made.released_microcredits),
        shown_time(made.expire_time),
        made.hold_id,
        made.description,
    )


def _show(made: Hold, available_now: str = "") -> None:
    show_fields(
        f"Hold {made.hold_id}",
        [
            ("account", made.account_id),
            ("state", shown_enum(HoldState, made.state)),
            ("credits", shown_credits(made.amount_microcredits)),
            ("captured", shown_credits(made.captured_microcredits)),
            ("given back", shown_credits(made.released_microcredits)),
            ("captured at its end", shown_credits(made.expiry_capture_microcredits)),
            ("created", shown_time(made.create_time)),
            ("ends", shown_time(made.expire_time)),
            ("lots", ", ".join(draw.lot_id for draw in made.draws)),
            ("description", made.description),
            ("available now", available_now),
        ],
    )
