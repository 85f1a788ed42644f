"""`billing rates create|list|show|diff`: the rate cards that the service prices by."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from billing_client import BillingClient
from prepaid.billing.v1.rate_cards_pb2 import RateCard as CardRecord

from billing_service.cli.connection import AsJson, IdempotencyKey, calls_service
from billing_service.cli.display import EXIT_MISCONFIGURED, fail, show_fields, show_json
from billing_service.cli.layout import Column
from billing_service.cli.listing import All, Extent, Limit, ListTable, show_list
from billing_service.cli.rate_compare import show_differences
from billing_service.cli.rates import Card, read, show_card, show_entry
from billing_service.cli.times import shown_time
from billing_service.rate_cards import BUILT_IN, SUFFIX

if TYPE_CHECKING:
    from billing_service.domain.catalogue.rate_cards import RateCard

CARDS = ListTable(
    Column("card"),
    Column("in force from"),
    Column("now"),
    Column("entries", is_number=True),
    Column("created", gives_way=True),
    Column("source", gives_way=True),
)
Version = Annotated[str, typer.Argument(metavar="VERSION", help="The one in force when absent.", show_default=False)]


@calls_service
def create_card(
    client: BillingClient, *, card_file: Card, idempotency_key: IdempotencyKey = None, as_json: AsJson = False
) -> None:
    """Store a card file as a new version, which never changes. It prices usage from its effective time on, at the
    earliest in 10 seconds."""
    from billing_service.domain.catalogue.rate_card_packing import packed
    from billing_service.domain.catalogue.rate_card_text import card_text

    made = client.create_rate_card_version(
        card_file=packed(card_text(read(card_file))), idempotency_key=idempotency_key
    )
    if as_json:
        show_json(made)
        return
    _show_record(made.rate_card)


@calls_service
def list_cards(client: BillingClient, *, limit: Limit = None, everything: All = False, as_json: AsJson = False) -> None:
    """All stored cards, newest first, and which of them prices usage now."""
    extent = Extent(limit, everything)
    in_force = client.list_rate_cards(page_size=1).version_in_force
    found = client.iter_rate_cards(page_size=extent.page_size)
    show_list("Rate cards", CARDS, found, _cells(in_force), extent=extent, as_json=as_json)


@calls_service
def show_stored_card(
    client: BillingClient,
    *,
    version: Version = "",
    provider: Annotated[str, typer.Option(help="With --model: its prices.")] = "",
    model: Annotated[str, typer.Option(help="As the provider names it.")] = "",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the card file here; an existing file is left as it is.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What a stored card has: its counts, the patterns that match anything, and with --provider and --model the prices
    of a model."""
    if bool(provider) != bool(model):
        fail("give --provider and --model together", code=EXIT_MISCONFIGURED)
    record, card = _stored(client, version)
    if out is not None:
        _write(card, out)
    if model:
        show_entry(card, provider, model, as_json=as_json)
        return
    if not as_json:
        _show_record(record)
    show_card(card, as_json=as_json)


@calls_service
def diff_cards(
    client: BillingClient,
    *,
    after: Annotated[
        str, typer.Argument(metavar="CARD", help=f"A stored version, a card file (.json), or {BUILT_IN}.")
    ],
    before: Annotated[
        str,
        typer.Option(
            metavar="CARD",
            help="The same, for what it is compared with; the card in force when absent.",
            show_default=False,
        ),
    ] = "",
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """What a card changes, price by price: against the one in force, or any other."""
    show_differences(_any_card(client, before), _any_card(client, after), everything=everything, as_json=as_json)


def _any_card(client: BillingClient, name: str) -> "RateCard":
    return read(name) if name == BUILT_IN or name.endswith(SUFFIX) else _stored(client, name)[1]


def _stored(client: BillingClient, version: str) -> "tuple[CardRecord, RateCard]":
    from billing_service.domain.catalogue.rate_card_checks import CardInvalid
    from billing_service.domain.catalogue.rate_card_packing import unpacked

    found = client.get_rate_card(version=version)
    try:
        return found.rate_card, unpacked(found.card_file_gzip)
    except CardInvalid as invalid:
        fail(f"rate card {found.rate_card.version}: {invalid.problems[0]}: another version of the service wrote it")


def _write(card: "RateCard", out: Path) -> None:
    from billing_service.domain.catalogue.rate_card_text import card_text

    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(card_text(card))
    except OSError as error:
        fail(f"{out}: {error.strerror}")


def _show_record(card: CardRecord) -> None:
    fields = [
        ("in force from", shown_time(card.in_force_time)),
        ("created", shown_time(card.create_time)),
        ("entries", card.entry_count),
    ]
    show_fields(f"stored rate card {card.version}", fields)


def _cells(in_force: str) -> Callable[[CardRecord], tuple[object, ...]]:
    def cells(card: CardRecord) -> tuple[object, ...]:
        now = "in force" if card.version == in_force else ""
        return (
            card.version,
            shown_time(card.in_force_time),
            now,
            card.entry_count,
            shown_time(card.create_time),
            card.source,
        )

    return cells
