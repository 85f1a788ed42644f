"""`billing purchases all`."""

from datetime import datetime
from typing import Annotated

import typer
from billing_client import BillingClient, PurchaseStatus
from prepaid.billing.v1.purchases_pb2 import Purchase

from billing_service.cli.connection import AsJson, calls_service
from billing_service.cli.display import enum_option
from billing_service.cli.layout import Column
from billing_service.cli.listing import All, Extent, Limit, ListTable, show_list
from billing_service.cli.purchases import PURCHASES, purchase_cells
from billing_service.cli.times import read_past

ALL_PURCHASES = ListTable(*PURCHASES.columns[:1], Column("account"), *PURCHASES.columns[1:])


@calls_service
def list_all_purchases(
    client: BillingClient,
    *,
    status: Annotated[
        list[int] | None,
        enum_option(PurchaseStatus, "Only of this state; several times: of these."),
    ] = None,
    package: Annotated[str, typer.Option(help="Only of the package of this code.", show_default=False)] = "",
    since: Annotated[
        datetime | None, typer.Option(parser=read_past, metavar="TIME", help="Made then or later, such as 7d.")
    ] = None,
    until: Annotated[datetime | None, typer.Option(parser=read_past, metavar="TIME", help="Made before.")] = None,
    limit: Limit = None,
    everything: All = False,
    as_json: AsJson = False,
) -> None:
    """The purchases of all accounts, newest first."""
    extent = Extent(limit, everything)
    found = client.iter_all_purchases(
        statuses=[PurchaseStatus.ValueType(each) for each in dict.fromkeys(status or ())],
        package_code=package,
        start_time=since,
        end_time=until,
        page_size=extent.page_size,
    )
    show_list("Purchases", ALL_PURCHASES, found, _cells, extent=extent, as_json=as_json)


def _cells(purchase: Purchase) -> tuple[object, ...]:
    time, *rest = purchase_cells(purchase)
    return (time, purchase.account_id, *rest)
