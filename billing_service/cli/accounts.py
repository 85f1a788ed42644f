"""`billing accounts …`, `balance`, `transactions`, `referral`."""

from datetime import datetime
from itertools import islice
from typing import Annotated, Any

import typer
from billing_client import BillingClient, CreditCategory, TransactionKind
from prepaid.billing.v1.accounts_pb2 import Account
from prepaid.billing.v1.referrals_pb2 import ReferralState

from billing_service.cli.amounts import read_credits, shown_credits
from billing_service.cli.connection import AsJson, IdempotencyKey, calls_service
from billing_service.cli.display import enum_option, say, show_fields, show_json, show_table, shown_enum
from billing_service.cli.times import read_past, shown_time

accounts = typer.Typer(help="Accounts: list, show, create, freeze, thaw, overdraft.", no_args_is_help=True)

AccountId = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="Most rows to show.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit log.")]
DEBT_MAX_OF_SETTINGS = -1


@accounts.command("list")
@calls_service
def list_accounts(client: BillingClient, limit: Limit = 100, as_json: AsJson = False) -> None:
    """All accounts, by id."""
    found = list(islice(client.iter_accounts(page_size=min(limit, 1000)), limit))
    if as_json:
        show_json(found)
        return
    rows = [(a.account_id, a.email, a.name, "yes" if a.frozen else "", a.account_version, shown_time(a.create_time)) for a in found]
    show_table("Accounts", ("account", "e-mail", "name", "frozen", "version", "created"), rows, numbers=["version"])


@accounts.command("show")
@calls_service
def show_account(client: BillingClient, account_id: AccountId, as_json: AsJson = False) -> None:
    """One account."""
    account = client.get_account(account_id=account_id).account
    if as_json:
        show_json(account)
    else:
        _show(account)


@accounts.command("create")
@calls_service
def create_account(
    client: BillingClient,
    *,
    account_id: AccountId,
    email: Annotated[str, typer.Option(help="For receipts.")] = "",
    name: Annotated[str, typer.Option(help="Display name.")] = "",
    referral_code: Annotated[str, typer.Option(help="Code of the account that referred this one.")] = "",
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Make an account."""
    made = client.create_account(
        account_id=account_id, email=email, name=name, referral_code=referral_code, idempotency_key=idempotency_key
    )
    _show(made.account)


@accounts.command("freeze")
@calls_service
def freeze(client: BillingClient, account_id: AccountId, reason: Reason, idempotency_key: IdempotencyKey = None) -> None:
    """Stop an account from spending."""
    client.freeze_account(account_id=account_id, frozen=True, reason=reason, idempotency_key=idempotency_key)
    say(f"{account_id} is frozen")


@accounts.command("thaw")
@calls_service
def thaw(client: BillingClient, account_id: AccountId, reason: Reason, idempotency_key: IdempotencyKey = None) -> None:
    """Let a frozen account spend again."""
    client.freeze_account(account_id=account_id, frozen=False, reason=reason, idempotency_key=idempotency_key)
    say(f"{account_id} is no longer frozen")


def _read_debt_max(text: str) -> int:
    return DEBT_MAX_OF_SETTINGS if text == "default" else read_credits(text)


@accounts.command("overdraft")
@calls_service
def overdraft(
    client: BillingClient,
    *,
    account_id: AccountId,
    limit: Annotated[int, typer.Argument(metavar="CREDITS", parser=read_credits, help="How far it may go into debt; 0: not at all.")],
    debt_max: Annotated[
        Any,
        typer.Option(
            metavar="CREDITS", parser=_read_debt_max, help="How far deductions that allow debt may go; `default`: as the service is set."
        ),
    ] = None,
    reason: Reason,
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Set how far deductions may take an account into debt."""
    account = client.set_overdraft_limit(
        account_id=account_id,
        overdraft_limit_microcredits=limit,
        debt_max_microcredits=debt_max,
        reason=reason,
        idempotency_key=idempotency_key,
    ).account
    allowed = shown_credits(account.debt_max_microcredits)
    say(f"{account_id} may owe up to {shown_credits(limit)} credits, and {allowed} by deductions that allow debt")


@calls_service
def balance(client: BillingClient, account_id: AccountId, as_json: AsJson = False) -> None:
    """What an account holds, in credits."""
    found = client.get_balance(account_id=account_id).balance
    if as_json:
        show_json(found)
        return
    parts = [
        ("available", shown_credits(found.available_microcredits)),
        ("  promotional", shown_credits(found.promotional_microcredits)),
        ("  plan", shown_credits(found.plan_microcredits)),
        ("  paid", shown_credits(found.paid_microcredits)),
        ("held", shown_credits(found.held_microcredits)),
        ("frozen", shown_credits(found.frozen_microcredits)),
        ("debt", shown_credits(found.debt_microcredits)),
        ("version", found.account_version),
    ]
    if found.HasField("next_expiry_time"):
        parts.append(("expiring next", f"{shown_credits(found.next_expiry_microcredits)} at {shown_time(found.next_expiry_time)}"))
    show_fields(f"Balance of {account_id}, in credits", parts)


@calls_service
def transactions(
    client: BillingClient,
    *,
    account_id: AccountId,
    kind: Annotated[Any, enum_option(TransactionKind, "Only this kind")] = None,
    since: Annotated[datetime | None, typer.Option(parser=read_past, metavar="TIME", help="From then on: 2026-05-31, or 7d ago.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """An account's statement, newest first."""
    found = list(
        islice(
            client.iter_transactions(
                account_id=account_id,
                kind=kind or TransactionKind.Value("TRANSACTION_KIND_UNSPECIFIED"),
                start_time=since,
                page_size=min(limit, 1000),
            ),
            limit,
        )
    )
    if as_json:
        show_json(found)
        return
    rows = [
        (
            shown_time(t.create_time),
            shown_enum(TransactionKind, t.kind),
            shown_credits(t.amount_microcredits),
            shown_credits(t.balance_after_microcredits),
            ", ".join(f"{shown_enum(CreditCategory, d.category)} {shown_credits(-d.amount_microcredits)}" for d in t.draws),
            t.description,
            t.transaction_id,
        )
        for t in found
    ]
    columns = ("time", "kind", "credits", "balance", "lots", "description", "transaction")
    show_table(f"Statement of {account_id}", columns, rows, numbers=["credits", "balance"])


@calls_service
def referral(client: BillingClient, account_id: AccountId, as_json: AsJson = False) -> None:
    """An account's referral code, who referred it, and whom it referred."""
    found = client.get_referral(account_id=account_id)
    if as_json:
        show_json(found)
        return
    brought = found.referral
    by = f"{brought.referrer_account_id} ({shown_enum(ReferralState, brought.state)})" if found.HasField("referral") else "nobody"
    show_fields(
        f"Referrals of {account_id}",
        [
            ("code", found.referral_code),
            ("referred by", by),
            ("referred", f"{found.total_count}, of whom {found.rewarded_count} rewarded and {found.pending_count} have not bought yet"),
            ("earned", f"{shown_credits(found.earned_microcredits)} credits"),
        ],
    )


def _show(account: Account) -> None:
    show_fields(
        f"Account {account.account_id}",
        [
            ("e-mail", account.email),
            ("name", account.name),
            ("referral code", account.referral_code),
            ("Stripe customer", account.stripe_customer_id),
            ("frozen", "yes" if account.frozen else "no"),
            ("overdraft limit", shown_credits(account.overdraft_limit_microcredits)),
            ("largest debt", shown_credits(account.debt_max_microcredits)),
            ("created", shown_time(account.create_time)),
            ("version", account.account_version),
            *((f"metadata {name}", value) for name, value in sorted(account.metadata.items())),
        ],
    )
