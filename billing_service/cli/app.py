"""Every command of `billing`."""

from collections.abc import Callable

import typer

from billing_service.cli import (
    account_updates,
    accounts,
    all_purchases,
    backups,
    balances,
    credits,  # noqa: A004 - the group's name
    demo,
    deployment,
    dev,
    events,
    holds,
    keys,
    limits,
    processes,
    purchases,
    rate_compare,
    rate_import,
    rate_quote,
    rates,
    receipts,
    reconciling,
    refunds,
    rerating,
    serve,
    stored_rates,
    verify,
    watch,
)
from billing_service.cli.program import RUNNING, new_app

SPENDING, OPERATING = "Credits and purchases", "Operating it"


def _app() -> typer.Typer:
    app = new_app()
    command: Callable[..., None]
    for command in (dev.dev, demo.demo, serve.serve, processes.gateway, processes.migrate, processes.health):
        app.command(rich_help_panel=RUNNING)(command)
    app.command(
        rich_help_panel=RUNNING,
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(processes.sandbox)
    spending = (
        *(balances.balance, watch.watch, accounts.transactions, receipts.receipt),
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
    accounts.accounts.command("create")(account_updates.create_account)
    purchases.purchases.command("all")(all_purchases.list_all_purchases)
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
    operating = (reconciling.reconcile, reconciling.explain, events.audit, verify.verify, verify.heads)
    for command in (*operating, backups.backup, backups.restore):
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


app = _app()
