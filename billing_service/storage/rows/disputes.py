"""Rows of disputes."""

from collections.abc import Mapping

import orjson
from sqlalchemy import and_, bindparam

from billing_service.domain.sales.disputes import Dispute
from billing_service.domain.sales.purchases import Purchase
from billing_service.storage.rows.records import RecordTable
from billing_service.storage.schema import disputes
from billing_service.storage.statements import Work


def _text(entries: Mapping[str, int]) -> str:
    return orjson.dumps(entries, option=orjson.OPT_SORT_KEYS).decode()


DISPUTES = RecordTable(
    disputes, Dispute, ("account_id", "dispute_id"), {"entries": orjson.loads}, columns={"entries": _text}
)
DISPUTES_OF_PURCHASE = DISPUTES.selecting(
    "read disputes of purchase",
    and_(disputes.c.account_id == bindparam("account_id"), disputes.c.purchase_id == bindparam("purchase_id")),
    "account_id",
    "purchase_id",
)


def disputes_of(purchase: Purchase) -> Work[list[Dispute]]:
    """In the order of their ids."""
    rows = yield DISPUTES_OF_PURCHASE(purchase.account_id, purchase.purchase_id)
    return [DISPUTES.record(row) for row in rows]
