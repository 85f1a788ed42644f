"""The `billing` command: runs the service, and operates it."""

from collections.abc import Callable
from typing import Annotated

import typer

from billing_service.cli import (
    account_updates,
    accounts,
    backups,
    credits,  # noqa: A004 - the group's name
    demo,
    deployment,
    dev,
    events,
    holds,
    keys,
    limits,
    purchases,
    rate_compare,
    rate_import,
    rate_quote,
    rates,
    receipts,
    refunds,
    rerating,
    serve,
    stored_rates,
    verify,
    watch,
)

RUNNING, SPENDING, OPERATING = "Running it", "Credits and purchases", "Operating it"


def _show_version(asked: bool) -> None:
    if asked:
        from billing_service.version import version_line

        typer.echo(version_line())
        raise typer.Exit


def _app() -> typer.Typer:
    app = typer.Typer(
        name="billing",
        help="Prepaid credits: runs the service, and operates it. Settings come from the environment and `.env`.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    command: Callable[..., None]
    for command in (dev.dev, demo.demo, serve.serve, serve.gateway, serve.migrate, serve.health):
        app.command(rich_help_panel=RUNNING)(command)
    app.command(
        rich_help_panel=RUNNING,
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(serve.sandbox)
    spending = (
        *(accounts.balance, watch.watch, accounts.transactions, receipts.receipt),
        accounts.referral,
        purchases.packages,
        refunds.refund,
        credits.grant,
        credits.reverse,
    )
    for command in spending:
        app.command(rich_help_panel=SPENDING)(command)
    # A credit amount may be negative: `billing adjust ada -5`.
    app.command(rich_help_panel=SPENDING, context_settings={"ignore_unknown_options": True})(credits.adjust)
    accounts.accounts.command("update")(account_updates.update_account)
    for name, group in (
        ("accounts", accounts.accounts),
        ("purchases", purchases.purchases),
        ("refunds", refunds.refunds),
        ("holds", holds.holds),
        ("limits", limits.limits),
    ):
        app.add_typer(group, name=name, rich_help_panel=SPENDING)
    _add_rates()
    app.add_typer(rates.rates, name="rates", rich_help_panel=OPERATING)
    app.add_typer(events.events, name="events", rich_help_panel=OPERATING)
    app.add_typer(keys.keys, name="keys", rich_help_panel=OPERATING)
    app.add_typer(deployment.deployment, name="deployment", rich_help_panel=OPERATING)
    for command in (events.audit, verify.verify, verify.heads, backups.backup, backups.restore):
        app.command(rich_help_panel=OPERATING)(command)
    return app


def _add_rates() -> None:
    rates.rates.command("compare")(rate_compare.compare_cards)
    rates.rates.command("import")(rate_import.import_card)
    rates.rates.command("quote")(rate_quote.quote_price)
    rates.rates.command("create")(stored_rates.create_card)
    rates.rates.command("list")(stored_rates.list_cards)
    rates.rates.command("show")(stored_rates.show_stored_card)
    rates.rates.command("diff")(stored_rates.diff_cards)
    rates.rates.command("rerate")(rerating.rerate)


def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Say which version this is.")
    ] = False,
) -> None:
    del version


app = _app()


def main() -> None:
    """Entry point of the console script."""
    app()
