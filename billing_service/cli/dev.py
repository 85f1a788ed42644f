"""`billing dev` (`make run`): everything on this machine, and what to do with it."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.panel import Panel
from rich.text import Text

from billing_service.cli.connection import environment
from billing_service.cli.display import console, fail, say
from billing_service.cli.failures import explained
from billing_service.cli.stopping import Stop, run_until_stopped

if TYPE_CHECKING:
    from billing_service.cli.dev_stack import DevStack

SANDBOX_PORT = 12111
GATEWAY_PORT = 8080
LOG_FILE = Path("var/dev.log")


def dev(
    log_file: Annotated[
        Path, typer.Option("--log-file", help="Where the logs go; the screen stays readable.")
    ] = LOG_FILE,
) -> None:
    """Run everything on this machine: service, gateway and, without a Stripe key, a stand-in for Stripe. Ctrl-C stops
    it."""
    from billing_service.cli.dev_settings import read_ports

    given = environment()
    with explained():
        ports = read_ports(given, sandbox=SANDBOX_PORT, gateway=GATEWAY_PORT)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with log_file.open("a", encoding="utf-8") as log:

            async def run(stop: Stop) -> None:
                from billing_service.cli.dev_stack import open_dev_stack
                from billing_service.logs import configure_logs
                from billing_service.settings import load_settings
                from billing_service.settings.loading import hints

                configure_logs(
                    load_settings({"BILLING_LOG_LEVEL": given.get("BILLING_LOG_LEVEL", "INFO")}, purpose="operate"), log
                )
                async with open_dev_stack(given, ports, _program()) as stack:
                    stop.cut_off = lambda: stack.service.server.stop(at_once=True)
                    for line in hints(given):
                        say(line)
                    _greet(stack, log_file)
                    await stop.asked.wait()
                console().print("stopped")

            try:
                code = asyncio.run(run_until_stopped(run))
            except TimeoutError:
                fail(f"the service did not become healthy; {log_file} says why")
    raise typer.Exit(code)


def _greet(stack: "DevStack", log_file: Path) -> None:
    text = Text()
    for name, value in _addresses(stack, log_file):
        text.append(f"{name:<10}", style="bold").append(f"{value}\n")
    text.append("\nFirst purchase\n", style="bold")
    for line in _first_purchase(stack):
        text.append(f"  {line}\n")
    text.append("\nThe whole story, step by step: ").append("make demo", style="bold").append(
        ".  Ctrl-C stops everything."
    )
    title = (
        "Prepaid billing runs, with a stand-in for Stripe"
        if stack.sandbox_url
        else "Prepaid billing runs, with Stripe's test mode"
    )
    console().print(Panel(text, title=title, title_align="left", border_style="green", expand=False))


def _addresses(stack: "DevStack", log_file: Path) -> list[tuple[str, str]]:
    discovery = ", with reflection for `buf curl`" if stack.settings.reflection else ""
    rows = [
        ("service", f"{stack.service.address} (gRPC{discovery})"),
        ("gateway", f"{stack.gateway_url}/webhooks/stripe"),
        (
            "Stripe",
            f"{stack.sandbox_url} (the sandbox: takes test cards, forgets everything when it stops)"
            if stack.sandbox_url
            else "its own API, test mode",
        ),
        ("API key", stack.client.api_key or "none needed on this machine (BILLING_AUTH=off)"),
        ("database", _database(stack)),
        ("logs", str(log_file)),
    ]
    if not stack.sandbox_url:
        rows.insert(2, ("webhooks", f"stripe listen --all-snapshot --forward-to {stack.gateway_url}/webhooks/stripe"))
    return rows


def _database(stack: "DevStack") -> str:
    from billing_service.cli.dev_settings import SANDBOX_DATABASE_URL
    from billing_service.storage.database_url import SqliteFile

    url, database = stack.settings.database_url.get_secret_value(), stack.settings.database
    if not isinstance(database, SqliteFile):
        return "PostgreSQL"
    note = (
        f" (begun anew at each start; `DATABASE_URL={url} billing backup FILE` copies it)"
        if url == SANDBOX_DATABASE_URL
        else ""
    )
    return f"{database.path}{note}"


def _first_purchase(stack: "DevStack") -> list[str]:
    from billing_service.cli.dev_stack import command

    billing = command(_program(), stack.client)
    pay = "open the URL that it prints and pay with 4242 4242 4242 4242, any future date, CVC, e-mail and name"
    return [f"{billing} purchases create alice --package starter", pay, f"{billing} balance alice"]


def _program() -> str:
    """How this program is called again from this directory."""
    called, here = Path(sys.argv[0]), Path.cwd()
    if called.name == "__main__.py":
        return "python -m billing_service.cli"
    return str(called.relative_to(here) if called.is_relative_to(here) else called)
