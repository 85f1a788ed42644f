"""GetReceipt over the wire: what charges nothing has none; what charges is explained for ever, from the ledger
alone."""

import sqlite3
from contextlib import closing
from random import Random

import pytest
import pytest_asyncio
from billing_client import Deduction
from billing_client.errors import AccountNotFound, BillingError, InvalidField, TransactionNotFound
from google.protobuf.timestamp_pb2 import Timestamp
from prepaid.billing.v1.transactions_pb2 import (
    DEDUCTION_MODE_ALLOW_DEBT,
    DEDUCTION_MODE_REJECT,
    DEDUCTION_MODE_UP_TO_AVAILABLE,
    TRANSACTION_KIND_DEDUCTION,
)
from prepaid.billing.v1.usage_pb2 import MEASUREMENT_ESTIMATED

from tests.support.databases import connect_to
from tests.support.priced_stack import (
    GPT,
    INPUT,
    NANO,
    OUTPUT,
    REQUESTS,
    SONNET,
    UNITS,
    WRITTEN,
    give,
    put_card_by_hand,
    usage,
)
from tests.support.stack import CREDIT, running_stack
from tests.support.tampering import tamper

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def priced(database):
    """The service's client, by the card that is written by hand."""
    await put_card_by_hand(database)
    async with running_stack(database.url) as stack:
        yield stack.client


async def receipt_of(client, deducted, account_id="acme"):
    return (await client.get_receipt(account_id=account_id, transaction_id=deducted.transaction_id)).receipt


async def test_what_charges_nothing_has_no_receipt(priced):
    granted = await priced.grant_credits(account_id="acme", amount_microcredits=CREDIT, reason="gift")
    await give(priced, "other", CREDIT)
    deducted = await priced.deduct_credits(account_id="acme", amount_microcredits=5)
    back = await priced.reverse_deduction(account_id="acme", transaction_id=deducted.transaction_id)
    for nothing in (granted, back):
        with pytest.raises(InvalidField) as refused:
            await receipt_of(priced, nothing)
        assert [name for name, _ in refused.value.violations] == ["transaction_id"]
    with pytest.raises(TransactionNotFound):
        await receipt_of(priced, deducted, "other")
    with pytest.raises(AccountNotFound):
        await receipt_of(priced, deducted, "nobody")


async def test_every_part_of_a_receipt(priced):
    await give(priced, "acme", 30_000_000)
    await priced.grant_credits(account_id="acme", amount_microcredits=50_000_000, reason="later", priority=60)
    asked = usage(
        [(WRITTEN, "1h", 40), (INPUT, "", 199_960), (OUTPUT, "", 0), (UNITS, "web_searches", 2)],
        **SONNET,
        service_tier="standard",
        attributes={"speed": "standard", "region": ""},
        request_id="req_17",
        measurement=MEASUREMENT_ESTIMATED,
        occur_time=Timestamp(seconds=1_700_000_000),
    )
    deducted = await priced.deduct_credits(account_id="acme", usage=asked)
    found = await receipt_of(priced, deducted)
    assert (found.transaction_id, found.account_id) == (deducted.transaction_id, "acme")
    assert (found.request_id, found.provider, found.model, found.service_tier) == (
        "req_17",
        SONNET["provider"],
        SONNET["model"],
        "standard",
    )
    assert (dict(found.attributes), found.measurement, found.occur_time.seconds) == (
        {"speed": "standard"},
        MEASUREMENT_ESTIMATED,
        1_700_000_000,
    )
    assert found.price == deducted.price
    assert (found.price.exact_total, found.price.markup_ppm, found.price.rate_card_version) == (
        "68213200",
        100_000,
        "hand-1",
    )
    assert (found.amount_microcredits, found.charged_microcredits, found.uncollected_microcredits) == (
        68_213_200,
        68_213_200,
        0,
    )
    assert list(found.draws) == list(deducted.draws)
    assert [draw.amount_microcredits for draw in found.draws] == [30_000_000, 38_213_200]
    assert (found.balance_before_microcredits, found.balance_after_microcredits) == (80_000_000, 11_786_800)
    assert (found.reversed_microcredits, list(found.reversals)) == (0, [])


async def test_reversals_are_on_the_receipt_and_change_nothing_else(priced):
    await give(priced, "acme", CREDIT)
    deducted = await priced.deduct_credits(account_id="acme", usage=usage([(INPUT, "", 1_000)], **GPT))
    other = await priced.deduct_credits(account_id="acme", amount_microcredits=9)
    before = await receipt_of(priced, deducted)
    back = [
        await priced.reverse_deduction(
            account_id="acme", transaction_id=deducted.transaction_id, amount_microcredits=amount
        )
        for amount in (3, 40)
    ]
    await priced.reverse_deduction(account_id="acme", transaction_id=other.transaction_id)
    after = await receipt_of(priced, deducted)
    assert after.reversed_microcredits == 43
    assert [(each.transaction_id, each.reversed_microcredits) for each in after.reversals] == [
        (back[0].transaction_id, 3),
        (back[1].transaction_id, 40),
    ]
    after.ClearField("reversed_microcredits")
    after.ClearField("reversals")
    assert after == before


async def test_a_receipt_of_a_plain_amount_has_no_lines(priced):
    await give(priced, "acme", 5)
    short = await priced.deduct_credits(account_id="acme", amount_microcredits=7, mode=DEDUCTION_MODE_UP_TO_AVAILABLE)
    found = await receipt_of(priced, short)
    assert (found.amount_microcredits, found.charged_microcredits, found.uncollected_microcredits) == (7, 5, 2)
    assert (found.HasField("price"), found.provider, found.measurement) == (False, "", 0)


async def test_a_capture_has_a_receipt_that_names_the_lots(priced):
    await give(priced, "acme", CREDIT)
    held = await priced.hold_credits(account_id="acme", amount_microcredits=500)
    captured = await priced.capture_hold(account_id="acme", hold_id=held.hold.hold_id, amount_microcredits=300)
    found = await receipt_of(priced, captured)
    assert (found.amount_microcredits, found.charged_microcredits) == (300, 300)
    assert list(found.draws) == list(captured.draws)


async def test_a_receipt_is_the_same_for_ever_without_any_rate_card(database):
    """No card is asked: all of them are gone, and the service has another one."""
    await put_card_by_hand(database)
    calls = [
        usage([(INPUT, "", 1_000), (OUTPUT, "", 500)], **GPT, request_id="Ü"),
        usage([(REQUESTS, "", 5)], provider="openai", model="whisper-1"),
        usage([(INPUT, "", 1)], provider="openrouter", model="auto", provider_cost_usd="0.0123"),
        usage([(INPUT, "", 3)], **SONNET, attributes={"region": "us", "speed": "fast"}),
    ]
    async with running_stack(database.url) as stack:
        await give(stack.client, "acme", 10 * CREDIT)
        made = [await stack.client.deduct_credits(account_id="acme", usage=each) for each in calls]
        first = [(await receipt_of(stack.client, each)).SerializeToString(deterministic=True) for each in made]
    tamper(database, "DELETE FROM rate_cards")
    async with running_stack(database.url) as stack:
        again = [(await receipt_of(stack.client, each)).SerializeToString(deterministic=True) for each in made]
    assert again == first


async def usage_of_the_ledger(database):
    """What entries say was used, less what came back."""
    query = (
        "SELECT coalesce(sum(CASE WHEN destination = 'usage' THEN amount ELSE -amount END), 0) FROM entries "
        "WHERE 'usage' IN (source, destination)"
    )
    if database.store == "sqlite":
        with closing(sqlite3.connect(database.path)) as connection:
            return connection.execute(query).fetchone()[0]
    connection = await connect_to(database.url)
    try:
        return int(await connection.fetchval(query))
    finally:
        await connection.close()


def random_deduction(random):
    mode = random.choice([DEDUCTION_MODE_REJECT, DEDUCTION_MODE_UP_TO_AVAILABLE, DEDUCTION_MODE_ALLOW_DEBT])
    if random.random() < 0.4:
        return Deduction(account_id="acme", amount_microcredits=random.randint(1, 3_000), mode=mode)
    lines = [(kind, "", random.randint(0, 20)) for kind in (INPUT, OUTPUT)]
    return Deduction(account_id="acme", usage=usage([*lines, (5, "", 1)], **random.choice([GPT, NANO])), mode=mode)


@pytest.mark.parametrize("seed", range(3))
async def test_receipts_add_up_to_the_usage_of_the_ledger(database, priced, seed):
    random = Random(seed)
    made = []
    for _ in range(60):
        try:
            if made and random.random() < 0.2:
                await priced.reverse_deduction(
                    account_id="acme", transaction_id=random.choice(made), amount_microcredits=random.randint(1, 2_000)
                )
            elif random.random() < 0.2:
                await give(priced, "acme", random.randint(1, 20_000))
            else:
                (answer,) = await priced.batch_deduct_credits(deductions=[random_deduction(random)])
                if not isinstance(answer, BillingError):
                    made.append(answer.transaction_id)
        except BillingError:
            continue
    receipts = [(await priced.get_receipt(account_id="acme", transaction_id=name)).receipt for name in made]
    for found in receipts:
        assert found.charged_microcredits + found.uncollected_microcredits == found.amount_microcredits
        assert found.reversed_microcredits == sum(each.reversed_microcredits for each in found.reversals)
        if found.HasField("price"):
            assert found.price.amount_microcredits == found.amount_microcredits
    assert made
    kept = sum(found.charged_microcredits - found.reversed_microcredits for found in receipts)
    assert kept == await usage_of_the_ledger(database)
    listed = [each async for each in priced.iter_transactions(account_id="acme", kind=TRANSACTION_KIND_DEDUCTION)]
    shown = {each.transaction_id: (each.charge_microcredits, each.uncollected_microcredits) for each in listed}
    assert shown == {
        found.transaction_id: (found.amount_microcredits, found.uncollected_microcredits) for found in receipts
    }
    assert (await priced.verify_ledger()).differences == []
