"""QuoteUsage over the wire: what the card does not price is refused by name; what it prices is explained line by line,
and nothing moves."""

from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from billing_client import UsageKind
from billing_client.errors import InvalidField, PriceMissing, UnknownModel
from google.protobuf.timestamp_pb2 import Timestamp
from prepaid.billing.v1 import usage_pb2

from billing_service.domain.catalogue.usage_kinds import UsageKind as DomainKind
from billing_service.domain.spending.pricing import TimeBasis
from billing_service.domain.spending.usage import Measurement
from billing_service.rate_cards import built_in_card
from tests.support.priced_stack import (
    CACHED,
    GPT,
    IMAGES,
    INPUT,
    ONE,
    OUTPUT,
    REASONING,
    SECONDS,
    SONNET,
    UNITS,
    WRITTEN,
    put_card_by_hand,
    usage,
)
from tests.support.rate_card_examples import card_file
from tests.support.stack import running_stack
from tests.support.wire import Wire, row_counts

pytestmark = pytest.mark.asyncio(loop_scope="session")


def moment(ago_s):
    found = Timestamp()
    found.FromDatetime(datetime.now(UTC) - timedelta(seconds=ago_s))
    return found


@pytest_asyncio.fixture(loop_scope="session")
async def priced(database):
    """A service whose card in force is the one written by hand, since yesterday; answers its client."""
    await put_card_by_hand(database)
    async with running_stack(database.url) as stack:
        yield stack.client


UNPRICED = [
    ({"provider": "azure", "model": "gpt-5"}, ONE, UnknownModel, ""),
    ({"provider": "openai", "model": "gpt-5-pro"}, ONE, UnknownModel, ""),
    ({"provider": "OpenAI", "model": "gpt-5"}, ONE, UnknownModel, ""),
    (GPT, [(IMAGES, "", 1)], PriceMissing, "images"),
    (GPT, [(CACHED, "", 1), (REASONING, "", 1), *ONE], PriceMissing, "cached_input_tokens, reasoning_tokens"),
    (GPT | {"service_tier": "flex"}, ONE, PriceMissing, "service_tier flex"),
    (GPT | {"attributes": {"region": "us"}}, ONE, PriceMissing, "attribute region=us"),
    (SONNET | {"attributes": {"color": "red", "region": "us"}}, ONE, PriceMissing, "attribute color=red"),
    (SONNET, [(WRITTEN, "30m", 1)], PriceMissing, "cache_write_tokens:30m"),
    (SONNET, [(UNITS, "pages", 1)], PriceMissing, "units:pages"),
    ({"provider": "openrouter", "model": "auto"}, ONE, PriceMissing, "provider_cost_usd"),
]


async def test_what_the_card_does_not_price_is_refused_by_name(priced):
    for fields, lines, error, missing in UNPRICED:
        with pytest.raises(error) as refused:
            await priced.quote_usage(usage=usage(lines, **fields))
        metadata = refused.value.metadata
        assert metadata.get("missing", "") == missing
        assert (metadata["provider"], metadata["model"], metadata["rate_card_version"]) == (
            fields["provider"],
            fields["model"],
            "hand-1",
        )


IMPOSSIBLE = [
    (usage(model="gpt-5"), "usage.provider"),
    (usage(provider="openai"), "usage.model"),
    (usage(provider="openai", model="m" * 257), "usage.model"),
    (usage(provider="open\x00ai", model="m"), "usage.provider"),
    (usage([], **GPT), "usage.lines"),
    (usage([(OUTPUT, "", 0)], **GPT), "usage.lines"),
    (usage([(INPUT, "", -1)], **GPT), "usage.lines[0].quantity"),
    (usage([(INPUT, "", 10**12 + 1)], **GPT), "usage.lines[0].quantity"),
    (usage([(INPUT, "", 2**63 - 1)], **GPT), "usage.lines[0].quantity"),
    (usage([(INPUT, "", -(2**63))], **GPT), "usage.lines[0].quantity"),
    (usage([*ONE, *ONE], **GPT), "usage.lines[1].kind"),
    (usage([(WRITTEN, "", 1), (WRITTEN, "5m", 1)], **GPT), "usage.lines[1].kind"),
    (usage([(0, "", 1)], **GPT), "usage.lines[0].kind"),
    (usage([(16, "", 1)], **GPT), "usage.lines[0].kind"),
    (usage([(-1, "", 1)], **GPT), "usage.lines[0].kind"),
    (usage([(INPUT, "5m", 1)], **GPT), "usage.lines[0].variant"),
    (usage([(SECONDS, "", 1)], **GPT), "usage.lines[0].variant"),
    (usage([(UNITS, "No Name", 1)], **GPT), "usage.lines[0].variant"),
    (usage([(UNITS, f"u{number}", 1) for number in range(101)], **GPT), "usage.lines"),
    (usage(**GPT, service_tier="t" * 257), "usage.service_tier"),
    (usage(**GPT, attributes={"": "x"}), "usage.attributes"),
    (usage(**GPT, attributes={f"a{number}": "x" for number in range(17)}), "usage.attributes"),
    (usage(**GPT, provider_cost_usd="0.1"), "usage.provider_cost_usd"),
    *(
        (usage(provider="openrouter", model="auto", provider_cost_usd=bad), "usage.provider_cost_usd")
        for bad in ("0", "-1", "1000.1", "1e3", "NaN", "1.0000000000000000001", "free")
    ),
    (usage(**GPT, occur_time=Timestamp(seconds=1)), "usage.occur_time"),
    (usage([(IMAGES, "", 10**12)], provider="openai", model="whisper-1"), "usage.lines"),
    (usage(**GPT, request_id="r" * 257), "usage.request_id"),
    (usage(**GPT, request_id="a\nb"), "usage.request_id"),
    (usage(**GPT, measurement=3), "usage.measurement"),
]


async def test_a_usage_that_can_not_be_is_refused_by_its_field(priced):
    for number, (impossible, field) in enumerate(IMPOSSIBLE):
        with pytest.raises(InvalidField) as refused:
            await priced.quote_usage(usage=impossible)
        assert [name for name, _ in refused.value.violations] == [field], number


async def test_a_request_without_a_usage_is_refused(wire):
    error = await wire.error("QuoteUsage")
    assert [name for name, _ in error.violations] == ["usage"]


async def test_a_price_is_explained_line_by_line(priced):
    lines = [(WRITTEN, "1h", 40), (INPUT, "", 199_960), (OUTPUT, "", 0), (UNITS, "web_searches", 2)]
    quoted = await priced.quote_usage(usage=usage(lines, **SONNET, attributes={"speed": "standard", "region": ""}))
    price, why = quoted.price, quoted.explanation
    assert [(line.kind, line.variant, line.quantity, line.unit_price_usd, line.cost_usd) for line in price.lines] == [
        (INPUT, "", 199_960, "0.000003", "0.59988"),
        (WRITTEN, "1h", 40, "0.000006", "0.00024"),
        (UNITS, "web_searches", 2, "0.01", "0.02"),
    ]
    assert (price.rate_card_version, price.model_pattern, price.service_tier, price.prompt_tier) == (
        "hand-1",
        "claude-sonnet-4-5*",
        "",
        0,
    )
    assert (price.markup_ppm, price.exact_total, price.amount_microcredits) == (100_000, "68213200", 68_213_200)
    assert (price.provider_cost_usd, price.time_basis) == ("", usage_pb2.TIME_BASIS_RECEIVED)
    assert (why.model_match, why.prompt_tokens, why.markup_source) == (
        usage_pb2.MODEL_MATCH_DATED,
        200_000,
        usage_pb2.MARKUP_SOURCE_PROVIDER,
    )
    assert (list(why.fallbacks), dict(why.attributes), list(why.hours)) == ([], {}, [])


async def test_prompts_above_a_threshold_attributes_tiers_and_fall_backs_are_said(priced):
    large = await priced.quote_usage(usage=usage([(INPUT, "", 200_001)], **SONNET))
    assert (large.price.prompt_tier, large.price.lines[0].unit_price_usd) == (200_000, "0.000006")
    fast = await priced.quote_usage(usage=usage(ONE, **SONNET, attributes={"region": "us", "speed": "fast"}))
    assert (dict(fast.explanation.attributes), fast.price.lines[0].unit_price_usd) == (
        {"region": "us", "speed": "fast"},
        "0.0000066",
    )
    tier = await priced.quote_usage(usage=usage(ONE, **GPT, service_tier="fast"))
    assert (tier.price.service_tier, tier.price.lines[0].unit_price_usd) == ("priority", "0.0000025")
    alias = await priced.quote_usage(usage=usage([(REASONING, "", 3)], provider="azure", model="my-deployment"))
    assert alias.explanation.model_match == usage_pb2.MODEL_MATCH_ALIAS
    assert (alias.explanation.markup_source, alias.price.markup_ppm) == (usage_pb2.MARKUP_SOURCE_ENTRY, 0)
    assert [(one.kind, one.priced_as) for one in alias.explanation.fallbacks] == [(REASONING, "output_tokens")]
    own = await priced.quote_usage(usage=usage(ONE, provider="openrouter", model="auto", provider_cost_usd="0.0123"))
    assert (own.price.provider_cost_usd, own.price.lines[0].unit_price_usd, own.price.amount_microcredits) == (
        "0.0123",
        "0",
        1_414_500,
    )
    assert list(own.explanation.fallbacks) == []


async def test_one_token_is_rounded_up_once(priced):
    quoted = await priced.quote_usage(usage=usage([(INPUT, "", 1)], provider="openai", model="gpt-5-nano"))
    assert (quoted.price.exact_total, quoted.price.amount_microcredits) == ("5.75", 6)
    zero = await priced.quote_usage(usage=usage([(14, "", 5)], provider="openai", model="whisper-1"))
    assert (zero.price.exact_total, zero.price.amount_microcredits) == ("0", 0)


@pytest.mark.parametrize(("ago_s", "basis"), [(3_600, "OCCURRED"), (-3_600, "RECEIVED"), (25 * 3_600, "RECEIVED")])
async def test_the_time_of_the_call_chooses_the_price_within_a_day(priced, ago_s, basis):
    quoted = await priced.quote_usage(usage=usage(ONE, **GPT, occur_time=moment(ago_s)))
    assert quoted.price.time_basis == usage_pb2.TimeBasis.Value(f"TIME_BASIS_{basis}")


async def test_nothing_moves(database):
    async with running_stack(database.url) as stack, Wire(stack.service.address) as wire:
        before = await row_counts(database)
        await stack.client.quote_usage(usage=usage(provider="openai", model="gpt-5"))
        await wire.error(
            "QuoteUsage", usage={"provider": "openai", "model": "gpt-0", "lines": [{"kind": 1, "quantity": 1}]}
        )
        assert await row_counts(database) == before


async def test_the_built_in_card_prices_at_once_and_a_card_to_come_not_yet(stack):
    await stack.client.create_rate_card_version(card_file=card_file("to-come", effective="2090-01-01T00:00:00Z"))
    quoted = await stack.client.quote_usage(usage=usage([(INPUT, "", 1_000)], provider="openai", model="gpt-5"))
    assert quoted.price.rate_card_version == built_in_card().version
    assert quoted.price.amount_microcredits > 0


@pytest.mark.parametrize(
    ("wire_enum", "prefix", "domain"),
    [
        (UsageKind, "USAGE_KIND_", DomainKind),
        (usage_pb2.TimeBasis, "TIME_BASIS_", TimeBasis),
        (usage_pb2.Measurement, "MEASUREMENT_", Measurement),
    ],
)
async def test_the_numbers_of_the_wire_are_those_of_stored_prices(wire_enum, prefix, domain):
    assert {name.removeprefix(prefix): number for name, number in wire_enum.items() if number} == {
        each.name: each.value for each in domain
    }
