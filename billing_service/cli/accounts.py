"""`billing accounts …`, `balance`, `transactions`, `referral`."""

from datetime import datetime
from typing import Annotated, Any

import typer
from billing_client import BillingClient, CreditCategory, TransactionKind
from prepaid.billing.v1.accounts_pb2 import Account
from prepaid.billing.v1.referrals_pb2 import ReferralState
from prepaid.billing.v1.transactions_pb2 import Transaction

from billing_service.cli.amounts import read_credits, shown_credits, shown_unless_zero
from billing_service.cli.connection import AsJson, IdempotencyKey, calls_service
from billing_service.cli.display import enum_option, say, show_fields, show_json, shown_enum
from billing_service.cli.layout import Column
from billing_service.cli.listing import All, Extent, Limit, ListTable, show_list
from billing_service.cli.times import read_past, shown_time

accounts = typer.Typer(help="Accounts: list, show, create, update, freeze, thaw, overdraft.", no_args_is_help=True)

AccountId = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit log.")]
DEBT_MAX_OF_SETTINGS = -1

ACCOUNTS = ListTable(
    Column("account"),
    Column("balance", is_number=True),
    Column("debt", is_number=True),
    Column("frozen"),
    Column("e-mail", gives_way=True),
    Column("name", gives_way=True),
    Column("version", is_number=True, gives_way=True),
    Column("created", gives_way=True),
)
STATEMENT = ListTable(
    Column("time"),
    Column("kind"),
    Column("credits", is_number=True),
    Column("balance", is_number=True),
    Column("lots", gives_way=True),
    Column("description", gives_way=True),
    Column("transaction", gives_way=True),
)


@accounts.command("list")
@calls_service
def list_accounts(
    client: BillingClient,
    *,
    owing: Annotated[bool, typer.Option("--owing", help="Only those in debt; reads all accounts.")] = False,
    limit: Limit = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """All accounts, by id, with what each has left and what it owes, in credits."""
    extent = Extent(limit, everything)
    found = client.iter_accounts(page_size=extent.page_size)
    wanted = (account for account in found if account.debt_microcredits) if owing else found
    show_list("Accounts", ACCOUNTS, wanted, _account_cells, extent=extent, as_json=as_json)


def _account_cells(account: Account) -> tuple[object, ...]:
    return (
        account.account_id,
        shown_credits(account.balance_microcredits),
        shown_unless_zero(account.debt_microcredits),
        "yes" if account.frozen else "",
        account.email,
        account.name,
        account.account_version,
        shown_time(account.create_time),
    )


@accounts.command("show")
@calls_service
def show_account(client: BillingClient, account_id: AccountId, as_json: AsJson = False) -> None:
    """One account."""
    account = client.get_account(account_id=account_id).account
    if as_json:
        show_json(account)
    else:
        show_fields_of(account)


@accounts.command("freeze")
@calls_service
def freeze(
    client: BillingClient,
    *,
    account_id: AccountId,
    reason: Reason,
    idempotency_key: IdempotencyKey = None,
    as_json: AsJson = False,
) -> None:
    """Stop an account from spending."""
    done = client.freeze_account(account_id=account_id, frozen=True, reason=reason, idempotency_key=idempotency_key)
    if as_json:
        show_json(done)
    else:
        say(f"{account_id} is frozen")


@accounts.command("thaw")
@calls_service
def thaw(
    client: BillingClient,
    *,
    account_id: AccountId,
    reason: Reason,
    idempotency_key: IdempotencyKey = None,
    as_json: AsJson = False,
) -> None:
    """Let a frozen account spend again."""
    done = client.freeze_account(account_id=account_id, frozen=False, reason=reason, idempotency_key=idempotency_key)
    if as_json:
        show_json(done)
    else:
        say(f"{account_id} is no longer frozen")


def _read_debt_max(text: str) -> int:
    return DEBT_MAX_OF_SETTINGS if text == "default" else read_credits(text)


@accounts.command("overdraft")
@calls_service
def overdraft(
    client: BillingClient,
    *,
    account_id: AccountId,
    limit: Annotated[
        int, typer.Argument(metavar="CREDITS", parser=read_credits, help="How far it may go into debt; 0: not at all.")
    ],
    debt_max: Annotated[
        Any,
        typer.Option(
            metavar="CREDITS",
            parser=_read_debt_max,
            help="How far deductions that allow debt may go; `default`: as the service is set.",
        ),
    ] = None,
    reason: Reason,
    idempotency_key: IdempotencyKey = None,
    as_json: AsJson = False,
) -> None:
    """Set how far deductions may take an account into debt."""
    done = client.set_overdraft_limit(
        account_id=account_id,
        overdraft_limit_microcredits=limit,
        debt_max_microcredits=debt_max,
        reason=reason,
        idempotency_key=idempotency_key,
    )
    if as_json:
        show_json(done)
        return
    allowed = shown_credits(done.account.debt_max_microcredits)
    say(f"{account_id} may owe up to {shown_credits(limit)} credits, and {allowed} by deductions that allow debt")


@calls_service
def transactions(
    client: BillingClient,
    *,
    account_id: AccountId,
    kind: Annotated[Any, enum_option(TransactionKind, "Only this kind")] = None,
    since: Annotated[
        datetime | None, typer.Option(parser=read_past, metavar="TIME", help="From then on: 2026-05-31, or 7d ago.")
    ] = None,
    limit: Limit = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """An account's statement, newest first."""
    extent = Extent(limit, everything)
    found = client.iter_transactions(
        account_id=account_id,
        kind=kind or TransactionKind.Value("TRANSACTION_KIND_UNSPECIFIED"),
        start_time=since,
        page_size=extent.page_size,
    )
    show_list(f"Statement of {account_id}", STATEMENT, found, _transaction_cells, extent=extent, as_json=as_json)


def _transaction_cells(transaction: Transaction) -> tuple[object, ...]:
    lots = (
        f"{shown_enum(CreditCategory, draw.category)} {shown_credits(-draw.amount_microcredits)}"
        for draw in transaction.draws
    )
    return (
        shown_time(transaction.create_time),
        shown_enum(TransactionKind, transaction.kind),
        shown_credits(transaction.amount_microcredits),
        shown_credits(transaction.balance_after_microcredits),
        ", ".join(lots),
        transaction.description,
        transaction.transaction_id,
    )


@calls_service
def referral(client: BillingClient, account_id: AccountId, as_json: AsJson = False) -> None:
    """An account's referral code, who referred it, and whom it referred."""
    found = client.get_referral(account_id=account_id)
    if as_json:
        show_json(found)
        return
    brought = found.referral
    by = (
        f"{brought.referrer_account_id} ({shown_enum(ReferralState, brought.state)})"
        if found.HasField("referral")
        else "nobody"
    )
    show_fields(
        f"Referrals of {account_id}",
        [
            ("code", found.referral_code),
            ("referred by", by),
            (
                "referred",
                (
                    f"{found.total_count}, of whom {found.rewarded_count} rewarded and {found.pending_count} "
                    f"have not bought yet"
                ),
            ),
            ("earned", f"{shown_credits(found.earned_microcredits)} credits"),
        ],
    )


def show_fields_of(account: Account) -> None:
    show_fields(
        f"Account {account.account_id}",
        [
            ("e-mail", account.email),
            ("name", account.name),
            ("balance", shown_credits(account.balance_microcredits)),
            ("debt", shown_unless_zero(account.debt_microcredits)),
            ("referral code", account.referral_code),
            ("Stripe customer", account.stripe_customer_id),
            ("frozen", "yes" if account.frozen else "no"),
            ("overdraft limit", shown_credits(account.overdraft_limit_microcredits)),
            ("largest debt", shown_credits(account.debt_max_microcredits)),
            ("low balance", shown_unless_zero(account.low_balance_microcredits)),
            ("created", shown_time(account.create_time)),
            ("version", account.account_version),
            *((f"metadata {name}", value) for name, value in sorted(account.metadata.items())),
        ],
    )
