"""`billing grant`, `adjust`, `reverse`."""

from datetime import datetime
from typing import Annotated, Any

import typer
from billing_client import BillingClient, CreditCategory

from billing_service.cli.accounts import AccountId, Reason
from billing_service.cli.amounts import read_credits, shown_credits
from billing_service.cli.connection import AsJson, IdempotencyKey, calls_service
from billing_service.cli.display import enum_option, say, show_json
from billing_service.cli.times import read_future


@calls_service
def grant(
    client: BillingClient,
    *,
    account_id: AccountId,
    amount: Annotated[
        int, typer.Argument(metavar="CREDITS", parser=read_credits, help="How many, such as 100 or 0.25.")
    ],
    reason: Reason,
    category: Annotated[Any, enum_option(CreditCategory, "Promotional when absent")] = None,
    expires: Annotated[
        datetime | None, typer.Option(parser=read_future, metavar="TIME", help="2026-12-31, or in 30d.")
    ] = None,
    priority: Annotated[int | None, typer.Option(min=0, max=100, help="0 is spent first; 50 when absent.")] = None,
    idempotency_key: IdempotencyKey = None,
    as_json: AsJson = False,
) -> None:
    """Give credits to an account, which is made when there is none."""
    answer = client.grant_credits(
        account_id=account_id,
        amount_microcredits=amount,
        reason=reason,
        category=category or CreditCategory.Value("CREDIT_CATEGORY_PROMOTIONAL"),
        expire_time=expires,
        priority=priority,
        idempotency_key=idempotency_key,
    )
    if as_json:
        show_json(answer)
    else:
        _say("granted", amount, answer.transaction_id, answer.balance.available_microcredits)


@calls_service
def adjust(
    client: BillingClient,
    *,
    account_id: AccountId,
    amount: Annotated[
        int, typer.Argument(metavar="CREDITS", parser=read_credits, help="To add, or with a minus to take.")
    ],
    reason: Reason,
    idempotency_key: IdempotencyKey = None,
    as_json: AsJson = False,
) -> None:
    """Correct a balance, up or down."""
    answer = client.adjust_credits(
        account_id=account_id, amount_microcredits=amount, reason=reason, idempotency_key=idempotency_key
    )
    if as_json:
        show_json(answer)
    else:
        _say("adjusted by", amount, answer.transaction_id, answer.balance.available_microcredits)


@calls_service
def reverse(
    client: BillingClient,
    *,
    account_id: AccountId,
    transaction_id: Annotated[str, typer.Argument(metavar="TRANSACTION", help="The deduction's id, txn_…")],
    amount: Annotated[
        int | None,
        typer.Option(parser=read_credits, metavar="CREDITS", help="A part of it; all that is left of it when absent."),
    ] = None,
    reason: Annotated[str, typer.Option(help="For statement and audit log.")] = "",
    idempotency_key: IdempotencyKey = None,
    as_json: AsJson = False,
) -> None:
    """Give back what a deduction took, whole or in part."""
    answer = client.reverse_deduction(
        account_id=account_id,
        transaction_id=transaction_id,
        amount_microcredits=amount,
        reason=reason,
        idempotency_key=idempotency_key,
    )
    if as_json:
        show_json(answer)
    else:
        _say("gave back", answer.reversed_microcredits, answer.transaction_id, answer.balance.available_microcredits)


def _say(what: str, microcredits: int, transaction_id: str, available: int) -> None:
    say(f"{transaction_id}: {what} {shown_credits(microcredits)} credits; {shown_credits(available)} available now")
