"""Finds lots that have expired and still hold something, by the index on open lots with an end."""

from sqlalchemy import bindparam, literal_column, select

from billing_service.storage.schema import lots
from billing_service.storage.statements import Work, reading

_EXPIRED_LOTS = (
    select(lots.c.account_id)
    .where(
        lots.c.is_open == literal_column("1"),
        lots.c.expire_time_us.is_not(None),
        lots.c.expire_time_us <= bindparam("now_us"),
    )
    .order_by(lots.c.expire_time_us)
    .limit(bindparam("page"))
    .subquery()
)
# In two steps: asked for the accounts at once, SQLite looks through all open lots, which are in the order of accounts.
EXPIRED = reading("find expired lots", select(_EXPIRED_LOTS.c.account_id).distinct(), "now_us", "page")


def expired_accounts(now_us: int, page: int) -> Work[list[str]]:
    """Accounts with something to expire, at most `page`; none only if there are none."""
    rows = yield EXPIRED(now_us, page)
    return [row[0] for row in rows]
