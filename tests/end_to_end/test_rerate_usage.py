"""ReRate over the wire: what a past window of usage costs by another card, in parts that add up; nothing is changed."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from prepaid.billing.v1.transactions_pb2 import DEDUCTION_MODE_UP_TO_AVAILABLE

from billing_service.storage.rows import rerating as rows
from tests.support.priced_stack import GPT, INPUT, NANO, OUTPUT, SONNET, give, put_card_by_hand, usage
from tests.support.rate_card_examples import BY_HAND
from tests.support.stack import CREDIT, running_stack
from tests.support.wire import row_counts

pytestmark = pytest.mark.asyncio(loop_scope="session")

A_CALL = usage([(INPUT, "", 1_000), (OUTPUT, "", 500)], **GPT)
"""1,000 x $0.00000125 + 500 x $0.00001, and 15 %: 718,750 microcredits."""
OTHER_CALL = usage([(INPUT, "", 1_000)], **SONNET)
"""1,000 x $0.000003, and 10 %: 330,000."""
LOST_CALL = usage([(INPUT, "", 1_000)], **NANO)
"""1,000 x $0.00000005, and 15 %: 5,750."""
AMOUNTS = ("price", "uncollected", "charged", "new_price", "target", "difference")
FIELDS = ("usage_count", *(f"{name}_microcredits" for name in AMOUNTS))


def half_price(version="half"):
    """The card written by hand; gpt-5 costs half, and gpt-5-nano is not in it."""
    card = json.loads(BY_HAND) | {"version": version}
    entries = {entry["model"]: entry for entry in card["entries"]}
    (standard, _) = entries["gpt-5*"]["columns"]
    standard["prices"] = {"input_tokens": {"per_million_usd": "0.625"}, "output_tokens": {"per_million_usd": "5"}}
    del entries["gpt-5-nano*"]
    # `gpt-5*` is for dated names alone, so nothing else prices the nano
    return json.dumps(card | {"entries": list(entries.values())}).encode()


@pytest_asyncio.fixture(loop_scope="session")
async def priced(database):
    """The service's client, by the card that is written by hand; `half` is stored, and not in force."""
    await put_card_by_hand(database)
    async with running_stack(database.url) as stack:
        await stack.client.create_rate_card_version(card_file=half_price())
        yield stack.client


def window(**fields):
    now = datetime.now(UTC)
    return {"to_rate_card_version": "half", "start_time": now - timedelta(hours=1), "end_time": now} | fields


async def summed(client, **fields):
    """All parts of a re-rating: sums by model, by account, what has no price, and how many parts there were."""
    models, accounts, unpriced, parts = {}, {}, Counter(), 0
    async for part in client.iter_re_rating(**window(**fields)):
        parts += 1
        for sums, names in (
            (models, [(each.model, each.totals) for each in part.models]),
            (accounts, [(each.account_id, each.totals) for each in part.accounts]),
        ):
            for name, totals in names:
                values = [getattr(totals, field) for field in FIELDS]
                before = sums.get(name, (0,) * len(FIELDS))
                sums[name] = tuple(map(sum, zip(before, values, strict=True)))
        for each in part.unpriced:
            unpriced[each.model, each.missing] += each.usage_count
    return models, accounts, dict(unpriced), parts


async def spend(client):
    """Six usages of two accounts, one of them undone in part, and one collected in part."""
    await give(client, "acme", 10 * CREDIT)
    await give(client, "zoe", 500_000)
    whole = [await client.deduct_credits(account_id="acme", usage=A_CALL) for _ in range(2)]
    await client.reverse_deduction(
        account_id="acme", transaction_id=whole[1].transaction_id, amount_microcredits=287_500
    )
    await client.deduct_credits(account_id="acme", usage=OTHER_CALL)
    await client.deduct_credits(account_id="acme", usage=LOST_CALL)
    await client.deduct_credits(account_id="acme", amount_microcredits=77)
    await client.deduct_credits(account_id="zoe", usage=A_CALL, mode=DEDUCTION_MODE_UP_TO_AVAILABLE)
    held = await client.hold_credits(account_id="acme", amount_microcredits=2 * CREDIT)
    await client.capture_hold(account_id="acme", hold_id=held.hold.hold_id, usage=A_CALL)


async def test_a_window_by_another_card(priced, database):
    await spend(priced)
    before = await row_counts(database)
    models, accounts, unpriced, parts = await summed(priced)
    assert parts == 1
    assert models == {
        # two whole, one of which 0.6 are left, and one of which 500,000 were there to be taken
        GPT["model"]: (4, 2_875_000, 218_750, 718_750 * 2 + 431_250 + 500_000, 1_437_500, 1_293_750, -1_075_000),
        SONNET["model"]: (1, 330_000, 0, 330_000, 330_000, 330_000, 0),
    }
    assert accounts == {
        "acme": (4, 2_486_250, 0, 2_198_750, 1_408_125, 1_264_375, -934_375),
        "zoe": (1, 718_750, 218_750, 500_000, 359_375, 359_375, -140_625),
    }
    assert unpriced == {(NANO["model"], "model"): 1}
    assert await row_counts(database) == before


async def test_only_the_window_and_the_card_that_were_asked_for(priced):
    await spend(priced)
    everything = await summed(priced)
    assert await summed(priced, from_rate_card_version="hand-1") == everything
    nothing = ({}, {}, {}, 1)
    assert await summed(priced, from_rate_card_version="half") == nothing
    now = datetime.now(UTC)
    assert await summed(priced, end_time=now - timedelta(minutes=30)) == nothing
    assert await summed(priced, start_time=now, end_time=now + timedelta(days=92)) == nothing
    own = await summed(priced, to_rate_card_version="hand-1")
    assert {totals[-1] for totals in own[0].values()} == {0}
    assert own[2] == {}
    assert len(own[0]) == 3


async def test_parts_add_up_to_the_whole(priced, monkeypatch):
    await spend(priced)
    whole = await summed(priced)
    monkeypatch.setattr(rows, "ROWS_A_READ", 3)
    for page_size in (1, 3):
        *found, parts = await summed(priced, page_size=page_size)
        assert tuple(found) == whole[:-1]
        assert parts > 1
    reached = [part.reached_time.ToDatetime(UTC) async for part in priced.iter_re_rating(**window(page_size=1))]
    assert reached == sorted(reached)
    monkeypatch.setattr("billing_service.commands.spending.rerate_usage.READS_A_PART", 1)
    *found, _ = await summed(priced)
    assert tuple(found) == whole[:-1]


async def test_reading_ends_behind_the_window(priced, monkeypatch):
    """What was charged long after is not read: a window of last year costs what was charged last year."""
    await spend(priced)
    monkeypatch.setattr(rows, "ROWS_A_READ", 1)
    monkeypatch.setattr("billing_service.commands.spending.rerate_usage.SET_BACK_MAX_US", 0)
    now = datetime.now(UTC)
    long_ago = window(start_time=now - timedelta(days=60), end_time=now - timedelta(days=30), page_size=1)
    parts = [part async for part in priced.iter_re_rating(**long_ago)]
    assert len(parts) == 1
    assert not parts[0].models
