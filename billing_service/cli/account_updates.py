"""`billing accounts create` and `update`."""

from typing import Annotated

import typer
from billing_client import BillingClient

from billing_service.cli.accounts import AccountId, show_fields_of
from billing_service.cli.amounts import read_credits
from billing_service.cli.connection import AsJson, IdempotencyKey, calls_service
from billing_service.cli.display import EXIT_MISCONFIGURED, fail, show_json


@calls_service
def create_account(
    client: BillingClient,
    *,
    account_id: AccountId,
    email: Annotated[str, typer.Option(help="For receipts.")] = "",
    name: Annotated[str, typer.Option(help="Display name.")] = "",
    referral_code: Annotated[str, typer.Option(help="Code of the account that referred this one.")] = "",
    stripe_customer: Annotated[
        str, typer.Option(metavar="cus_…", help="A customer that Stripe has already, to become this account's.")
    ] = "",
    idempotency_key: IdempotencyKey = None,
    as_json: AsJson = False,
) -> None:
    """Make an account."""
    made = client.create_account(
        account_id=account_id,
        email=email,
        name=name,
        referral_code=referral_code,
        stripe_customer_id=stripe_customer,
        idempotency_key=idempotency_key,
    )
    if as_json:
        show_json(made)
    else:
        show_fields_of(made.account)


@calls_service
def update_account(
    client: BillingClient,
    *,
    account_id: AccountId,
    email: Annotated[str | None, typer.Option(help="New address for receipts; empty: none.")] = None,
    name: Annotated[str | None, typer.Option(help="New display name; empty: none.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="New notes in the place of all; may be repeated.")
    ] = None,
    low_balance: Annotated[
        int | None,
        typer.Option(
            parser=read_credits,
            metavar="CREDITS",
            help="Keep an event once less is available; 0: never.",
            show_default=False,
        ),
    ] = None,
    no_metadata: Annotated[bool, typer.Option("--no-metadata", help="Take all notes away.")] = False,
    idempotency_key: IdempotencyKey = None,
    as_json: AsJson = False,
) -> None:
    """Change an account's e-mail address, name, notes or threshold; what is not given stays."""
    if metadata and no_metadata:
        fail("give --metadata or --no-metadata, one of the two", code=EXIT_MISCONFIGURED)
    notes = {} if no_metadata else _read_notes(metadata) if metadata else None
    if email is None and name is None and notes is None and low_balance is None:
        fail("give --email, --name, --metadata, --no-metadata or --low-balance", code=EXIT_MISCONFIGURED)
    updated = client.update_account(
        account_id=account_id,
        email=email,
        name=name,
        metadata=notes,
        low_balance_microcredits=low_balance,
        idempotency_key=idempotency_key,
    )
    if as_json:
        show_json(updated)
    else:
        show_fields_of(updated.account)


def _read_notes(given: list[str]) -> dict[str, str]:
    """The pairs of `key=value` texts. Raises typer.BadParameter."""
    pairs = [text.partition("=") for text in given]
    unfit = next(
        (text for text, (key, separator, _) in zip(given, pairs, strict=True) if not key or not separator), None
    )
    if unfit is not None:
        raise typer.BadParameter(f"{unfit!r} is not KEY=VALUE")
    notes = {key: value for key, _, value in pairs}
    if len(notes) < len(pairs):
        raise typer.BadParameter("a key is there twice")
    return notes
