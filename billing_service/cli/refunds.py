"""`billing refund`, `refunds …`."""

from typing import Annotated

import typer
from billing_client import BillingClient, RefundPolicy, RefundStatus
from prepaid.billing.v1.refunds_pb2 import QuoteRefundResponse, Refund

from billing_service.cli.amounts import read_money, shown_credits, shown_money
from billing_service.cli.connection import AsJson, IdempotencyKey, calls_service
from billing_service.cli.display import EXIT_MISCONFIGURED, fail, show_fields, show_json, shown_enum
from billing_service.cli.layout import Column
from billing_service.cli.listing import All, Extent, Limit, ListTable, show_list
from billing_service.cli.purchases import PurchaseId, find_purchase
from billing_service.cli.times import shown_time

refunds = typer.Typer(help="Refunds: list, show.", no_args_is_help=True)

REFUNDS = ListTable(
    Column("time"),
    Column("money", is_number=True),
    Column("status"),
    Column("credits taken", is_number=True),
    Column("of which debt", is_number=True, gives_way=True),
    Column("reason", gives_way=True),
    Column("refund", gives_way=True),
    Column("purchase", gives_way=True),
    Column("at Stripe", gives_way=True),
)


@calls_service
def refund(
    client: BillingClient,
    *,
    purchase_id: PurchaseId,
    amount: Annotated[
        str | None, typer.Option(help="Money to give back, such as 4.50; all that may be when absent.")
    ] = None,
    with_debt: Annotated[bool, typer.Option("--with-debt", help="Also for spent credits, which become debt.")] = False,
    reason: Annotated[str, typer.Option(help="For the record.")] = "",
    quote: Annotated[bool, typer.Option("--quote", help="Only say what a refund would do.")] = False,
    idempotency_key: IdempotencyKey = None,
    as_json: AsJson = False,
) -> None:
    """Give money back for a purchase."""
    purchase = find_purchase(client, purchase_id)
    policy = RefundPolicy.Value("REFUND_POLICY_WITH_DEBT" if with_debt else "REFUND_POLICY_UNUSED_ONLY")
    amount_minor = None if amount is None else read_money(amount, purchase.currency)
    if quote:
        offer = client.quote_refund(purchase_id=purchase.purchase_id, amount_minor=amount_minor, policy=policy)
        _show_quote(purchase.purchase_id, offer, as_json=as_json)
        return
    answer = client.refund(
        purchase_id=purchase.purchase_id,
        amount_minor=amount_minor,
        policy=policy,
        reason=reason,
        idempotency_key=idempotency_key,
    )
    if as_json:
        show_json(answer)
    else:
        _show(answer.refund, available_now=shown_credits(answer.balance.available_microcredits))


def _show_quote(purchase_id: str, offer: QuoteRefundResponse, *, as_json: bool) -> None:
    if as_json:
        show_json(offer)
        return
    show_fields(
        f"A refund of {purchase_id} would give back",
        [
            ("money", shown_money(offer.refundable_minor, offer.currency)),
            ("credits taken", shown_credits(offer.reversed_microcredits)),
            ("of which debt", shown_credits(offer.debt_microcredits)),
        ],
    )


@refunds.command("list")
@calls_service
def list_refunds(
    client: BillingClient,
    *,
    account_id: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="The account's id; with --purchase it may be left out.")
    ] = "",
    purchase: Annotated[str, typer.Option(metavar="PURCHASE", help="Only those of this purchase, pur_… or cs_….")] = "",
    limit: Limit = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """Refunds of an account or of one purchase, newest first, those begun at Stripe too."""
    if not account_id and not purchase:
        fail("give ACCOUNT or --purchase", code=EXIT_MISCONFIGURED)
    extent = Extent(limit, everything)
    sold = find_purchase(client, purchase) if purchase else None
    found = client.iter_refunds(
        account_id=account_id or (sold.account_id if sold else ""),
        purchase_id=sold.purchase_id if sold else "",
        page_size=extent.page_size,
    )
    title = f"Refunds of {sold.purchase_id if sold else account_id}"
    show_list(title, REFUNDS, found, _cells, extent=extent, as_json=as_json)


@refunds.command("show")
@calls_service
def show_refund(
    client: BillingClient,
    refund_id: Annotated[str, typer.Argument(metavar="REFUND", help="ref_…, or re_… as Stripe calls it.")],
    as_json: AsJson = False,
) -> None:
    """One refund as it is now."""
    found = client.get_refund(refund_id=refund_id).refund
    if as_json:
        show_json(found)
    else:
        _show(found)


def _cells(made: Refund) -> tuple[object, ...]:
    return (
        shown_time(made.create_time),
        shown_money(made.amount_minor, made.currency),
        shown_enum(RefundStatus, made.status),
        shown_credits(made.reversed_microcredits),
        shown_credits(made.debt_microcredits) if made.debt_microcredits else "",
        made.reason,
        made.refund_id,
        made.purchase_id,
        made.stripe_refund_id,
    )


def _show(made: Refund, available_now: str = "") -> None:
    show_fields(
        f"Refund {made.refund_id}",
        [
            ("account", made.account_id),
            ("purchase", made.purchase_id),
            ("status", shown_enum(RefundStatus, made.status)),
            ("money", shown_money(made.amount_minor, made.currency)),
            ("credits taken", shown_credits(made.reversed_microcredits)),
            ("of which debt", shown_credits(made.debt_microcredits)),
            ("reason", made.reason),
            ("at Stripe", made.stripe_refund_id),
            ("created", shown_time(made.create_time)),
            ("available now", available_now),
        ],
    )
