"""`billing purchases …`, `packages`."""

from collections.abc import Sequence
from typing import Annotated

import typer
from billing_client import BillingClient, DisputeStatus, PaymentFlow, PurchaseFlag, PurchaseStatus, RefundStatus
from prepaid.billing.v1.purchases_pb2 import Dispute, GetPurchaseResponse, Package, Purchase

from billing_service.cli.accounts import AccountId
from billing_service.cli.amounts import read_money, shown_credits, shown_money
from billing_service.cli.connection import AsJson, IdempotencyKey, calls_service
from billing_service.cli.display import EXIT_MISCONFIGURED, fail, say, show_fields, show_json, shown_enum
from billing_service.cli.layout import Column
from billing_service.cli.listing import All, Extent, Limit, ListTable, show_list
from billing_service.cli.times import shown_time

purchases = typer.Typer(help="Purchases: list, show, create, cancel.", no_args_is_help=True)

PurchaseId = Annotated[str, typer.Argument(metavar="PURCHASE", help="pur_…, or cs_… of its checkout.")]

PACKAGES = ListTable(
    Column("code"),
    Column("name", gives_way=True),
    Column("credits", is_number=True),
    Column("price", is_number=True),
    Column("discount", is_number=True),
)
PURCHASES = ListTable(
    Column("time"),
    Column("package"),
    Column("credits", is_number=True),
    Column("price", is_number=True),
    Column("status"),
    Column("refunded", is_number=True, gives_way=True),
    Column("refund pending", is_number=True, gives_way=True),
    Column("purchase", gives_way=True),
)


@calls_service
def packages(client: BillingClient, limit: Limit = None, everything: All = False, as_json: AsJson = False) -> None:
    """What is for sale."""
    found = iter(client.list_packages().packages)
    show_list("Packages", PACKAGES, found, _package_cells, extent=Extent(limit, everything), as_json=as_json)


def _package_cells(package: Package) -> tuple[object, ...]:
    return (
        package.code,
        package.name,
        shown_credits(package.credits_microcredits),
        shown_money(package.price_minor, package.currency),
        f"{package.discount_percent} %",
    )


@purchases.command("list")
@calls_service
def list_purchases(
    client: BillingClient,
    *,
    account_id: AccountId,
    limit: Limit = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """An account's purchases, newest first."""
    extent = Extent(limit, everything)
    found = client.iter_purchases(account_id=account_id, page_size=extent.page_size)
    show_list(f"Purchases of {account_id}", PURCHASES, found, purchase_cells, extent=extent, as_json=as_json)


def purchase_cells(purchase: Purchase) -> tuple[object, ...]:
    return (
        shown_time(purchase.create_time),
        purchase.package_code or "custom",
        shown_credits(purchase.credits_microcredits),
        shown_money(purchase.amount_minor, purchase.currency),
        shown_enum(PurchaseStatus, purchase.status),
        _if_any(purchase.refunded_minor - purchase.refund_pending_minor, purchase.currency),
        _if_any(purchase.refund_pending_minor, purchase.currency),
        purchase.purchase_id,
    )


@purchases.command("show")
@calls_service
def show_purchase(client: BillingClient, purchase_id: PurchaseId, as_json: AsJson = False) -> None:
    """One purchase, with what became of its refunds."""
    found = _read(client, purchase_id)
    if as_json:
        show_json(found.purchase)
    else:
        present_purchase(found.purchase, _refunds_that_came_to_nothing(client, found.purchase), found.disputes)


@purchases.command("create")
@calls_service
def create_purchase(
    client: BillingClient,
    *,
    account_id: AccountId,
    package: Annotated[str | None, typer.Option(help="Code of the package; see `billing packages`.")] = None,
    amount: Annotated[str | None, typer.Option(help="A custom amount of money instead, such as 12.50.")] = None,
    currency: Annotated[str, typer.Option(help="Of --amount; the catalogue's when absent.")] = "",
    own_page: Annotated[
        bool, typer.Option("--own-page", help="The customer pays in a page of yours, with a client secret.")
    ] = False,
    idempotency_key: IdempotencyKey = None,
    as_json: AsJson = False,
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
        account_id=account_id,
        package_code=package,
        custom_amount_minor=custom,
        currency=currency,
        payment_flow=PaymentFlow.PAYMENT_FLOW_PAYMENT_INTENT if own_page else PaymentFlow.PAYMENT_FLOW_CHECKOUT,
        idempotency_key=idempotency_key,
    )
    if as_json:
        show_json(made)
        return
    present_purchase(made.purchase)
    paid_by = f"Confirm with the client secret {made.purchase.client_secret}"
    say(paid_by if own_page else f"Pay at {made.purchase.checkout_url}")


@purchases.command("cancel")
@calls_service
def cancel_purchase(
    client: BillingClient, *, purchase_id: PurchaseId, idempotency_key: IdempotencyKey = None, as_json: AsJson = False
) -> None:
    """Call off a purchase that nobody has paid."""
    done = client.cancel_purchase(
        purchase_id=find_purchase(client, purchase_id).purchase_id, idempotency_key=idempotency_key
    )
    if as_json:
        show_json(done)
    else:
        present_purchase(done.purchase)


def find_purchase(client: BillingClient, purchase_id: str) -> Purchase:
    return _read(client, purchase_id).purchase


def _read(client: BillingClient, purchase_id: str) -> GetPurchaseResponse:
    if purchase_id.startswith("cs_"):
        return client.get_purchase(checkout_session_id=purchase_id)
    return client.get_purchase(purchase_id=purchase_id)


def _if_any(amount_minor: int, currency: str) -> str:
    return shown_money(amount_minor, currency) if amount_minor else ""


def _refunds_that_came_to_nothing(client: BillingClient, purchase: Purchase) -> int:
    """Money that was to go back and did not, in the currency's smallest unit."""
    came_to_nothing = (RefundStatus.Value("REFUND_STATUS_FAILED"), RefundStatus.Value("REFUND_STATUS_CANCELED"))
    made = client.iter_refunds(account_id=purchase.account_id, purchase_id=purchase.purchase_id)
    return sum(refund.amount_minor for refund in made if refund.status in came_to_nothing)


def _dispute_field(dispute: Dispute, currency: str) -> tuple[str, str]:
    """What it is called, and how it stands."""
    words = [
        shown_enum(DisputeStatus, dispute.status),
        f"about {shown_money(dispute.amount_minor, currency)}",
        f"{shown_money(dispute.out_minor, currency)} out" if dispute.out_minor else "nothing out",
        dispute.reason,
        f"answer until {shown_time(dispute.due_time)}" if dispute.HasField("due_time") else "",
    ]
    return dispute.dispute_id, ", ".join(word for word in words if word)


def present_purchase(purchase: Purchase, refund_failed_minor: int = 0, disputes: Sequence[Dispute] = ()) -> None:
    is_open = purchase.status == PurchaseStatus.Value("PURCHASE_STATUS_PENDING")
    show_fields(
        f"Purchase {purchase.purchase_id}",
        [
            ("account", purchase.account_id),
            ("package", purchase.package_code or "custom"),
            ("credits", shown_credits(purchase.credits_microcredits)),
            ("price", shown_money(purchase.amount_minor, purchase.currency)),
            ("status", shown_enum(PurchaseStatus, purchase.status)),
            ("paid", _if_any(purchase.paid_minor, purchase.currency)),
            ("refunded", _if_any(purchase.refunded_minor - purchase.refund_pending_minor, purchase.currency)),
            ("refund pending", _if_any(purchase.refund_pending_minor, purchase.currency)),
            ("refund failed", _if_any(refund_failed_minor, purchase.currency)),
            ("disputed", _if_any(purchase.disputed_minor, purchase.currency)),
            ("flags", ", ".join(shown_enum(PurchaseFlag, flag) for flag in purchase.flags)),
            *(_dispute_field(dispute, purchase.currency) for dispute in disputes),
            (
                "credits taken back",
                shown_credits(purchase.reversed_microcredits) if purchase.reversed_microcredits else "",
            ),
            ("created", shown_time(purchase.create_time)),
            ("completed", shown_time(purchase.complete_time)),
            ("checkout ends", shown_time(purchase.expire_time) if is_open else ""),
            ("checkout session", purchase.checkout_session_id),
            ("payment intent", purchase.payment_intent_id),
            *((f"metadata {name}", value) for name, value in sorted(purchase.metadata.items())),
        ],
    )
