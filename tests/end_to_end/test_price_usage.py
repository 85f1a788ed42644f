"""Deductions of usage over the wire: what has no price moves nothing; what has one is charged by it, rounded up once,
and its price comes back for ever."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from billing_client import AsyncBillingClient, Deduction
from billing_client.errors import (
    IdempotencyKeyReused,
    InsufficientCredits,
    InvalidField,
    PriceMissing,
    UnknownModel,
)
from google.protobuf.timestamp_pb2 import Timestamp
from prepaid.billing.v1.transactions_pb2 import (
    DEDUCTION_MODE_ALLOW_DEBT,
    DEDUCTION_MODE_UP_TO_AVAILABLE,
    TRANSACTION_KIND_DEDUCTION,
)
from prepaid.billing.v1.usage_pb2 import MEASUREMENT_ESTIMATED, TIME_BASIS_OCCURRED, TIME_BASIS_RECEIVED

from tests.support.ledger_check import ledger_problems
from tests.support.priced_stack import (
    GPT,
    IMAGES,
    INPUT,
    NANO,
    ONE,
    OUTPUT,
    REASONING,
    REQUESTS,
    SONNET,
    WAYS,
    give,
    outcome,
    put_card_by_hand,
    unary,
    usage,
)
from tests.support.stack import CREDIT, running_stack
from tests.support.tampering import tamper
from tests.support.wire import row_counts

pytestmark = pytest.mark.asyncio(loop_scope="session")

A_CALL = [(INPUT, "", 1_000), (OUTPUT, "", 500)]
"""Of gpt-5: 1,000 x $0.00000125 + 500 x $0.00001, and 15 %: 718,750 microcredits."""
COST = 718_750


@pytest_asyncio.fixture(loop_scope="session")
async def priced(database):
    """The service's client, by the card that is written by hand."""
    await put_card_by_hand(database)
    async with running_stack(database.url) as stack:
        yield stack.client


UNPRICED = [
    (usage(provider="openai", model="gpt-5-pro"), UnknownModel, "provider"),
    (usage([*ONE, (IMAGES, "", 1)], **GPT), PriceMissing, "missing"),
    (usage(**GPT, service_tier="flex"), PriceMissing, "missing"),
    (usage(**GPT, attributes={"region": "mars"}), PriceMissing, "missing"),
    (usage(**GPT, provider_cost_usd="0.1"), InvalidField, "field"),
    (usage([(OUTPUT, "", 0)], **GPT), InvalidField, "field"),
]


@pytest.mark.parametrize("way", WAYS)
async def test_what_has_no_price_is_refused_by_name_and_moves_nothing(database, priced, way):
    account_id = await give(priced, "acme", CREDIT)
    before = await row_counts(database)
    for unpriced, error, named in UNPRICED:
        deduction = Deduction(account_id=account_id, usage=unpriced, idempotency_key="free still")
        refused = await outcome(way, priced, deduction)
        assert isinstance(refused, error), refused
        assert named in refused.metadata
    unknown = await outcome(way, priced, Deduction(account_id="nobody", usage=UNPRICED[0][0]))
    assert unknown.reason == "ACCOUNT_NOT_FOUND"
    assert await row_counts(database) == before
    deducted = await outcome(
        way, priced, Deduction(account_id=account_id, usage=usage(**GPT), idempotency_key="free still")
    )
    assert not deducted.replayed


@pytest.mark.parametrize("way", WAYS)
async def test_the_price_is_charged_and_comes_back(priced, way):
    account_id = await give(priced, "acme", CREDIT)
    asked = usage(A_CALL, **GPT, request_id="req-1", measurement=MEASUREMENT_ESTIMATED)
    quoted = await priced.quote_usage(usage=asked)
    deduction = Deduction(account_id=account_id, usage=asked, description="d", metadata={"a": "b"})
    deducted = await WAYS[way](priced, deduction)
    assert deducted.price == quoted.price
    assert deducted.price.amount_microcredits == deducted.deducted_microcredits == COST
    assert (deducted.uncollected_microcredits, sum(draw.amount_microcredits for draw in deducted.draws)) == (0, COST)
    assert deducted.balance.available_microcredits == CREDIT - COST
    for ask in WAYS.values():
        repeated = await ask(priced, deduction)
        assert repeated.replayed
        repeated.replayed = False
        assert repeated.SerializeToString() == deducted.SerializeToString()
    listed = (await priced.list_transactions(account_id=account_id)).transactions[0]
    assert (listed.transaction_id, listed.charge_microcredits, listed.uncollected_microcredits, listed.priced) == (
        deducted.transaction_id,
        COST,
        0,
        True,
    )


async def test_a_repeat_is_answered_when_the_card_is_gone(database):
    """Though its usage could be priced no more."""
    await put_card_by_hand(database)
    deduction = Deduction(account_id="acme", usage=usage(provider="azure", model="my-deployment"))
    async with running_stack(database.url) as stack:
        await give(stack.client, "acme", CREDIT)
        first = await unary(stack.client, deduction)
    tamper(database, "DELETE FROM rate_cards")
    async with running_stack(database.url) as stack:
        for ask in WAYS.values():
            again = await ask(stack.client, deduction)
            assert again.replayed
            again.replayed = False
            assert again == first
        reused = Deduction(
            account_id="acme", usage=usage(**GPT), idempotency_key=deduction.idempotency_key, description="else"
        )
        assert isinstance(await outcome("unary", stack.client, reused), IdempotencyKeyReused)
        with pytest.raises(UnknownModel):
            await unary(stack.client, Deduction(account_id="acme", usage=deduction.usage))


async def test_the_same_usage_in_other_words_is_the_same_request(priced):
    account_id = await give(priced, "acme", CREDIT)
    asked = usage(A_CALL, **GPT, attributes={"region": ""})
    first = await priced.deduct_credits(account_id=account_id, usage=asked, idempotency_key="k")
    same = usage([(REASONING, "", 0), *reversed(A_CALL)], **GPT, measurement=1)
    again = await priced.deduct_credits(account_id=account_id, usage=same, idempotency_key="k")
    assert (again.replayed, again.transaction_id) == (True, first.transaction_id)
    others = [
        usage([*A_CALL, (REASONING, "", 1)], **GPT),
        usage(A_CALL, **GPT, service_tier="priority"),
        usage(A_CALL, **NANO),
        usage(A_CALL, **GPT, request_id="another"),
        usage(A_CALL, **GPT, measurement=MEASUREMENT_ESTIMATED),
        usage(A_CALL, **GPT, attributes={"region": "us"}),
        usage(A_CALL, **GPT, occur_time=moment(60)),
        usage(A_CALL, **GPT, provider_cost_usd="1"),
    ]
    for other in others:
        with pytest.raises(IdempotencyKeyReused):
            await priced.deduct_credits(account_id=account_id, usage=other, idempotency_key="k")
    with pytest.raises(IdempotencyKeyReused):
        await priced.deduct_credits(account_id=account_id, amount_microcredits=COST, idempotency_key="k")


def moment(ago_s):
    found = Timestamp()
    found.FromDatetime(datetime.now(UTC) - timedelta(seconds=ago_s))
    return found


@pytest.mark.parametrize(
    ("ago_s", "basis"),
    [(3_600, TIME_BASIS_OCCURRED), (-3_600, TIME_BASIS_RECEIVED), (25 * 3_600, TIME_BASIS_RECEIVED)],
)
async def test_whose_time_chose_the_price_is_said(priced, ago_s, basis):
    account_id = await give(priced, "acme", CREDIT)
    deducted = await priced.deduct_credits(account_id=account_id, usage=usage(**GPT, occur_time=moment(ago_s)))
    assert deducted.price.time_basis == basis


async def test_what_could_not_be_charged_is_a_figure(database, priced):
    account_id = await give(priced, "acme", 500_000)
    short = await priced.deduct_credits(
        account_id=account_id, usage=usage(A_CALL, **GPT), mode=DEDUCTION_MODE_UP_TO_AVAILABLE
    )
    assert (short.deducted_microcredits, short.uncollected_microcredits) == (500_000, COST - 500_000)
    assert short.price.amount_microcredits == COST
    nothing = await priced.deduct_credits(
        account_id=account_id, usage=usage(**NANO), mode=DEDUCTION_MODE_UP_TO_AVAILABLE
    )
    assert (nothing.deducted_microcredits, nothing.uncollected_microcredits) == (0, 6)
    plain = await priced.deduct_credits(
        account_id=account_id, amount_microcredits=7, mode=DEDUCTION_MODE_UP_TO_AVAILABLE
    )
    assert (plain.deducted_microcredits, plain.uncollected_microcredits) == (0, 7)
    page = await priced.list_transactions(account_id=account_id)
    shown = [(t.charge_microcredits, t.uncollected_microcredits, t.priced) for t in page.transactions]
    assert shown == [(7, 7, False), (6, 6, True), (COST, COST - 500_000, True), (0, 0, False)]
    assert (await priced.verify_ledger()).differences == []
    assert ledger_problems(database) == []


async def test_a_price_of_0_is_a_transaction_without_entries(priced):
    account_id = await give(priced, "acme", CREDIT)
    free = Deduction(account_id=account_id, usage=usage([(REQUESTS, "", 5)], provider="openai", model="whisper-1"))
    for ask in WAYS.values():
        deducted = await ask(priced, free)
        assert (deducted.deducted_microcredits, deducted.price.exact_total, list(deducted.draws)) == (0, "0", [])
        assert deducted.transaction_id.startswith("txn_")
    page = await priced.list_transactions(account_id=account_id, kind=TRANSACTION_KIND_DEDUCTION)
    assert [transaction.priced for transaction in page.transactions] == [True]


@pytest.mark.parametrize("way", WAYS)
async def test_who_is_short_is_told_what_is_affordable_and_what_to_buy(priced, way):
    account_id = await give(priced, "acme", 500_000)
    refused = await outcome(way, priced, Deduction(account_id=account_id, usage=usage(A_CALL, **GPT)))
    assert isinstance(refused, InsufficientCredits)
    assert (refused.required_microcredits, refused.shortfall_microcredits) == (COST, COST - 500_000)
    # 500,000 - 1,000 x 143.75 microcredits are left for output at 1,150 each: 309.78
    assert refused.affordable_output_tokens == 309
    fits = usage([(INPUT, "", 1_000), (OUTPUT, "", 309)], **GPT)
    assert (await priced.quote_usage(usage=fits)).price.amount_microcredits <= 500_000
    cheapest = min((await priced.list_packages()).packages, key=lambda package: package.price_minor)
    assert refused.package_code == cheapest.code
    plain = await outcome(way, priced, Deduction(account_id=account_id, amount_microcredits=CREDIT))
    assert (plain.affordable_output_tokens, plain.package_code) == (None, None)
    prompt = await outcome(way, priced, Deduction(account_id=account_id, usage=usage([(INPUT, "", 10**9)], **SONNET)))
    assert "affordable_output_tokens" not in prompt.metadata


async def test_debt_of_a_usage_is_all_of_its_price(priced):
    account_id = await give(priced, "acme", 500_000)
    owed = await priced.deduct_credits(
        account_id=account_id, usage=usage(A_CALL, **GPT), mode=DEDUCTION_MODE_ALLOW_DEBT
    )
    assert (owed.deducted_microcredits, owed.uncollected_microcredits) == (COST, 0)
    assert owed.balance.debt_microcredits == COST - 500_000


async def test_a_priced_deduction_is_undone_as_any_other(priced):
    account_id = await give(priced, "acme", CREDIT)
    deducted = await priced.deduct_credits(account_id=account_id, usage=usage(A_CALL, **GPT))
    part = await priced.reverse_deduction(
        account_id=account_id, transaction_id=deducted.transaction_id, amount_microcredits=750
    )
    rest = await priced.reverse_deduction(account_id=account_id, transaction_id=deducted.transaction_id)
    assert (part.reversed_microcredits, rest.reversed_microcredits) == (750, COST - 750)
    assert rest.balance.available_microcredits == CREDIT
    assert (await priced.verify_ledger()).differences == []


def mixed(account_id):
    """Usages and amounts, one after the other."""
    return [
        Deduction(account_id=account_id, usage=usage(**NANO))
        if number % 2
        else Deduction(account_id=account_id, amount_microcredits=number + 1)
        for number in range(9)
    ]


@pytest.mark.parametrize("way", ["batch", "stream"])
async def test_deductions_of_one_account_take_effect_in_their_order_when_no_card_is_in_memory(database, way):
    """The first usage waits for the card; what comes after it does not overtake it."""
    await put_card_by_hand(database)
    async with running_stack(database.url) as stack:
        await give(stack.client, "acme", CREDIT)
        deductions = mixed("acme")
        if way == "batch":
            answers = await stack.client.batch_deduct_credits(deductions=deductions)
        else:
            async with stack.client.stream_deductions() as stream:
                answers = await asyncio.gather(*[await stream.send(deduction) for deduction in deductions])
        assert [answer.deducted_microcredits for answer in answers] == [1, 6, 3, 6, 5, 6, 7, 6, 9]
        versions = [answer.balance.account_version for answer in answers]
        assert versions == sorted(versions)


async def test_a_client_asks_for_an_amount_or_a_usage():
    async with AsyncBillingClient("127.0.0.1:1") as client:
        for neither_or_both in ({}, {"amount_microcredits": 1, "usage": usage(**GPT)}):
            with pytest.raises(TypeError, match="either amount_microcredits or usage"):
                await client.deduct_credits(account_id="acme", **neither_or_both)
