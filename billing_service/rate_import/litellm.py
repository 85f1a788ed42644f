"""A rate card from litellm's price map: the file `model_prices_and_context_window_backup.json`, its numbers as
decimals.

Written for litellm 1.110.2. What an entry costs is found as litellm finds it (`litellm_tokens`), with two exceptions. A
price that litellm makes up for want of a key is left out: half of the standard price in a batch, nothing for output
without a price. Prices of 0 for tokens are left out where something else has a price: the tokens would be free, and the
query or image not sent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from billing_service.domain.catalogue.rate_card_checks import checked
from billing_service.domain.catalogue.rate_cards import Alias, Entry, RateCard, Source
from billing_service.rate_import.litellm_columns import columns, without_zeros
from billing_service.rate_import.litellm_keys import TIER_ALIASES, check_keys, numbers, token_key
from billing_service.rate_import.litellm_names import NO_LITERAL, Named, check_name, named_by
from billing_service.rate_import.litellm_units import neutral_attributes, unit_rates
from billing_service.rate_import.price_lists import checked_entry, column, is_literal, why_nothing_is_left
from billing_service.rate_import.reports import ODD_SHAPE, ODD_SHAPES, Fate, ImportReport, NotImportableError, Outcome

NO_MODELS: Final = frozenset({"sample_spec", "fallback_generalizations"})
"""Keys of the map that are no models."""
ALLOWANCE_NOTE: Final = "a free allowance of searches is not taken off"


class _Imported(NamedTuple):
    named: Named
    entry: Entry


def import_litellm(
    price_map: Mapping[str, Any], *, library_version: str, card_version: str, effective_time_us: int, year: int
) -> ImportReport:
    """The card of a parsed price map, and what became of each model by its key.

    `year` is that of the prices: days of off-peak hours are those of a time zone. No map raises: a model that can't be
    read is refused.
    """
    models = {key: entry for key, entry in price_map.items() if key not in NO_MODELS}
    taken: dict[tuple[str, str], _Imported] = {}
    outcomes: dict[str, Outcome] = {}
    for key, entry in models.items():
        if isinstance(entry, Mapping) and "alias_of" in entry:
            continue
        try:
            outcomes |= _import(key, entry, year, taken)
        except NotImportableError as error:
            outcomes[key] = Outcome(Fate.REFUSED, str(error))
        except ODD_SHAPES:
            outcomes[key] = Outcome(Fate.REFUSED, ODD_SHAPE)
    card = RateCard(
        version=card_version,
        effective_time_us=effective_time_us,
        entries=tuple(imported.entry for imported in taken.values()),
        aliases=tuple(_aliases(models, taken, outcomes)),
        service_tier_aliases=dict(TIER_ALIASES),
        source=Source("litellm", library_version),
    )
    return ImportReport(checked(card), {key: outcomes[key] for key in models})


def _import(
    key: str, values: Mapping[str, Any], year: int, taken: dict[tuple[str, str], _Imported]
) -> dict[str, Outcome]:
    """The outcome of the key, and of the key that had its place before. litellm looks for a model with its provider
    before it first."""
    named = named_by(key, values)
    entry, outcome = _entry(named, values, year)
    if entry is None:
        return {key: outcome}
    place = named.provider, named.model
    other = taken.get(place)
    if other is None or (named.is_full and not other.named.is_full):
        taken[place] = _Imported(named, entry)
        return {key: outcome} if other is None else {key: outcome, other.named.key: _duplicate(other.entry, entry)}
    return {key: _duplicate(entry, other.entry)}


def _duplicate(entry: Entry, kept: Entry) -> Outcome:
    same = replace(entry, provider=kept.provider) == kept
    return Outcome(
        Fate.DUPLICATE, f"litellm reads another key first, which has {'the same' if same else 'other'} prices"
    )


def _entry(named: Named, values: Mapping[str, Any], year: int) -> tuple[Entry | None, Outcome]:
    check_keys(values)
    check_name(named)
    priced = numbers(values)
    units = unit_rates(priced, values, named.provider, named.model)
    if not any(token_key(key) for key in priced) and not units and "tiered_pricing" not in values:
        return None, Outcome(Fate.UNPRICED, "no key of it is a price")
    omitted: list[str] = []
    rates = [without_zeros(found, omitted) for found in columns(named, values, priced, units, year)]
    made = tuple(found for each in rates if (found := column(each, omitted)) is not None)
    if not any(not found.service_tier and not found.attributes for found in made):
        raise NotImportableError(why_nothing_is_left(omitted))
    neutral = neutral_attributes((name for found in made for name, _ in found.attributes), named.provider)
    notes = (ALLOWANCE_NOTE,) if "search_free_requests" in values else ()
    return checked_entry(Entry(named.provider, named.model, made, neutral)), Outcome(
        Fate.IMPORTED, "", tuple(dict.fromkeys(omitted)), notes
    )


def _aliases(
    models: Mapping[str, Any], taken: Mapping[tuple[str, str], _Imported], outcomes: dict[str, Outcome]
) -> Iterator[Alias]:
    names = set(taken)
    for key, values in models.items():
        if key in outcomes:
            continue
        target = values["alias_of"]
        if not isinstance(target, str) or target not in outcomes or outcomes[target].fate is not Fate.IMPORTED:
            outcomes[key] = Outcome(Fate.REFUSED, "an alias of a model that is not in the card")
            continue
        named = named_by(target, models[target])
        name = key.removeprefix(f"{named.provider}/")
        if not is_literal(name):
            outcomes[key] = Outcome(Fate.REFUSED, NO_LITERAL)
        elif (named.provider, name) in names:
            outcomes[key] = Outcome(Fate.DUPLICATE, "an alias whose name another key has")
        else:
            names.add((named.provider, name))
            outcomes[key] = Outcome(Fate.ALIAS, f"of {target}")
            yield Alias(named.provider, name, named.provider, named.model)
