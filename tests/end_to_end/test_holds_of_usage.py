"""Holds of an estimate and captures of what was used: priced by one card, whatever becomes of prices meanwhile, and
never refused for want of a price once it happened."""

from dataclasses import replace

import pytest
import pytest_asyncio
from billing_client.errors import HoldNotFound, PriceMissing, UnknownModel
from prepaid.billing.v1 import transactions_pb2

from billing_service.domain.catalogue.rate_card_packing import packed
from billing_service.domain.catalogue.rate_card_text import card_text
from billing_service.domain.catalogue.rate_card_versions import StoredCard
from billing_service.domain.ledger.events import EventKind
from billing_service.storage.rows.rate_cards import RATE_CARDS
from tests.end_to_end.test_business_events import events
from tests.support.priced_stack import GPT, IMAGES, INPUT, ONE, OUTPUT, give, put_card_by_hand, usage
from tests.support.rate_card_examples import by_hand
from tests.support.stack import CREDIT, running_stack

pytestmark = pytest.mark.asyncio(loop_scope="session")

ESTIMATE = usage([(INPUT, "", 1_000), (OUTPUT, "", 1_000)], **GPT)
"""1,000 x $0.00000125 + 1,000 x $0.00001, and 15 %."""
ESTIMATED = 1_293_750
USED = usage([(INPUT, "", 1_000), (OUTPUT, "", 500)], **GPT)
CHARGED = 718_750
BEFORE = 5 * CREDIT


@pytest_asyncio.fixture(loop_scope="session")
async def priced(database):
    """The running product, by the card that is written by hand."""
    await put_card_by_hand(database)
    async with running_stack(database.url) as stack:
        yield stack


async def dearer(stack):
    """Ten times the markup is in force from now on."""
    card = by_hand()
    made = replace(card, version="dearer", markup_ppm=10 * card.markup_ppm)
    columns = (made.version, 2, 1, 1, 1, "by hand", made.markup_ppm, len(made.entries))
    row = StoredCard(*columns, packed(card_text(made)))
    environment = stack.service.environment
    await environment.store.write(lambda: RATE_CARDS.add(row))
    environment.rate_cards._fresh_until = float("-inf")


async def held(client, account_id, **options):
    await give(client, account_id, BEFORE)
    return await client.hold_credits(account_id=account_id, usage=ESTIMATE, **options)


async def test_an_estimate_is_held_and_what_was_used_is_charged(priced):
    client = priced.client
    made = await held(client, "acme")
    assert made.price.amount_microcredits == made.hold.amount_microcredits == ESTIMATED
    assert made.hold.rate_card_version == made.price.rate_card_version == by_hand().version
    charged = await client.capture_hold(account_id="acme", hold_id=made.hold.hold_id, usage=USED)
    assert (charged.captured_microcredits, charged.price.amount_microcredits) == (CHARGED, CHARGED)
    assert (charged.uncollected_microcredits, list(charged.price.missing)) == (0, [])
    assert charged.balance.available_microcredits == BEFORE - CHARGED
    receipt = await client.get_receipt(account_id="acme", transaction_id=charged.transaction_id)
    assert receipt.receipt.charged_microcredits == CHARGED


async def test_what_can_not_be_priced_is_not_held(priced):
    client = priced.client
    await give(client, "acme", BEFORE)
    for unpriced, error in (
        (usage(provider="openai", model="gpt-5-pro"), UnknownModel),
        (usage([*ONE, (IMAGES, "", 1)], **GPT), PriceMissing),
    ):
        with pytest.raises(error):
            await client.hold_credits(account_id="acme", usage=unpriced)
    assert (await client.get_balance(account_id="acme")).balance.held_microcredits == 0


@pytest.mark.parametrize("forgotten", [False, True])
async def test_a_price_that_rises_changes_no_hold(priced, forgotten, monkeypatch):
    """The hold's own card decides, also in a process that did not make the hold."""
    client = priced.client
    made = await held(client, "acme")
    await dearer(priced)
    if forgotten:
        monkeypatch.setattr("billing_service.api.servicers.priced_holds.PricedHolds._version_here", lambda *_: None)
    charged = await client.capture_hold(account_id="acme", hold_id=made.hold.hold_id, usage=USED)
    assert charged.price.rate_card_version == made.hold.rate_card_version
    assert charged.captured_microcredits == CHARGED
    plain = await client.hold_credits(account_id="acme", amount_microcredits=CREDIT)
    by_present = await client.capture_hold(
        account_id="acme", hold_id=plain.hold.hold_id, usage=USED, over_hold=transactions_pb2.OVER_HOLD_UP_TO_HOLD
    )
    assert by_present.price.rate_card_version == "dearer"
    assert by_present.captured_microcredits == CREDIT
    assert by_present.uncollected_microcredits == by_present.price.amount_microcredits - CREDIT


@pytest.mark.parametrize(
    ("used", "missing"),
    [(usage([*ONE, (IMAGES, "", 1)], **GPT), "images"), (usage(provider="openai", model="gpt-6"), "model")],
)
async def test_a_usage_without_a_price_takes_all_of_its_hold(priced, used, missing):
    client = priced.client
    made = await held(client, "acme")
    charged = await client.capture_hold(account_id="acme", hold_id=made.hold.hold_id, usage=used)
    assert charged.captured_microcredits == ESTIMATED
    assert list(charged.price.missing) == [missing]
    assert (charged.price.amount_microcredits, charged.price.exact_total) == (ESTIMATED, "")
    assert charged.balance.available_microcredits == BEFORE - ESTIMATED
    receipt = (await client.get_receipt(account_id="acme", transaction_id=charged.transaction_id)).receipt
    assert receipt.price == charged.price
    assert (receipt.provider, receipt.model, receipt.measurement) == (used.provider, used.model, 2)
    assert [(line.kind, line.quantity, line.unit_price_usd) for line in receipt.price.lines] == [
        (line.kind, line.quantity, "") for line in used.lines
    ]
    detail = {
        "provider": used.provider,
        "model": used.model,
        "missing": missing,
        "rate_card_version": made.price.rate_card_version,
        "charged_microcredits": ESTIMATED,
    }
    told = [(each[0], *each[2:]) for each in await events(priced, "acme")]
    assert told == [(EventKind.UNPRICED_USAGE, charged.transaction_id, detail)]
    with pytest.raises(HoldNotFound):
        await client.capture_hold(account_id="acme", hold_id="hold_none", usage=used)


@pytest.mark.parametrize("way", ["batch", "stream"])
async def test_usage_among_others(priced, way):
    client = priced.client
    await give(client, "acme", BEFORE)
    asked = transactions_pb2.HoldCreditsRequest(account_id="acme", usage=ESTIMATE)

    async def ask(request):
        if way == "batch":
            return (await client.batch_deduct_credits(operations=[request]))[0]
        async with client.stream_deductions() as stream:
            return await (await stream.send(request))

    made = await ask(asked)
    capture = transactions_pb2.CaptureHoldRequest(account_id="acme", hold_id=made.hold.hold_id, usage=USED)
    charged = await ask(capture)
    assert (charged.captured_microcredits, charged.price.amount_microcredits) == (CHARGED, CHARGED)
