"""`billing deployment …`: whose ledger a database is."""

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from billing_service.cli.connection import AsJson
from billing_service.cli.database import with_store
from billing_service.cli.display import fail, say, show_fields, show_json
from billing_service.domain.times import US_PER_S

if TYPE_CHECKING:
    from billing_service.domain.deployment import Deployment

deployment = typer.Typer(help="Whose ledger the database is: its deployment and its mode.", no_args_is_help=True)


@deployment.command("show")
def show_deployment(as_json: AsJson = False) -> None:
    """Show the deployment's id and the mode of its money. Reads the database without the service."""
    from billing_service.storage.rows.deployment import read_deployment

    found = with_store(lambda store: store.read(read_deployment), writes=False)
    if found is None:
        fail("no service has started on this database yet: its first start gives it an id, and its mode for ever")
    _show(found, as_json)


@deployment.command("renew")
def renew_deployment(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give a restored ledger an id of its own, so that it and the original do not touch each other at Stripe.

    Stop every service on the database first. What the original makes at Stripe from now on is foreign here. Purchases
    and customers that the ledger holds stay known to both. The mode stays.
    """
    from billing_service.clock import TimeOrderedIds, system_clock_us
    from billing_service.commands.access.deployment import renew_deployment as renew

    if not yes:
        typer.confirm(
            "Every service on this database is stopped, and its original lives on elsewhere. Renew it?", abort=True
        )
    old, new = with_store(lambda store: renew(store, system_clock_us, TimeOrderedIds(), os.urandom))
    _show(new, as_json)
    if not as_json:
        say(f"✓ it was {old.deployment_id}")


def _show(found: "Deployment", as_json: bool) -> None:
    made = datetime.fromtimestamp(found.create_time_us // US_PER_S, UTC)
    if as_json:
        show_json({"deployment_id": found.deployment_id, "mode": found.mode.value, "create_time": made.isoformat()})
    else:
        show_fields(
            "Deployment",
            [("id", found.deployment_id), ("mode", found.mode), ("made", made.strftime("%Y-%m-%d %H:%M:%SZ"))],
        )
