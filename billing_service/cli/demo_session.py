"""A chapter of the demo: a made-up model streams its answer in a session until the credits end."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from billing_client import MICROCREDITS_PER_CREDIT, AsyncBillingClient, GenerationOutcome, Usage, UsageKind, UsageLine
from prepaid.billing.v1.sessions_pb2 import STOP_REASON_CREDITS_EXHAUSTED

from billing_service.cli.amounts import shown_credits

PROMPT_TOKENS = 2_000
CREDITS = 2
SLICE_MICROCREDITS = MICROCREDITS_PER_CREDIT // 2
TOKENS_A_CHUNK = 50


async def stream_until_the_end(
    client: AsyncBillingClient, account_id: str, check: Callable[[str, Any, Any], None], done: Callable[[str], None]
) -> None:
    """`check` compares a value with what it must be; `done` prints a line. Raises BillingError."""
    await client.grant_credits(
        account_id=account_id, amount_microcredits=CREDITS * MICROCREDITS_PER_CREDIT, reason="a small purse"
    )
    written = 0
    async with client.meter_session(
        account_id=account_id, estimate=_usage(0), slice_microcredits=SLICE_MICROCREDITS
    ) as session:
        async for tokens in _answer():
            written += tokens
            await session.tick(_usage(written))
            await session.flush()
            if session.must_stop:
                break
        check("why the stream stopped", session.stop_reason, STOP_REASON_CREDITS_EXHAUSTED)
        closed = await session.close(GenerationOutcome.GENERATION_OUTCOME_CANCELED, _usage(written))
    check("what was charged", closed.charged_microcredits, CREDITS * MICROCREDITS_PER_CREDIT)
    check("what is left", closed.balance.available_microcredits, 0)
    done(f"a model wrote {written:,} tokens until the service said STOP: all {CREDITS} credits are spent, and no more")
    receipt = (await client.get_receipt(account_id=account_id, transaction_id=closed.transaction_id)).receipt
    check("the receipt's price", receipt.price, closed.price)
    for line in receipt.price.lines:
        kind = UsageKind.Name(line.kind).removeprefix("USAGE_KIND_").lower()
        done(f"receipt: {line.quantity:>6,} {kind:<14} x ${line.unit_price_usd} = ${line.cost_usd}")
    amount, lost = receipt.price.amount_microcredits, closed.uncollected_microcredits
    done(f"receipt: {shown_credits(amount)} credits with markup, of which {shown_credits(lost)} could not be collected")


async def _answer() -> AsyncIterator[int]:
    """Tokens of a model that never comes to an end."""
    while True:
        yield TOKENS_A_CHUNK


def _usage(written: int) -> Usage:
    """What the call used so far."""
    return Usage(
        provider="openai",
        model="gpt-5",
        lines=[
            UsageLine(kind=UsageKind.USAGE_KIND_INPUT_TOKENS, quantity=PROMPT_TOKENS),
            UsageLine(kind=UsageKind.USAGE_KIND_OUTPUT_TOKENS, quantity=written),
        ],
    )
