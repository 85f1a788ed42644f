"""How commands reach the running service, and what they say when it refuses."""

import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Concatenate, ParamSpec

import typer
from billing_client import BillingClient, ClientOptions
from billing_client.errors import BillingError, OutcomeUnknown, ServiceUnreachable
from dotenv import dotenv_values

from billing_service.cli.display import EXIT_MISCONFIGURED, fail

P = ParamSpec("P")
ENV_FILE = Path(".env")

Address = Annotated[
    str | None, typer.Option("--address", help="Where the service is, host:port (BILLING_ADDRESS).", show_default=False)
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        help="Better by the environment, where no process list shows it (BILLING_API_KEY).",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
IdempotencyKey = Annotated[
    str | None,
    typer.Option("--idempotency-key", help="Repeats a call without repeating its effect; made anew when absent."),
]

HINTS: Mapping[str, str] = {
    "ACCOUNT_NOT_FOUND": "`billing accounts list` shows those that exist",
    "PURCHASE_NOT_FOUND": "`billing purchases list ACCOUNT` shows an account's purchases",
    "REFUND_NOT_FOUND": "`billing refunds list ACCOUNT` shows an account's refunds",
    "TRANSACTION_NOT_FOUND": "`billing transactions ACCOUNT` shows an account's transactions",
    "TRANSACTION_NOT_REVERSIBLE": "`billing transactions ACCOUNT --kind deduction` shows those that can be reversed",
    "STRIPE_EVENT_NOT_FOUND": "`billing events list` shows the inbox",
    "API_KEY_NOT_FOUND": "`billing keys list` shows the keys",
    "RATE_CARD_NOT_FOUND": "`billing rates list` shows the cards",
    "RATE_CARD_EXISTS": "`billing rates diff FILE --before VERSION` shows how it differs",
    "UNKNOWN_MODEL": "`billing rates show` shows the card",
    "PRICE_MISSING": "`billing rates show --provider P --model M` shows the prices that there are",
    "UNKNOWN_PACKAGE": "`billing packages` shows what is for sale",
    "INSUFFICIENT_CREDITS": "`billing balance ACCOUNT` shows what is there",
    "CREDITS_ALREADY_SPENT": "`billing refund PURCHASE --quote` shows what is refundable, `--with-debt` refunds all "
    "the same",
    "PURCHASE_NOT_REFUNDABLE": "`billing purchases show PURCHASE` shows its state",
    "IDEMPOTENCY_KEY_REUSED": "leave --idempotency-key out for a new call",
    "API_KEY_INVALID": "set BILLING_API_KEY; `billing keys create CALLER --scope admin --offline` makes the first key",
    "SCOPE_MISSING": "use a key that has the scope; `billing keys list` shows what each may do",
}


TOLD = ("stripe_code", "correlation_id")
"""Metadata that the service's words don't repeat, and that whoever looks into it needs."""


def environment() -> dict[str, str]:
    """The process's environment over `.env` in the working directory; empty values count as absent. Ends the command
    when it is no text."""
    try:
        found = {**dotenv_values(ENV_FILE), **os.environ}
    except UnicodeDecodeError:
        fail(f"{ENV_FILE}: is not UTF-8", code=EXIT_MISCONFIGURED)
    return {name: value for name, value in found.items() if value and value.strip()}


def client_options(address: str | None, api_key: str | None) -> ClientOptions:
    """From the options, else the environment. Ends the command when they can't be used."""
    given = {"BILLING_ADDRESS": address, "BILLING_API_KEY": api_key}
    try:
        return ClientOptions.from_env({**environment(), **{name: value for name, value in given.items() if value}})
    except ValueError as unfit:
        fail(str(unfit), code=EXIT_MISCONFIGURED)


@contextmanager
def connected(address: str | None, api_key: str | None) -> Iterator[BillingClient]:
    """A client of the service; its errors become one line and exit code 1."""
    options = client_options(address, api_key)
    try:
        client = BillingClient.from_options(options)
    except OSError as unreadable:
        fail(f"{unreadable.filename}: {unreadable.strerror}", code=EXIT_MISCONFIGURED)
    with client:
        try:
            yield client
        except BillingError as error:
            fail(describe(error, options.address))


def describe(error: BillingError, address: str) -> str:
    """Reason, words and what to do about it, in one line."""
    if not error.reason:
        nothing_sent = isinstance(error, ServiceUnreachable)
        line = (
            f"{error.status.name}: "
            + ("" if nothing_sent else f"no answer from the service at {address}: ")
            + error.message
        )
        hint = "is it running there? `billing health` asks it, `billing dev` starts one to try"
    else:
        told = ", ".join(f"{name} {error.metadata[name]}" for name in TOLD if name in error.metadata)
        line = f"{error.reason}: {error.message}" + (f", {told}" if told else "")
        hint = HINTS.get(error.reason, "")
    if isinstance(error, OutcomeUnknown) and error.idempotency_key:
        hint = (
            f"{hint}; it may have had its effect: repeat with --idempotency-key {error.idempotency_key}".removeprefix(
                "; "
            )
        )
    return f"{line} ({hint})" if hint else line


def calls_service(function: Callable[Concatenate[BillingClient, P], None]) -> Callable[..., None]:
    """Makes a command of a function whose first parameter is a client: the command takes --address and --api-key in its
    place."""

    def command(*args: P.args, **kwargs: P.kwargs) -> None:
        address, api_key = kwargs.pop("address"), kwargs.pop("api_key")
        assert address is None or isinstance(address, str)
        assert api_key is None or isinstance(api_key, str)
        with connected(address, api_key) as client:
            function(client, *args, **kwargs)

    own = list(inspect.signature(function).parameters.values())[1:]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in (("address", Address), ("api_key", ApiKey))
    ]
    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + added
    command.__name__ = function.__name__
    command.__doc__ = function.__doc__
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # read by typer
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def quiet_logs() -> None:
    """Errors alone, to standard error, for commands that open a database themselves: standard output is theirs."""
    from billing_service.logs import configure_logs
    from billing_service.settings import Settings

    configure_logs(Settings.model_validate({"BILLING_LOG_LEVEL": "ERROR", "BILLING_LOG_FORMAT": "console"}))
