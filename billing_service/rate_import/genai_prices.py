"""A rate card from genai-prices' data: its providers and units as plain values, as in the project's own `data.json`,
numbers as decimals.

Written for genai-prices 0.2.3. A card has one price for each moment from its beginning on, so dated prices are those of
one day. What the library takes from another provider where its own has no model (`fallback_model_providers`) is left
out: it is the other provider's price.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final, NamedTuple

from billing_service.domain.catalogue.moments import DAY_S, Hours, clock_s
from billing_service.domain.catalogue.rate_card_checks import checked
from billing_service.domain.catalogue.rate_cards import DATED, Alias, Attributes, Entry, RateCard, Source
from billing_service.rate_import.genai_names import Names
from billing_service.rate_import.genai_units import Priced, Units
from billing_service.rate_import.price_lists import (
    BATCH,
    SECONDS_IN,
    ColumnRates,
    checked_entry,
    column,
    is_literal,
    why_nothing_is_left,
)
from billing_service.rate_import.reports import ODD_SHAPE, ODD_SHAPES, Fate, ImportReport, NotImportableError, Outcome

MODEL_KEYS: Final = frozenset({"match", "prices", "price_variants", "id"})
IGNORED_MODEL_KEYS: Final = frozenset(
    {
        "name",
        "description",
        "context_window",
        "price_comments",
        "deprecated",
        "removed",
        "collapse",
        "prices_checked",
        "price_discrepancies",
        "custom_docs",
    }
)
"""Words about a model, none of which is a price."""
LEAST_SECONDS: Final = {("groq", "whisper-large-v3"), ("groq", "whisper-large-v3-turbo")}
"""Models of which at least ten seconds are billed, by a rule in the library's code and not in its data."""


class _Made(NamedTuple):
    entry: Entry
    names: list[str]
    dated: bool


def import_genai_prices(
    providers: Sequence[Mapping[str, Any]],
    units: Mapping[str, Mapping[str, Any]],
    *,
    library_version: str,
    card_version: str,
    effective_time_us: int,
    as_of: date,
) -> ImportReport:
    """The card of the data's prices on that day (in UTC) and what became of each model, by `provider/id`."""
    outcomes: dict[str, Outcome] = {}
    entries: list[Entry] = []
    aliases: list[Alias] = []
    known = Units(units)
    for provider in providers:
        names = Names(provider["models"])
        for model in provider["models"]:
            key = f"{provider['id']}/{model['id']}"
            try:
                made, outcome = _model(provider["id"], model, names, known, as_of)
            except NotImportableError as error:
                made, outcome = None, Outcome(Fate.REFUSED, str(error))
            except ODD_SHAPES:
                made, outcome = None, Outcome(Fate.REFUSED, ODD_SHAPE)
            outcomes[key] = outcome
            if made is not None:
                entries.append(made.entry)
                entries += [replace(made.entry, model=made.entry.model + DATED)] if made.dated else []
                aliases += [
                    Alias(made.entry.provider, name, made.entry.provider, made.entry.model) for name in made.names
                ]
    card = RateCard(
        version=card_version,
        effective_time_us=effective_time_us,
        entries=tuple(entries),
        aliases=tuple(aliases),
        source=Source("genai-prices", f"{library_version}, prices of {as_of}"),
    )
    return ImportReport(checked(card), outcomes)


def _model(
    provider: str, model: Mapping[str, Any], names: Names, units: Units, as_of: date
) -> tuple[_Made | None, Outcome]:
    unknown = sorted(set(model) - MODEL_KEYS - IGNORED_MODEL_KEYS)
    if unknown:
        raise NotImportableError(f"{unknown[0]} is a key that this importer does not know")
    name, *others = names.literal(model)
    omitted: list[str] = []
    neutral: set[tuple[str, str]] = set()
    columns = list(_columns(model, units, as_of, neutral))
    if not columns or not columns[0].base:
        return None, Outcome(Fate.UNPRICED, "it has no prices")
    if (provider, model["id"]) in LEAST_SECONDS:
        columns = [
            rates._replace(base={what: rate for what, rate in rates.base.items() if what.kind != SECONDS_IN.kind})
            for rates in columns
        ]
        omitted.append("seconds: at least ten seconds are billed, which a price of a second does not say")
    made = [found for rates in columns if (found := column(rates, omitted)) is not None]
    if not any(not found.service_tier and not found.attributes for found in made):
        raise NotImportableError(why_nothing_is_left(omitted))
    entry = checked_entry(Entry(provider, name, tuple(made), tuple(sorted(neutral))))
    outcome = Outcome(Fate.IMPORTED, omitted=tuple(dict.fromkeys(omitted)))
    return _Made(entry, others, names.is_dated(model, name)), outcome


def _columns(
    model: Mapping[str, Any], units: Units, as_of: date, neutral: set[tuple[str, str]]
) -> Iterator[ColumnRates]:
    standard, by_hours = _standard(model.get("prices"), as_of)
    yield _rates(units, units.priced(standard))
    for hours, prices in by_hours:
        made = _rates(units, units.priced(prices))._replace(hours=hours)
        yield made
    variants = [
        variant for variant in model.get("price_variants") or () if _has_begun(variant.get("constraint"), as_of)
    ]
    for when in dict.fromkeys(tuple(sorted(variant["when"].items())) for variant in variants):
        tier, attributes = _place(when)
        context = dict(when)
        overrides: dict[str, Any] = {}
        for variant in variants:
            if all(context.get(name) == value for name, value in variant["when"].items()):
                overrides = {
                    **{key: price for key, price in variant["prices"].items() if price is not None},
                    **overrides,
                }
        if not overrides and attributes and not tier:
            neutral.update(attributes)
        elif tier or attributes:
            if by_hours:
                raise NotImportableError("priced by the hour and by the tier or an attribute at once")
            rates = _rates(units, units.priced({**standard, **overrides}, borrowed=set(standard) - set(overrides)))
            made = rates._replace(service_tier=tier, attributes=attributes)
            yield made


def _place(when: tuple[tuple[str, str], ...]) -> tuple[str, Attributes]:
    """The tier and the attributes of a context; both are empty for the standard tier. Raises NotImportableError for
    what no card says."""
    if not all(isinstance(word, str) and is_literal(word) for pair in when for word in pair):
        raise NotImportableError("its prices depend on a context that this importer does not know")
    context = dict(when)
    tier = context.pop("service_tier", "")
    if context.get("processing") == BATCH and not tier:
        tier = BATCH
        del context["processing"]
    return "" if tier == "default" else tier, tuple(sorted(context.items()))


def _rates(units: Units, priced: Mapping[str, Priced]) -> ColumnRates:
    steps = sorted({start for price in priced.values() for start, _ in price.steps})
    return ColumnRates(units.rates(priced), above=tuple((step, units.rates(priced, step)) for step in steps))


def _standard(
    prices: object, as_of: date
) -> tuple[Mapping[str, Any], list[tuple[tuple[Hours, ...], Mapping[str, Any]]]]:
    """The prices of most of the day and those of some hours. Of prices with conditions the last that holds is taken, by
    the library."""
    if isinstance(prices, Mapping):
        return prices, []
    if not isinstance(prices, list) or not prices:
        raise NotImportableError("its prices are no prices")
    taken: set[tuple[int, int]] = set()
    by_hours: list[tuple[tuple[Hours, ...], Mapping[str, Any]]] = []
    for priced in reversed(prices):
        constraint = priced.get("constraint")
        if constraint is not None and "start_time" in constraint:
            windows = _without(_windows(constraint), taken)
            taken |= windows
            if windows:
                by_hours.append((tuple(Hours(*window) for window in sorted(windows)), priced["prices"]))
        elif _has_begun(constraint, as_of):
            return priced["prices"], by_hours
    return prices[0]["prices"], by_hours


def _has_begun(constraint: Mapping[str, Any] | None, as_of: date) -> bool:
    if constraint is None:
        return True
    if set(constraint) != {"start_date"}:
        raise NotImportableError("its prices have a condition that this importer does not know")
    return date.fromisoformat(constraint["start_date"]) <= as_of


def _windows(constraint: Mapping[str, Any]) -> set[tuple[int, int]]:
    """Of a time of day, which may go on after midnight."""
    try:
        start, end = (
            clock_s(constraint[name].removesuffix("Z").removesuffix("+00:00")) for name in ("start_time", "end_time")
        )
    except (KeyError, ValueError):
        raise NotImportableError("its prices have hours that are not in UTC") from None
    return (
        {(start, end)} - {(start, start)}
        if start <= end
        else {window for window in ((start, DAY_S), (0, end)) if window[0] < window[1]}
    )


def _without(windows: set[tuple[int, int]], taken: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """What is left of the windows outside those that are taken."""
    for start, end in taken:
        windows = {
            part
            for window in windows
            for part in ((window[0], min(window[1], start)), (max(window[0], end), window[1]))
            if part[0] < part[1]
        }
    return windows
