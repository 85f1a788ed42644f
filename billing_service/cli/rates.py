"""`billing rates …`: card files, read and explained without a service or a database."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from billing_service.cli.connection import AsJson
from billing_service.cli.display import EXIT_MISCONFIGURED, fail, say, show_fields, show_json
from billing_service.cli.layout import Column
from billing_service.cli.listing import ListTable
from billing_service.cli.times import read_past
from billing_service.cli.usage_options import (
    Attributes,
    CachedInputTokens,
    InputTokens,
    Lines,
    Model,
    OutputTokens,
    Provider,
    ProviderCost,
    ReasoningTokens,
    ServiceTier,
    pairs,
    usage_lines,
)
from billing_service.domain.times import US_PER_S
from billing_service.rate_cards import BUILT_IN, load_rate_card

if TYPE_CHECKING:
    from billing_service.domain.catalogue.rate_cards import Entry, RateCard
    from billing_service.domain.spending.explanations import Explanation
    from billing_service.domain.spending.usage import Usage

rates = typer.Typer(help="Rate cards: files, and what the service prices by.", no_args_is_help=True)

PROBLEMS_SHOWN: Final = 50
CARD_HELP: Final = f"A card's file (.json), or {BUILT_IN}."

PRICES = ListTable(
    Column("measure"), Column("USD", is_number=True), Column("for", gives_way=True), Column("fall-back", gives_way=True)
)
LINES = ListTable(
    Column("measure"),
    Column("quantity", is_number=True),
    Column("USD", is_number=True),
    Column("cost", is_number=True),
    Column("fall-back", gives_way=True),
)
Card = Annotated[str, typer.Argument(metavar="FILE", help=CARD_HELP)]


@rates.command("check")
def check_card(card_file: Card, as_json: AsJson = False) -> None:
    """Read a card file. Every problem is named by its path; exit code 2 where there is one."""
    show_card(read(card_file), as_json=as_json)


def show_card(card: "RateCard", *, as_json: bool) -> None:
    """What a card has, and the patterns that match anything."""
    fallbacks = sum(1 for price in all_prices(card) if price.fallback)
    wide = [f"{entry.provider} {entry.model}" for entry in card.wide_patterns()]
    counts = {
        "entries": len(card.entries),
        "aliases": len(card.aliases),
        "columns": sum(len(entry.columns) for entry in card.entries),
        "prices": sum(1 for _ in all_prices(card)),
        "fallbacks": fallbacks,
        "provider_costs": sum(entry.provider_cost for entry in card.entries),
    }
    if as_json:
        show_json({**heading(card), **counts, "wide_patterns": wide})
        return
    words = {"fallbacks": "fall-backs", "provider_costs": "by the provider's own cost"}
    show_fields(
        f"rate card {card.version}",
        [*shown_heading(card), *((words.get(name, name), f"{count:,}") for name, count in counts.items())],
    )
    for pattern in wide:
        say(f"wide: {pattern} prices any model whose name begins so, also one that nobody has seen yet")


@rates.command("explain")
def explain_price(  # noqa: PLR0917 - options, given by name on the command line
    card_file: Card,
    provider: Provider,
    model: Model,
    input_tokens: InputTokens = 0,
    cached_input_tokens: CachedInputTokens = 0,
    output_tokens: OutputTokens = 0,
    reasoning_tokens: ReasoningTokens = 0,
    line: Lines = None,
    service_tier: ServiceTier = "",
    attribute: Attributes = None,
    provider_cost_usd: ProviderCost = "",
    at: Annotated[
        datetime | None,
        typer.Option("--at", parser=read_past, metavar="TIME", help="When the call was made; now when absent."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Why a usage costs what it costs: which entry, column and prices hold. Without a usage: all prices of the
    model."""
    from billing_service.domain.refusals import Refusal
    from billing_service.domain.spending.explanations import explain
    from billing_service.domain.spending.usage import usage_of

    card = read(card_file)
    counts = {
        "input_tokens": input_tokens,
        "cached_input_tokens": cached_input_tokens,
        "output_tokens": output_tokens,
        "reasoning_tokens": reasoning_tokens,
    }
    lines = usage_lines(counts, line)
    try:
        if not lines and not provider_cost_usd:
            show_entry(card, provider, model, as_json=as_json)
            return
        usage = usage_of(
            provider=provider,
            model=model,
            lines=lines,
            service_tier=service_tier,
            attributes=pairs(attribute, "--attribute"),
            provider_cost_usd=provider_cost_usd,
        )
        found = explain(usage, card, round((at or datetime.now(UTC)).timestamp()) * US_PER_S)
    except Refusal as refusal:
        fail(f"{refusal.reason}: {refusal.message}", *_what_there_is(card, provider, model))
    _show_explanation(usage, found, as_json=as_json)


def read(name_or_path: str) -> "RateCard":
    """The card; ends the command with its problems where it has some."""
    from billing_service.domain.catalogue.rate_card_checks import CardInvalid

    try:
        return load_rate_card(name_or_path)
    except CardInvalid as invalid:
        more = (
            [f"… and {len(invalid.problems) - PROBLEMS_SHOWN:,} more"] if len(invalid.problems) > PROBLEMS_SHOWN else []
        )
        fail(
            *(f"{name_or_path}: {problem}" for problem in invalid.problems[:PROBLEMS_SHOWN]),
            *more,
            code=EXIT_MISCONFIGURED,
        )


def heading(card: "RateCard") -> dict[str, Any]:
    """What a card says of itself, as JSON names it."""
    from billing_service.domain.catalogue.moments import moment_text

    source = f"{card.source.name} {card.source.version}".strip()
    return {
        "version": card.version,
        "source": source,
        "effective_time": moment_text(card.effective_time_us),
        "markup_ppm": card.markup_ppm,
    }


def shown_heading(card: "RateCard") -> list[tuple[str, object]]:
    """The same for people."""
    said = heading(card)
    return [("source", said["source"]), ("in force from", said["effective_time"]), ("markup", percent(card.markup_ppm))]


def percent(ppm: int) -> str:
    """`15 %`, `7.5 %`: exact."""
    from billing_service.domain.catalogue.exact_decimals import decimal_text

    return f"{decimal_text(ppm, 4)} %"


def all_prices(card: "RateCard") -> Iterator[Any]:
    """Every price of every column and prompt tier."""
    for entry in card.entries:
        for column in entry.columns:
            yield from column.prices.values()
            for tier in column.prompt_tiers:
                yield from tier.prices.values()


def show_entry(card: "RateCard", provider: str, model: str, *, as_json: bool) -> None:
    """All prices of a model; ends the command where the card has none."""
    from billing_service.domain.catalogue.exact_decimals import PRICE_DECIMALS, decimal_text
    from billing_service.domain.catalogue.rate_card_differences import column_words

    match = card.find(provider, model)
    if match is None:
        fail(
            f"UNKNOWN_MODEL: rate card {card.version} has no model {model!r} of provider {provider!r}",
            *_what_there_is(card, provider, model),
        )
    rows = []
    for column in match.entry.columns:
        levels = [
            ("", column.prices),
            *((f"above {tier.above_tokens:,} tokens", tier.prices) for tier in column.prompt_tiers),
        ]
        for above, prices in levels:
            place = f"{column_words(column)} {above}".strip()
            rows += [
                (measure.word, decimal_text(price.usd_e18, PRICE_DECIMALS), place, price.fallback)
                for measure, price in sorted(prices.items())
            ]
    if as_json:
        names = ("measure", "usd", "for", "fallback")
        show_json(
            {
                "entry": match.entry.model,
                "found_by": match.rule,
                "prices": [dict(zip(names, row, strict=True)) for row in rows],
            }
        )
        return
    show_fields(
        f"{provider} {model}",
        [("entry", match.entry.model), ("found by", match.rule), ("markup", percent(card.markup_of(match.entry)))],
    )
    PRICES.show("prices", rows)


def _show_explanation(usage: "Usage", found: "Explanation", *, as_json: bool) -> None:
    from billing_service.domain.catalogue.exact_decimals import PRICE_DECIMALS, decimal_text
    from billing_service.domain.catalogue.rate_card_differences import column_words

    fields = {
        "entry": found.match.entry.model,
        "found_by": str(found.match.rule),
        "column": column_words(found.column) or "standard" if found.column else "the provider's own cost",
        "prompt_tokens": found.prompt_tokens,
        "prompt_tier": f"above {found.prompt_tier:,}" if found.prompt_tier else "",
        "markup": f"{percent(found.markup_ppm)}, of the {found.markup_from}",
        "exact_microcredits": found.price.exact_total if found.price else "",
        "amount_microcredits": found.price.amount_microcredits if found.price else "",
    }
    costs = {line.measure: line.cost_usd for line in found.price.lines} if found.price else {}
    rows = [
        (
            explained.line.measure.word,
            explained.line.quantity,
            "none" if explained.unit_price is None else decimal_text(explained.unit_price.usd_e18, PRICE_DECIMALS),
            costs.get(explained.line.measure, ""),
            "" if explained.unit_price is None else explained.unit_price.fallback,
        )
        for explained in found.lines
    ]
    if as_json:
        names = ("measure", "quantity", "unit_price_usd", "cost_usd", "fallback")
        show_json(
            {**fields, "missing": list(found.missing), "lines": [dict(zip(names, row, strict=True)) for row in rows]}
        )
    else:
        show_fields(
            f"{usage.provider} {usage.model}", [(name.replace("_", " "), value) for name, value in fields.items()]
        )
        LINES.show("lines", rows)
    if found.missing:
        fail(f"PRICE_MISSING: no price for {', '.join(found.missing)}")


def _what_there_is(card: "RateCard", provider: str, model: str) -> list[str]:
    """What to ask for instead, where a name was not found."""
    match = card.find(provider, model)
    if match is not None:
        return [f"{match.entry.model} has prices for: {', '.join(_columns(match.entry))}"]
    providers = sorted({entry.provider for entry in card.entries})
    if provider not in providers:
        return [f"the card has the providers {', '.join(providers)}"]
    names = [entry.model for entry in card.entries if entry.provider == provider]
    near = sorted(name for name in names if name[:4] == model[:4]) or sorted(names)
    return [f"of {provider} it has {', '.join(near[:10])}{', …' if len(near) > len(near[:10]) else ''}"]


def _columns(entry: "Entry") -> Sequence[str]:
    from billing_service.domain.catalogue.rate_card_differences import column_words

    return [column_words(column) or "the standard tier" for column in entry.columns]
