"""`billing verify`, `heads`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from billing_service.cli.connection import Address, ApiKey, AsJson, connected
from billing_service.cli.database import STOP_FIRST, confirm_free, with_store
from billing_service.cli.display import EXIT_FAILED, EXIT_MISCONFIGURED, fail, plain, say, show_fields, show_json
from billing_service.cli.failures import explained
from billing_service.cli.layout import Column
from billing_service.cli.listing import ListTable

if TYPE_CHECKING:
    from billing_client import BillingClient

LEAVE_OFFLINE_OUT = "; leave --offline out while the service runs"

DIFFERENCES = ListTable(
    Column("account"),
    Column("what"),
    Column("ledger says", is_number=True, gives_way=True),
    Column("stored", is_number=True, gives_way=True),
)


def verify(  # noqa: PLR0917 - options, given by name on the command line
    account: Annotated[str, typer.Option(help="Only this account.")] = "",
    offline: Annotated[bool, typer.Option("--offline", help="Read the database without the service.")] = False,
    heads: Annotated[
        Path | None, typer.Option(help="An export of heads that the chains must still hold; with --offline.")
    ] = None,
    as_json: AsJson = False,
    address: Address = None,
    api_key: ApiKey = None,
) -> None:
    """Compute every balance again from the ledger. Exit code 1 when anything differs."""
    if heads is not None and not offline:
        fail("--heads: goes with --offline, on the database or on a restored backup of it", code=EXIT_MISCONFIGURED)
    if offline:
        confirm_free(LEAVE_OFFLINE_OUT)
        report = _verify_offline(account, heads)
    else:
        with connected(address, api_key) as client:
            report = client.verify_ledger(account_id=account) if account else _verify_in_parts(client)
    if as_json:
        show_json(report)
    else:
        _show(report)
    if report.differences:
        raise typer.Exit(EXIT_FAILED)
    if account and not report.account_count:
        fail("ACCOUNT_NOT_FOUND: there is no such account")


def _verify_in_parts(client: "BillingClient") -> Any:
    """The whole ledger, by as many calls as it takes: no call lasts long enough for a long one."""
    from prepaid.billing.v1.admin_pb2 import VerifyLedgerResponse

    from billing_service.cli.progress import shown_progress
    from billing_service.integrity.differences import DIFFERENCES_MAX

    whole = VerifyLedgerResponse()
    with shown_progress("verify") as progress:
        for part in client.iter_verification():
            whole.account_count += part.account_count
            whole.transaction_count += part.transaction_count
            whole.entry_count += part.entry_count
            whole.erased_count += part.erased_count
            whole.transaction_total += part.transaction_total
            whole.differences.extend(part.differences[: DIFFERENCES_MAX - len(whole.differences)])
            if part.account_count:
                progress("transactions followed", whole.transaction_count, whole.transaction_total or None)
            else:
                progress("rows outside all chains searched", 0, None)
    return whole


def _verify_offline(account: str, heads: Path | None) -> Any:
    from prepaid.billing.v1.admin_pb2 import LedgerDifference, VerifyLedgerResponse

    from billing_service.cli.progress import shown_progress
    from billing_service.integrity.heads import HeadsInvalidError, read_heads
    from billing_service.integrity.verify import verify_ledger

    with explained():
        try:
            known = read_heads(heads) if heads is not None else {}
        except HeadsInvalidError as invalid:
            fail(f"{plain(heads)}: is no whole export of heads: {invalid}")
    if account:
        known = {name: head for name, head in known.items() if name == account}
    with shown_progress("verify") as progress:
        found = with_store(
            lambda store: verify_ledger(store, account, known, progress), LEAVE_OFFLINE_OUT, writes=False
        )
    return VerifyLedgerResponse(
        account_count=found.accounts,
        transaction_count=found.transactions,
        entry_count=found.entries,
        erased_count=found.erased,
        differences=[LedgerDifference(**difference._asdict()) for difference in found.differences],
    )


def heads(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new export.")], as_json: AsJson = False
) -> None:
    """Export the heads of all chains, to be kept elsewhere: `verify --offline --heads FILE` then detects a ledger that
    was rewritten.

    Reads the database without the service, which exports by itself with BILLING_HEADS_DIRECTORY.
    """
    confirm_free(STOP_FIRST)
    from billing_service.integrity.heads import export_heads

    exported = with_store(lambda store: export_heads(store, file), writes=False)
    if as_json:
        show_json({"file": str(file), "accounts": exported.accounts, "sha256": exported.digest})
    else:
        show_fields(f"Heads {file}", [("accounts", f"{exported.accounts:,}"), ("SHA-256", exported.digest)])


def _show(report: Any) -> None:
    counts = (
        f"{report.account_count:,} accounts, {report.transaction_count:,} transactions, {report.entry_count:,} entries"
    )
    if report.erased_count:
        counts += f", {report.erased_count:,} transactions with erased texts"
    if not report.differences:
        say(f"✓ the ledger proves every balance: {counts}")
        return
    rows: Sequence[Sequence[object]] = [(d.account_id, d.subject, d.expected, d.stored) for d in report.differences]
    DIFFERENCES.show("Differences", rows)
    typer.echo(f"✗ {len(rows):,} differences in {counts}", err=True)
