"""`billing demo` (`make demo`): the whole story against a running sandbox, or against one of its own."""

import asyncio
import time
from typing import Annotated

import typer

from billing_service.cli.connection import Address, ApiKey, client_options, quiet_logs
from billing_service.cli.dev import SANDBOX_PORT
from billing_service.cli.display import console
from billing_service.cli.failures import explained


def demo(
    own: Annotated[
        bool, typer.Option("--own", help="Start everything for the length of the demo when nothing runs.")
    ] = False,
    sandbox: Annotated[
        str, typer.Option(envvar="SANDBOX_URL", help="Where the sandbox of the running service is.")
    ] = f"http://127.0.0.1:{SANDBOX_PORT}",
    address: Address = None,
    api_key: ApiKey = None,
) -> None:
    """Tell the whole story: buy, spend, refund, refer a friend, prove the ledger. Exit code 0 when every step came out
    right."""
    from billing_service.cli.demo_play import play_demo

    options = client_options(address, api_key)
    quiet_logs()
    started = time.monotonic()
    with explained():
        asyncio.run(play_demo(options, sandbox.rstrip("/"), own=own))
    console().print(f"\n[bold green]✓ The whole story, in {time.monotonic() - started:.1f} s[/bold green]")
