"""A service whose rate card in force is the one written by hand."""

import json

from billing_client.errors import BillingError
from prepaid.billing.v1.usage_pb2 import Usage, UsageLine

from billing_service.clock import system_clock_us
from billing_service.domain.catalogue.rate_card_packing import packed
from billing_service.domain.catalogue.rate_card_text import card_text
from billing_service.domain.catalogue.rate_card_versions import StoredCard
from billing_service.storage.rows.rate_cards import RATE_CARDS
from tests.support.rate_card_examples import by_hand

SONNET = {"provider": "anthropic", "model": "claude-sonnet-4-5-20250929"}
GPT = {"provider": "openai", "model": "gpt-5"}
NANO = {"provider": "openai", "model": "gpt-5-nano"}
INPUT, CACHED, WRITTEN, OUTPUT, REASONING, IMAGES, SECONDS, REQUESTS, UNITS = 1, 2, 3, 4, 5, 12, 13, 14, 15
ONE = [(INPUT, "", 1)]


def usage(lines=ONE, **fields):
    """A usage of lines (kind, variant, quantity)."""
    return Usage(
        lines=[UsageLine(kind=kind, variant=variant, quantity=quantity) for kind, variant, quantity in lines], **fields
    )


def flat_card(microcredits, version=""):
    """A card by which a token of `m` costs so many microcredits, and a request nothing; named after that."""
    tokens = {"input_tokens": {"usd": f"{microcredits / 10**8:.8f}"}}
    entries = [{"provider": "p", "model": "m", "columns": [{"prices": tokens | {"requests": {"usd": "0"}}}]}]
    values = {"format": 1, "version": version or f"flat-{microcredits}", "markup_ppm": 0, "entries": entries}
    return json.dumps(values | {"effective_time": "2026-11-30T00:00:00Z"})


async def put_card_by_hand(database, card=None):
    """The card is in force since ever."""
    card = card or by_hand()
    row = StoredCard(
        *(card.version, 1, 0, 0, system_clock_us(), "by hand", card.markup_ppm, len(card.entries)),
        packed(card_text(card)),
    )
    store = await database.open()
    await store.write(lambda: RATE_CARDS.add(row))
    await store.close()


async def give(client, account_id, microcredits):
    await client.grant_credits(account_id=account_id, amount_microcredits=microcredits, reason="gift")
    return account_id


async def unary(client, deduction):
    fields = {name: getattr(deduction, name) for name in deduction.__slots__}
    return await client.deduct_credits(**fields)


async def batched(client, deduction):
    return (await client.batch_deduct_credits(deductions=[deduction]))[0]


async def streamed(client, deduction):
    async with client.stream_deductions() as stream:
        return await (await stream.send(deduction))


WAYS = {"unary": unary, "batch": batched, "stream": streamed}


async def outcome(way, client, deduction):
    """The answer, or the error."""
    try:
        return await WAYS[way](client, deduction)
    except BillingError as error:
        return error
