"""`billing rates import …`: a card from the price list of a library that is installed, or from a file of it."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from billing_service.cli.connection import AsJson
from billing_service.cli.display import EXIT_MISCONFIGURED, fail, say, show_fields, show_json
from billing_service.cli.layout import Column
from billing_service.cli.listing import ListTable
from billing_service.cli.rates import heading, shown_heading
from billing_service.cli.times import read_past
from billing_service.domain.times import US_PER_S

if TYPE_CHECKING:
    from billing_service.rate_import.reports import ImportReport

LITELLM, GENAI_PRICES = "litellm", "genai-prices"
DIGEST_CHARACTERS: Final = 12

FATES = ListTable(Column("models", is_number=True), Column("fate"), Column("why"), Column("the first", gives_way=True))

Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write the card there; without it, only the report is shown."),
]
MapFile = Annotated[
    Path | None,
    typer.Option("--map", metavar="FILE", help="A price map of litellm's, in place of that of the installed litellm."),
]
Version = Annotated[
    str,
    typer.Option("--card-version", metavar="TEXT", help="Name of the card; made of library and version when absent."),
]
Effective = Annotated[
    datetime | None,
    typer.Option(
        "--effective",
        parser=read_past,
        metavar="TIME",
        help="From when the card is in force; from today (UTC) when absent.",
    ),
]
Everything = Annotated[
    bool, typer.Option("--all", help="Each model that is not imported, and each price that is left out.")
]


def _library(name: str) -> str:
    if name not in {LITELLM, GENAI_PRICES}:
        raise typer.BadParameter(f"{name!r} is none of {LITELLM}, {GENAI_PRICES}")
    return name


def import_card(  # noqa: PLR0917 - options, given by name on the command line
    library: Annotated[str, typer.Argument(parser=_library, metavar="LIBRARY", help=f"{LITELLM} or {GENAI_PRICES}.")],
    out: Out = None,
    map_file: MapFile = None,
    card_version: Version = "",
    effective: Effective = None,
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """Make a card from a library's prices. What it can't price right is left out, by name; nothing is guessed."""
    if map_file is not None and library != LITELLM:
        fail("--map: goes with litellm", code=EXIT_MISCONFIGURED)
    moment = effective or datetime.combine(datetime.now(UTC).date(), datetime.min.time(), UTC)
    report = _report(library, map_file, card_version, moment)
    if out is not None:
        from billing_service.domain.catalogue.rate_card_text import card_text

        try:
            out.write_text(card_text(report.card), encoding="utf-8")
        except OSError as error:
            fail(f"--out {out}: {error.strerror}")
    if as_json:
        show_json(_as_json(report))
        return
    _show(report, everything=everything)
    if out is not None:
        say(
            f"written to {out}; `billing rates check {out}` reads it, `billing rates compare built_in {out}` shows "
            f"what changes"
        )


def _report(library: str, map_file: Path | None, card_version: str, effective: datetime) -> "ImportReport":
    from billing_service.rate_import.libraries import LibraryMissingError, installed_genai_prices, installed_litellm

    effective_time_us = int(effective.timestamp()) * US_PER_S
    try:
        if library == GENAI_PRICES:
            from billing_service.rate_import.genai_prices import import_genai_prices

            providers, units, version = installed_genai_prices()
            as_of: date = effective.astimezone(UTC).date()
            name = card_version or f"genai-prices-{version}-{as_of}"
            return import_genai_prices(
                providers,
                units,
                library_version=version,
                card_version=name,
                effective_time_us=effective_time_us,
                as_of=as_of,
            )
        from billing_service.rate_import.litellm import import_litellm

        price_map, version = installed_litellm() if map_file is None else _map_of(map_file)
    except LibraryMissingError as missing:
        fail(str(missing), code=EXIT_MISCONFIGURED)
    name = card_version or f"litellm-{version}"
    return import_litellm(
        price_map, library_version=version, card_version=name, effective_time_us=effective_time_us, year=effective.year
    )


def _map_of(path: Path) -> tuple[dict[str, Any], str]:
    """A map of a file; its version is the beginning of the SHA-256 of the file's bytes."""
    from hashlib import sha256

    from billing_service.rate_import.libraries import price_map_of

    try:
        content = path.read_bytes()
        return price_map_of(content.decode("utf-8")), f"map-{sha256(content).hexdigest()[:DIGEST_CHARACTERS]}"
    except OSError as error:
        fail(f"--map {path}: {error.strerror}", code=EXIT_MISCONFIGURED)
    except (ValueError, ArithmeticError, RecursionError):
        fail(f"--map {path}: is no price map: JSON with an object for each model", code=EXIT_MISCONFIGURED)


def _show(report: "ImportReport", *, everything: bool) -> None:
    from billing_service.rate_import.reports import Fate

    imported = [outcome for outcome in report.outcomes.values() if outcome.fate is Fate.IMPORTED]
    counts = [(str(fate), f"{report.count(fate):,}") for fate in Fate]
    omissions = sum(len(outcome.omitted) for outcome in imported)
    show_fields(
        f"rate card {report.card.version}",
        [*shown_heading(report.card), ("models", f"{len(report.outcomes):,}"), *counts, ("prices left out", omissions)],
    )
    if everything:
        others = [(name, outcome) for name, outcome in report.outcomes.items() if outcome.fate is not Fate.IMPORTED]
        FATES.show("not imported", [(1, str(outcome.fate), outcome.why, name) for name, outcome in others])
        for name, outcome in report.outcomes.items():
            for omitted in outcome.omitted:
                say(f"left out: {name}: {omitted}")
    else:
        fates = (Fate.REFUSED, Fate.UNPRICED, Fate.DUPLICATE)
        FATES.show(
            "not imported",
            [(count, str(fate), why, first) for fate in fates for why, count, first in report.reasons(fate)],
        )


def _as_json(report: "ImportReport") -> dict[str, Any]:
    from billing_service.rate_import.reports import Fate

    outcomes = {
        name: {
            "fate": str(outcome.fate),
            "why": outcome.why,
            "omitted": list(outcome.omitted),
            "notes": list(outcome.notes),
        }
        for name, outcome in report.outcomes.items()
    }
    return {**heading(report.card), **{str(fate): report.count(fate) for fate in Fate}, "models": outcomes}
