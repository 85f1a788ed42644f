"""What changes whenever the balance of an account does, other than by time: read for many accounts, to see which
changed."""

from collections.abc import Sequence

from sqlalchemy import select

from billing_service.domain.ledger.balance import Mark
from billing_service.storage.schema import accounts
from billing_service.storage.statements import InList, Work, reading

READ_MARKS = reading(
    "read account marks",
    select(accounts.c.account_id, accounts.c.version, accounts.c.frozen).where(
        InList(accounts.c.account_id, "list_ids")
    ),
    "list_ids",
)


def read_marks(account_ids: Sequence[str]) -> Work[dict[str, Mark]]:
    """The marks of those accounts that exist."""
    return {account_id: Mark(version, bool(frozen)) for account_id, version, frozen in (yield READ_MARKS(account_ids))}
