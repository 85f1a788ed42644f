"""The last chapter of the demo: a statement, the inbox, and the proof of the ledger."""

from collections.abc import Callable
from typing import Any

from billing_client import AsyncBillingClient, TransactionKind

from billing_service.cli.amounts import shown_credits
from billing_service.cli.display import shown_enum


async def look_back(
    client: AsyncBillingClient,
    account_id: str,
    check: Callable[[str, Any, Any], None],
    done: Callable[[str], None],
    detail: Callable[[str], None],
) -> None:
    """`check` compares a value with what it must be; `done` and `detail` print a line. Raises BillingError."""
    statement = [row async for row in client.iter_transactions(account_id=account_id)]
    for row in reversed(statement):
        kind = shown_enum(TransactionKind, row.kind)
        detail(
            f"{kind:<22}{shown_credits(row.amount_microcredits):>16}{shown_credits(row.balance_after_microcredits):>16}"
        )
    check(
        "the last balance of the statement",
        statement[0].balance_after_microcredits,
        (await client.get_balance(account_id=account_id)).balance.available_microcredits,
    )
    done("the statement of one account: each row with the balance after it")
    inbox = (await client.list_stripe_events(page_size=1000)).events
    kinds = sorted({event.event_type for event in inbox})
    done(f"{len(inbox)} of Stripe's events are kept: {', '.join(kinds)}")
    proof = await client.verify_ledger()
    check("differences found", [f"{d.account_id} {d.subject}" for d in proof.differences], [])
    done(
        f"verified from the entries up: {proof.account_count} accounts, {proof.transaction_count} transactions, "
        f"{proof.entry_count} entries, no difference"
    )
