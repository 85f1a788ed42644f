"""`billing watch`: an account's balance as it changes."""

import sys
from contextlib import suppress
from itertools import islice
from typing import Annotated, Final

import orjson
import typer
from billing_client import BillingClient
from prepaid.billing.v1.accounts_pb2 import Balance

from billing_service.cli.accounts import AccountId
from billing_service.cli.amounts import shown_credits
from billing_service.cli.connection import AsJson, calls_service
from billing_service.cli.display import as_json_value, say
from billing_service.cli.times import shown_time

AWAY_S: Final = 30.0
"""How long the service may be away: a restart is none of an operator's business here."""
LINE: Final = "{:20} {:>16} {:>12} {:>12} {:>12}"


@calls_service
def watch(
    client: BillingClient,
    *,
    account_id: AccountId,
    count: Annotated[
        int | None, typer.Option(min=1, help="End after so many lines; without it, Ctrl-C ends it.", show_default=False)
    ] = None,
    after_version: Annotated[int, typer.Option(min=0, help="The version of the newest balance that is known.")] = 0,
    as_json: AsJson = False,
) -> None:
    """The balance now, and a line for each change; of JSON, an object a line."""
    shown = client.watch_balance(account_id=account_id, after_version=after_version, timeout_s=AWAY_S)
    if not as_json:
        say(LINE.format("as of", "available", "held", "frozen", "debt"))
    with suppress(KeyboardInterrupt):
        for balance in islice(shown, count):
            if as_json:
                sys.stdout.write(f"{orjson.dumps(as_json_value(balance)).decode()}\n")
                sys.stdout.flush()
            else:
                say(_line(balance))


def _line(balance: Balance) -> str:
    return LINE.format(
        shown_time(balance.as_of_time),
        shown_credits(balance.available_microcredits),
        shown_credits(balance.held_microcredits),
        shown_credits(balance.frozen_microcredits),
        shown_credits(balance.debt_microcredits),
    )
