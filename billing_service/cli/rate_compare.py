"""`billing rates compare`: what changes from one card file to another."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from billing_service.cli.connection import AsJson
from billing_service.cli.display import say, show_json
from billing_service.cli.layout import Column
from billing_service.cli.listing import ListTable
from billing_service.cli.rates import CARD_HELP, Card, read

if TYPE_CHECKING:
    from billing_service.domain.catalogue.rate_card_differences import Difference
    from billing_service.domain.catalogue.rate_cards import RateCard

DIFFERENCES_SHOWN: Final = 50

CHANGES = ListTable(
    Column("provider"),
    Column("model"),
    Column("what"),
    Column("before", is_number=True),
    Column("after", is_number=True),
    Column("change", is_number=True),
)


def compare_cards(
    before: Card,
    after: Annotated[str, typer.Argument(metavar="FILE", help=CARD_HELP)],
    everything: Annotated[
        bool, typer.Option("--all", help=f"Every difference, and not the first {DIFFERENCES_SHOWN}.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What changes from one card to another, price by price."""
    show_differences(read(before), read(after), everything=everything, as_json=as_json)


def show_differences(before: "RateCard", after: "RateCard", *, everything: bool, as_json: bool) -> None:
    """As a table of the first ones, or of every one."""
    from billing_service.domain.catalogue.rate_card_differences import differences

    found = differences(before, after)
    if as_json:
        show_json({"differences": [_difference_json(difference) for difference in found]})
        return
    shown = found if everything else found[:DIFFERENCES_SHOWN]
    CHANGES.show("differences", [_difference_cells(difference) for difference in shown])
    if len(shown) < len(found):
        say(f"{len(shown):,} of {len(found):,} shown; --all shows every one")


def _difference_cells(difference: "Difference") -> tuple[str, ...]:
    before, after = (_shown(value) for value in (difference.before, difference.after))
    return difference.provider, difference.model, difference.what, before, after, _change(difference)


def _difference_json(difference: "Difference") -> dict[str, Any]:
    before, after = (_shown(value) for value in (difference.before, difference.after))
    return {
        "provider": difference.provider,
        "model": difference.model,
        "what": difference.what,
        "before": before,
        "after": after,
    }


def _shown(value: int | str | None) -> str:
    from billing_service.domain.catalogue.exact_decimals import PRICE_DECIMALS, decimal_text

    return decimal_text(value, PRICE_DECIMALS) if isinstance(value, int) else value or ""


def _change(difference: "Difference") -> str:
    """In whole per cent, rounded down; empty where one side has no price, or none above 0."""
    before, after = difference.before, difference.after
    if not isinstance(before, int) or not isinstance(after, int) or not before:
        return ""
    return f"{(after - before) * 100 // before:+} %"
