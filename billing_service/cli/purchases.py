"""`billing purchases …`, `packages`, `refund`."""

from itertools import islice
from typing import Annotated

import typer
from billing_client import BillingClient, PurchaseStatus, RefundPolicy, RefundStatus
from prepaid.billing.v1.purchases_pb2 import Purchase

from billing_service.cli.accounts import AccountId, Limit
from billing_service.cli.amounts import read_money, shown_credits, shown_money
from billing_service.cli.connection import AsJson, IdempotencyKey, calls_service
from billing_service.cli.display import EXIT_MISCONFIGURED, fail, say, show_fields, show_json, show_table, shown_enum
from billing_service.cli.times import shown_time

purchases = typer.Typer(help="Purchases: list, show, create, cancel.", no_args_is_help=True)

PurchaseId = Annotated[str, typer.Argument(metavar="PURCHASE", help="pur_…, or cs_… of its checkout.")]


@calls_service
def packages(client: BillingClient, as_json: AsJson = False) -> None:
    """What is for sale."""
    found = client.list_packages().packages
    if as_json:
        show_json(found)
        return
    rows = [
        (p.code, p.name, shown_credits(p.credits_microcredits), shown_money(p.price_minor, p.currency), f"{p.discount_percent} %")
        for p in found
    ]
    show_table("Packages", ("code", "name", "credits", "price", "discount"), rows, numbers=["credits", "price", "discount"])


@purchases.command("list")
@calls_service
def list_purchases(client: BillingClient, account_id: AccountId, limit: Limit = 50, as_json: AsJson = False) -> None:
    """An account's purchases, newest first."""
    found = list(islice(client.iter_purchases(account_id=account_id, page_size=min(limit, 1000)), limit))
    if as_json:
        show_json(found)
        return
    rows = [
        (
            shown_time(p.create_time),
            p.purchase_id,
            p.package_code or "custom",
            shown_credits(p.credits_microcredits),
            shown_money(p.amount_minor, p.currency),
            shown_enum(PurchaseStatus, p.status),
            shown_money(p.refunded_minor, p.currency) if p.refunded_minor else "",
        )
        for p in found
    ]
    columns = ("time", "purchase", "package", "credits", "price", "status", "refunded")
    show_table(f"Purchases of {account_id}", columns, rows, numbers=["credits", "price", "refunded"])


@purchases.command("show")
@calls_service
def show_purchase(client: BillingClient, purchase_id: PurchaseId, as_json: AsJson = False) -> None:
    """One purchase."""
    found = _find(client, purchase_id)
    if as_json:
        show_json(found)
    else:
        _show(found)


@purchases.command("create")
@calls_service
def create_purchase(
    client: BillingClient,
    *,
    account_id: AccountId,
    package: Annotated[str | None, typer.Option(help="Code of the package; see `billing packages`.")] = None,
    amount: Annotated[str | None, typer.Option(help="A custom amount of money instead, such as 12.50.")] = None,
    currency: Annotated[str, typer.Option(help="Of --amount; the catalogue's when absent.")] = "",
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Begin a purchase, and say where the customer pays."""
    if (package is None) == (amount is None):
        fail("give --package or --amount, one of the two", code=EXIT_MISCONFIGURED)
    custom = None
    if amount is not None:
        on_sale = client.list_packages().packages
        currency = currency or (on_sale[0].currency if on_sale else "usd")
        custom = read_money(amount, currency)
    made = client.create_purchase(
        account_id=account_id, package_code=package, custom_amount_minor=custom, currency=currency, idempotency_key=idempotency_key
    )
    _show(made.purchase)
    say(f"Pay at {made.purchase.checkout_url}")


@purchases.command("cancel")
@calls_service
def cancel_purchase(client: BillingClient, purchase_id: PurchaseId, idempotency_key: IdempotencyKey = None) -> None:
    """Call off a purchase that nobody has paid."""
    _show(client.cancel_purchase(purchase_id=_find(client, purchase_id).purchase_id, idempotency_key=idempotency_key).purchase)


@calls_service
def refund(
    client: BillingClient,
    *,
    purchase_id: PurchaseId,
    amount: Annotated[str | None, typer.Option(help="Money to give back, such as 4.50; all that may be when absent.")] = None,
    with_debt: Annotated[bool, typer.Option("--with-debt", help="Also for spent credits, which become debt.")] = False,
    reason: Annotated[str, typer.Option(help="For the record.")] = "",
    quote: Annotated[bool, typer.Option("--quote", help="Only say what a refund would do.")] = False,
    idempotency_key: IdempotencyKey = None,
) -> None:
    """Give money back for a purchase."""
    purchase = _find(client, purchase_id)
    policy = RefundPolicy.Value("REFUND_POLICY_WITH_DEBT" if with_debt else "REFUND_POLICY_UNUSED_ONLY")
    if quote:
        offer = client.quote_refund(purchase_id=purchase.purchase_id, policy=policy)
        show_fields(
            f"A refund of {purchase.purchase_id} would give back",
            [
                ("money", shown_money(offer.refundable_minor, offer.currency)),
                ("credits taken", shown_credits(offer.reversed_microcredits)),
                ("of which debt", shown_credits(offer.debt_microcredits)),
            ],
        )
        return
    answer = client.refund(
        purchase_id=purchase.purchase_id,
        amount_minor=None if amount is None else read_money(amount, purchase.currency),
        policy=policy,
        reason=reason,
        idempotency_key=idempotency_key,
    )
    made = answer.refund
    show_fields(
        f"Refund {made.refund_id}",
        [
            ("status", shown_enum(RefundStatus, made.status)),
            ("money", shown_money(made.amount_minor, made.currency)),
            ("credits taken", shown_credits(made.reversed_microcredits)),
            ("of which debt", shown_credits(made.debt_microcredits)),
            ("at Stripe", made.stripe_refund_id),
            ("available now", shown_credits(answer.balance.available_microcredits)),
        ],
    )


def _find(client: BillingClient, purchase_id: str) -> Purchase:
    if purchase_id.startswith("cs_"):
        return client.get_purchase(checkout_session_id=purchase_id).purchase
    return client.get_purchase(purchase_id=purchase_id).purchase


def _show(purchase: Purchase) -> None:
    is_open = purchase.status == PurchaseStatus.Value("PURCHASE_STATUS_PENDING")
    show_fields(
        f"Purchase {purchase.purchase_id}",
        [
            ("account", purchase.account_id),
            ("package", purchase.package_code or "custom"),
            ("credits", shown_credits(purchase.credits_microcredits)),
            ("price", shown_money(purchase.amount_minor, purchase.currency)),
            ("status", shown_enum(PurchaseStatus, purchase.status)),
            ("paid", shown_money(purchase.paid_minor, purchase.currency) if purchase.paid_minor else ""),
            ("refunded", shown_money(purchase.refunded_minor, purchase.currency) if purchase.refunded_minor else ""),
            ("credits taken back", shown_credits(purchase.reversed_microcredits) if purchase.reversed_microcredits else ""),
            ("created", shown_time(purchase.create_time)),
            ("completed", shown_time(purchase.complete_time)),
            ("checkout ends", shown_time(purchase.expire_time) if is_open else ""),
            ("checkout session", purchase.checkout_session_id),
            ("payment intent", purchase.payment_intent_id),
            *((f"metadata {name}", value) for name, value in sorted(purchase.metadata.items())),
        ],
    )
