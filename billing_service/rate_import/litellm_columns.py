"""The columns of one entry of litellm's map: its tiers, batches and hours, and each with the attributes that multiply
its prices."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from billing_service.domain.catalogue.usage_kinds import Measure
from billing_service.rate_import import price_lists as to
from billing_service.rate_import.litellm_hours import KEYS as HOURS_KEYS
from billing_service.rate_import.litellm_hours import off_peak_hours
from billing_service.rate_import.litellm_keys import DECISIONS, TIERS, TOKEN_KEYS, number, token_key
from billing_service.rate_import.litellm_names import Named
from billing_service.rate_import.litellm_tokens import (
    INPUT_KEY,
    LIFETIMES,
    OUTPUT_KEY,
    READ,
    WRITTEN,
    Numbers,
    TokenPrices,
    batch_tokens,
    has_batch,
    thresholds,
)
from billing_service.rate_import.litellm_units import batch_units, multipliers, resolutions
from billing_service.rate_import.price_lists import BATCH, STANDARD_TIER_WORD, ColumnRates, Rates
from billing_service.rate_import.reports import NotImportableError

INCLUSIVE_PROVIDERS: Final = frozenset({"xai"})
"""Where a threshold holds from its number on, and not only above it."""
HALF_READ_PROVIDER: Final = "fireworks_ai"
"""Of which litellm assumes that cached tokens cost half, where the map has no price of them."""


def columns(named: Named, entry: Mapping[str, Any], priced: Numbers, units: Rates, year: int) -> Iterator[ColumnRates]:
    """All columns: tiers, batches, hours, and each with the attributes that multiply its prices."""
    plain = [_standard(named, entry, priced)]
    plain += [
        _tier(named, priced, tier)
        for tier in TIERS
        if any(parts.tier == tier for key in priced if (parts := token_key(key)))
    ]
    plain += _decisions(named, priced)
    hours = list(_hours(named, entry, priced, year))
    explicit = list(_explicit_cache(entry, priced, plain[0]))
    for rates in [*plain, *hours, *explicit]:
        word = STANDARD_TIER_WORD if rates.service_tier else ""
        yield rates.with_more({measure: rate.instead_of(word) if word else rate for measure, rate in units.items()})
    batch = _batch(named, priced)
    yield from batch
    for attributes, factor, in_batches in multipliers(entry, named.provider):
        if hours or explicit:
            raise NotImportableError("priced by region or speed and by the hour or the kind of cache at once")
        for rates in [*plain, *(batch if in_batches else [])]:
            tokens = {measure for measure in rates.base if measure not in units}
            fees = {
                measure: rate
                for measure, rate in units.items()
                if measure.kind == to.UNITS_KIND and rates.service_tier != BATCH
            }
            yield rates.only(tokens).scaled(factor, attributes).with_more(fees)
    for attributes, more in resolutions(priced):
        yield ColumnRates({**plain[0].base, **units, **more}, attributes=attributes)


def _above(named: Named, threshold: int) -> int:
    """The threshold as cards have it, strictly below the prompts that it is for."""
    return threshold - 1 if named.provider in INCLUSIVE_PROVIDERS else threshold


def _standard(named: Named, entry: Mapping[str, Any], priced: Numbers) -> ColumnRates:
    tiers = entry.get("tiered_pricing")
    if tiers is None:
        return _tier(named, priced, "")
    if any(parts.threshold or parts.tier for key in priced if (parts := token_key(key))):
        raise NotImportableError("priced by ranges of the prompt and by thresholds or service tiers at once")
    base, *others = _ranges(tiers, priced)
    return ColumnRates(base[1], above=tuple((_above(named, start), rates) for start, rates in others))


def _tier(named: Named, priced: Numbers, tier: str) -> ColumnRates:
    assumed = {}
    if named.written == HALF_READ_PROVIDER and READ not in priced and INPUT_KEY in priced:
        priced = {**priced, READ: to.product(priced[INPUT_KEY], Decimal("0.5"))}
        assumed = {READ: "half of input_tokens, as litellm assumes"}
    steps = thresholds(priced, tier)
    base = TokenPrices(priced, tier, (), assumed).all()
    if steps and any(measure.kind == to.UNITS_KIND for measure in base):
        base = {measure: rate for measure, rate in base.items() if measure.kind != to.UNITS_KIND}
    above = tuple(
        (_above(named, step), TokenPrices(priced, tier, tuple(steps[: number + 1]), assumed).all())
        for number, step in enumerate(steps)
    )
    above = tuple(
        (step, {measure: rate for measure, rate in rates.items() if measure.kind != to.UNITS_KIND})
        for step, rates in above
    )
    return ColumnRates(base, service_tier=tier, above=above)


def _decisions(named: Named, priced: Numbers) -> list[ColumnRates]:
    """Keys of decisions replace the others, with their thresholds. Keys of the other tiers only add to the standard
    ones."""
    instead = {
        key.removesuffix(f"_{DECISIONS}"): value
        for key, value in priced.items()
        if (parts := token_key(key)) and parts.tier == DECISIONS
    }
    if not instead:
        return []
    rates = _tier(named, {**priced, **instead}, "")
    own = {TOKEN_KEYS[parts.base] for key in instead if (parts := token_key(key))}

    def noted(found: Rates) -> Rates:
        return {
            measure: rate if measure in own else rate.instead_of(STANDARD_TIER_WORD) for measure, rate in found.items()
        }

    return [
        rates._replace(
            base=noted(rates.base),
            service_tier=DECISIONS,
            above=tuple((step, noted(found)) for step, found in rates.above),
        )
    ]


def _batch(named: Named, priced: Numbers) -> list[ColumnRates]:
    if not has_batch(priced):
        return []
    steps = thresholds(priced, "batches")
    above = tuple(
        (_above(named, step), batch_tokens(priced, tuple(steps[: number + 1]))) for number, step in enumerate(steps)
    )
    return [ColumnRates({**batch_tokens(priced, ()), **batch_units(priced)}, service_tier=BATCH, above=above)]


def _ranges(tiers: object, priced: Numbers) -> list[tuple[int, dict[Measure, to.Rate]]]:
    """Prices by ranges of the prompt: each range says all, and what it does not say costs what its input costs."""
    found: list[tuple[int, dict[Measure, to.Rate]]] = []
    end_before: object = 0
    for tier in tiers if isinstance(tiers, list) else []:
        if "range" not in tier or INPUT_KEY not in tier:
            raise NotImportableError("priced by the number of results that were asked for")
        start, end = tier["range"]
        if start != end_before or not start < end:
            raise NotImportableError("its ranges of the prompt do not follow each other")
        end_before = end
        said = {key: number(value, key) for key, value in tier.items() if key != "range"}
        unknown = [key for key in said if (parts := token_key(key)) is None or parts.threshold or parts.tier]
        if unknown:
            raise NotImportableError(f"{unknown[0]} is a key of a range that this importer does not know")
        replaced = {INPUT_KEY, READ, WRITTEN, *LIFETIMES.values()} | (
            {"output_cost_per_reasoning_token"} if OUTPUT_KEY in said else set()
        )
        kept = {key: value for key, value in priced.items() if key not in replaced}
        found.append((int(start), TokenPrices({**kept, **said}).all()))
    if not found:
        raise NotImportableError("tiered_pricing has no ranges")
    return found


def _hours(named: Named, entry: Mapping[str, Any], priced: Numbers, year: int) -> Iterator[ColumnRates]:
    block = entry.get("off_peak_pricing")
    if block is None:
        return
    prices = {key: number(value, key) for key, value in block.items() if key not in HOURS_KEYS}
    if "tiered_pricing" in entry or any(parts.threshold or parts.tier for key in priced if (parts := token_key(key))):
        raise NotImportableError("priced by the hour and by the size of the prompt or the service tier at once")
    unknown = [key for key in prices if token_key(key) is None]
    if unknown:
        raise NotImportableError(f"{unknown[0]} is a key of off-peak prices that this importer does not know")
    made = _tier(named, {**priced, **prices}, "")._replace(hours=off_peak_hours(block, year))
    yield made


def _explicit_cache(entry: Mapping[str, Any], priced: Numbers, standard: ColumnRates) -> Iterator[ColumnRates]:
    """Caches that a caller makes by itself have a price of reading of their own."""
    value = priced.get("explicit_cache_read_input_token_cost")
    if value is None:
        return
    if standard.above or "off_peak_pricing" in entry:
        raise NotImportableError("explicit caches are priced by the size of the prompt or by the hour")
    of_read = {measure: rate for measure, rate in standard.base.items() if rate.fallback == to.CACHED.word}
    explicit = to.Rate(value)
    base = {**standard.base, to.CACHED: explicit, **dict.fromkeys(of_read, explicit.instead_of(to.CACHED.word))}
    made = standard._replace(base=base, attributes=(("cache_type", "ephemeral"),))
    yield made


def without_zeros(rates: ColumnRates, omitted: list[str]) -> ColumnRates:
    """Without prices of 0 for tokens where all of them are 0 and something else has a price: the tokens would be
    free."""
    tokens = {measure for measure in rates.base if measure.kind <= to.LAST_TOKEN_KIND}
    paid = {measure for measure, rate in rates.base.items() if rate.usd}
    zeros = tokens - paid
    if not zeros or tokens & paid or not paid:
        return rates
    omitted.append(f"{', '.join(measure.word for measure in sorted(zeros))}: 0, and something else has a price")
    return rates.only(set(rates.base) - zeros)
