"""`billing receipt`: why a charge is what it is."""

from typing import Annotated

import typer
from billing_client import BillingClient, UsageKind
from prepaid.billing.v1.receipts_pb2 import Receipt, ReceiptCorrection, ReceiptReversal
from prepaid.billing.v1.transactions_pb2 import CreditCategory, Draw
from prepaid.billing.v1.usage_pb2 import Measurement, PriceLine, TimeBasis

from billing_service.cli.accounts import AccountId
from billing_service.cli.amounts import shown_credits
from billing_service.cli.connection import AsJson, calls_service
from billing_service.cli.display import show_fields, show_json, shown_enum
from billing_service.cli.layout import Column
from billing_service.cli.listing import ListTable
from billing_service.cli.rates import percent
from billing_service.cli.times import shown_time

LINES = ListTable(
    Column("measure"),
    Column("quantity", is_number=True),
    Column("USD", is_number=True),
    Column("cost", is_number=True),
)
DRAWS = ListTable(Column("lot"), Column("category"), Column("credits", is_number=True))
CORRECTIONS = ListTable(
    Column("time"),
    Column("credits", is_number=True),
    Column("card"),
    Column("price", is_number=True),
    Column("transaction"),
)
REVERSALS = ListTable(Column("time"), Column("credits", is_number=True), Column("transaction"))


@calls_service
def receipt(
    client: BillingClient,
    account_id: AccountId,
    transaction_id: Annotated[str, typer.Argument(metavar="TRANSACTION", help="The deduction's id, txn_…")],
    as_json: AsJson = False,
) -> None:
    """Why a charge is what it is: lines and prices, what was drawn, what came back."""
    found = client.get_receipt(account_id=account_id, transaction_id=transaction_id).receipt
    if as_json:
        show_json(found)
        return
    show_fields(f"Receipt {found.transaction_id}", [field for field in _fields(found) if field[1]])
    if found.price.lines:
        LINES.show("lines", [_line(line) for line in found.price.lines])
    if found.draws:
        DRAWS.show("drawn", [_draw(draw) for draw in found.draws])
    if found.reversals:
        REVERSALS.show("reversed", [_reversal(each) for each in found.reversals])
    if found.corrections:
        CORRECTIONS.show("corrected", [_correction(each) for each in found.corrections])


def _fields(found: Receipt) -> list[tuple[str, str]]:
    usage, money = [], [("amount", found.amount_microcredits)]
    if found.HasField("price"):
        price = found.price
        occurred = price.time_basis == TimeBasis.TIME_BASIS_OCCURRED
        usage = [
            ("request", found.request_id),
            ("model", f"{found.provider} {found.model}"),
            ("attributes", " ".join(f"{name}={value}" for name, value in sorted(found.attributes.items()))),
            ("measured", shown_enum(Measurement, found.measurement)),
            ("without a price", ", ".join(price.missing)),
            ("rate card", price.rate_card_version),
            ("entry", price.model_pattern),
            ("service tier", price.service_tier),
            ("prompt tier", f"above {price.prompt_tier:,}" if price.prompt_tier else ""),
            ("provider's cost", price.provider_cost_usd),
            ("markup", "" if price.missing else percent(price.markup_ppm)),
            ("priced as of", "" if price.missing else shown_time(found.occur_time if occurred else found.create_time)),
            ("exact microcredits", price.exact_total),
        ]
    if found.charged_before_microcredits:
        money += [("charged before", found.charged_before_microcredits)]
    money += [("charged", found.charged_microcredits), ("uncollected", found.uncollected_microcredits)]
    return [
        ("account", found.account_id),
        ("time", shown_time(found.create_time)),
        *usage,
        *[(name, f"{shown_credits(amount)} credits") for name, amount in money],
        ("balance before", shown_credits(found.balance_before_microcredits)),
        ("balance after", shown_credits(found.balance_after_microcredits)),
        ("corrected by", shown_credits(found.corrected_microcredits) if found.corrected_microcredits else ""),
        ("given back", shown_credits(found.reversed_microcredits) if found.reversed_microcredits else ""),
    ]


def _line(line: PriceLine) -> tuple[object, ...]:
    word = shown_enum(UsageKind, line.kind)
    return (f"{word}:{line.variant}" if line.variant else word, line.quantity, line.unit_price_usd, line.cost_usd)


def _draw(draw: Draw) -> tuple[object, ...]:
    return (draw.lot_id, shown_enum(CreditCategory, draw.category), shown_credits(draw.amount_microcredits))


def _correction(each: ReceiptCorrection) -> tuple[object, ...]:
    moved, price = shown_credits(each.corrected_microcredits), shown_credits(each.price_microcredits)
    return (shown_time(each.create_time), moved, each.rate_card_version, price, each.transaction_id)


def _reversal(each: ReceiptReversal) -> tuple[object, ...]:
    return (shown_time(each.create_time), shown_credits(each.reversed_microcredits), each.transaction_id)
