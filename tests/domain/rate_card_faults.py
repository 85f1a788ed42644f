"""A good card file, and each way to write it wrong with the problem that is named."""

import json
from copy import deepcopy

GONE = object()
GOOD = {
    "format": 1,
    "version": "v1",
    "effective_time": "2026-11-30T00:00:00Z",
    "markups": [{"provider": "p", "markup_ppm": 1}],
    "service_tier_aliases": {"fast": "priority"},
    "aliases": [{"provider": "p", "name": "other", "to_model": "m"}],
    "source": {"name": "by hand"},
    "entries": [
        {
            "provider": "p",
            "model": "m",
            "neutral_attributes": {"region": ["global"]},
            "columns": [
                {
                    "prices": {"input_tokens": {"usd": "1"}, "output_tokens": {"usd": "2", "fallback": "x"}},
                    "prompt_tiers": [{"above_tokens": 5, "prices": {"input_tokens": {"usd": "3"}}}],
                },
                {
                    "hours": [{"days": ["mon"], "from": "00:00", "until": "12:00"}],
                    "attributes": {},
                    "prices": {"input_tokens": {"usd": "1"}},
                },
            ],
        }
    ],
}
COLUMN, HOURS, PRICE = "entries.0.columns.0", "entries.0.columns.1.hours.0", "entries.0.columns.0.prices.input_tokens"

FAULTS = [
    ("format", GONE, "format: is missing"),
    ("format", 2, "format: must be 1"),
    ("format", "1", "format: must be a whole number"),
    ("version", GONE, "version: is missing"),
    ("version", "", "version: must not be empty"),
    ("version", "a\nb", "version: must be at most 256 printable characters"),
    ("version", 1, "version: must be text"),
    ("effective_time", GONE, "effective_time: is missing"),
    ("effective_time", "2026-11-30", "effective_time: must be a time such as '2026-11-30T16:00:00Z'"),
    ("markup_ppm", -1, "markup_ppm: must be from 0 to 100000000, not -1"),
    ("markup_ppm", 100_000_001, "markup_ppm: must be from 0"),
    ("markup_ppm", 0.15, "markup_ppm: must be a whole number"),
    ("price", 1, "price: is no field here"),
    ("source", "me", "source: must be an object"),
    ("source.name", GONE, "source.name: is missing"),
    ("source.url", "x", "source.url: is no field here"),
    ("markups.0.markup_ppm", GONE, "markups[0].markup_ppm: is missing"),
    ("markups.0.provider", "q", "markups[0]: no entry has this provider and model"),
    ("markups.0.model", "n", "markups[0]: no entry has this provider and model"),
    ("markups.1", {"provider": "p", "markup_ppm": 2}, "markups[1]: 'p' is there before, at markups[0]"),
    ("service_tier_aliases.fast", 1, "service_tier_aliases.fast: must be text"),
    ("service_tier_aliases.standard", "x", "service_tier_aliases.standard: this name is the standard tier"),
    ("service_tier_aliases.quick", "fast", "service_tier_aliases.quick: leads to 'fast', which is an alias itself"),
    ("aliases.0.to_model", "n", "aliases[0]: no entry is 'p' 'n'"),
    ("aliases.0.to_provider", "q", "aliases[0]: no entry is 'q' 'm'"),
    ("aliases.0.name", "m", "aliases[0]: an entry has this name itself"),
    (
        "aliases.1",
        {"provider": "p", "name": "other", "to_model": "m"},
        ("aliases[1]: 'p other' is there before, at aliases[0]"),
    ),
    ("aliases.0.model", "m", "aliases[0].model: is no field here"),
    ("entries", {}, "entries: must be a list"),
    ("entries.0", 7, "entries[0]: must be an object"),
    ("entries.0.provider", GONE, "entries[0].provider: is missing"),
    ("entries.0.model", "", "entries[0].model: must not be empty"),
    ("entries.0.model", "*", "entries[0].model: needs a name before its star"),
    ("entries.0.model", "**", "entries[0].model: needs a name before its star"),
    ("entries.0.columns", [], "entries[0].columns: at least one is needed"),
    ("entries.0.provider_cost", True, "entries[0].provider_cost: leaves no place for columns"),
    ("entries.0.provider_cost", "yes", "entries[0].provider_cost: must be true or false"),
    ("entries.0.neutral_attributes.region", "global", "entries[0].neutral_attributes.region: must be a list"),
    ("entries.0.neutral_attributes.region", [1], "entries[0].neutral_attributes.region[0]: must be text"),
    ("entries.1", deepcopy(GOOD["entries"][0]), "entries[1]: 'p m' is there before, at entries[0]"),
    (COLUMN, [], "entries[0].columns[0]: must be an object"),
    (f"{COLUMN}.prices", GONE, "entries[0].columns[0].prices: is missing"),
    (f"{COLUMN}.prices", {}, "entries[0].columns[0].prices: at least one is needed"),
    (f"{COLUMN}.prices.tokens", {"usd": "1"}, "entries[0].columns[0].prices.tokens: 'tokens' is no kind of usage"),
    (f"{COLUMN}.prices.units", {"usd": "1"}, "entries[0].columns[0].prices.units: the name of a unit must match"),
    (
        f"{COLUMN}.prices.cache_write_tokens:2h",
        {"usd": "1"},
        ("prices.cache_write_tokens:2h: the variant of cache_write_tokens must be one of"),
    ),
    (
        f"{COLUMN}.service_tier",
        "standard",
        ("entries[0].columns[0].service_tier: the standard tier is written by leaving it out"),
    ),
    (
        f"{COLUMN}.attributes",
        {"region": "global"},
        ("entries[0].columns[0].attributes.region: 'global' is neutral in this entry"),
    ),
    (f"{COLUMN}.attributes", {"region": ""}, "entries[0].columns[0].attributes.region: must not be empty"),
    (f"{COLUMN}.tier", "x", "entries[0].columns[0].tier: is no field here"),
    (f"{COLUMN}.prompt_tiers.0.above_tokens", 0, "prompt_tiers[0].above_tokens: must be from 1"),
    (
        f"{COLUMN}.prompt_tiers.1",
        {"above_tokens": 5, "prices": {"images": {"usd": "1"}}},
        "prompt_tiers[1].above_tokens: must be above 5",
    ),
    (f"{COLUMN}.prices", {"images": {"usd": "1"}}, "columns[0].prompt_tiers: no price here is for tokens of a prompt"),
    (
        f"{COLUMN}.service_tier",
        "flex",
        ("entries[0].columns[1].hours: no column with the same tier and attributes holds for the rest of the week"),
    ),
    ("entries.0.columns.1.hours", [], "entries[0].columns[1]: the same tier, attributes and hours as columns[0]"),
    (
        "entries.0.columns.1.hours.1",
        {"from": "11:59:59", "until": "13:00"},
        ("entries[0].columns[1].hours[1]: meets columns[1].hours[0]"),
    ),
    (f"{HOURS}.until", "00:00", "entries[0].columns[1].hours[0].until: must be later than from"),
    (f"{HOURS}.until", "25:00", "entries[0].columns[1].hours[0].until: must be a time of day"),
    (f"{HOURS}.from", GONE, "entries[0].columns[1].hours[0].from: is missing"),
    (f"{HOURS}.days", ["monday"], "entries[0].columns[1].hours[0].days: must be some of mon"),
    (f"{HOURS}.days", ["mon", "mon"], "entries[0].columns[1].hours[0].days: must be some of mon"),
    (f"{HOURS}.days", [], "entries[0].columns[1].hours[0].days: must be some of mon"),
    (PRICE, "1", "entries[0].columns[0].prices.input_tokens: must be an object"),
    (PRICE, {}, "entries[0].columns[0].prices.input_tokens: needs one of usd and per_million_usd"),
    (PRICE, {"usd": "1", "per_million_usd": "1"}, "prices.input_tokens: needs one of usd and per_million_usd"),
    (PRICE, {"usd": "1", "eur": "1"}, "entries[0].columns[0].prices.input_tokens.eur: is no field here"),
    (PRICE, {"usd": "-1"}, "prices.input_tokens.usd: must be a decimal number without sign"),
    (PRICE, {"usd": -1}, "prices.input_tokens.usd: must be finite and at least 0"),
    (PRICE, {"usd": "1e-6"}, "prices.input_tokens.usd: must be a decimal number without sign and exponent"),
    (PRICE, {"usd": "0.0000000000000000001"}, "prices.input_tokens.usd: has more than 18 decimals"),
    (PRICE, {"per_million_usd": "0.0000000000001"}, "prices.input_tokens.per_million_usd: needs more than 18 decimals"),
    (PRICE, {"usd": "1000001"}, "prices.input_tokens.usd: must be at most 1000000 USD"),
    (PRICE, {"usd": True}, "prices.input_tokens.usd: must be a decimal number"),
    (PRICE, {"usd": None}, "prices.input_tokens.usd: must be a decimal number"),
    (PRICE, {"usd": "1", "fallback": 1}, "prices.input_tokens.fallback: must be text"),
]

MORE_FOLLOWS = {
    "entries",
    "entries.0",
    "entries.0.model",
    "entries.0.provider",
    COLUMN,
    f"{COLUMN}.service_tier",
    f"{COLUMN}.attributes",
}
"""Faults that leave an alias, a markup or another column without what it belongs to."""


def changed(path, value):
    values = deepcopy(GOOD)
    parts = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = values
    for part in parts[:-1]:
        place = place[part]
    if value is GONE:
        del place[parts[-1]]
    elif isinstance(place, list) and parts[-1] == len(place):
        place.append(value)
    else:
        place[parts[-1]] = value
    return json.dumps(values)
