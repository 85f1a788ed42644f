"""What is written at spend limits with a charge: counters, and who the charge counts for."""

from collections.abc import Iterator, Sequence

import orjson

from billing_service.domain.ledger.account import Account
from billing_service.storage.schema import limited_charges, spend_limits
from billing_service.storage.statements import Call, bulk_insert, bulk_update

COUNT_AT_LIMITS = bulk_update(spend_limits, ("account_id", "spender_id", "spend_window"), ("used", "window_start_us"))
INSERT_CHARGES = bulk_insert(limited_charges)


def limit_calls(written: Sequence[Account]) -> Iterator[Call]:
    """The writes of what was counted at these accounts' limits."""
    counted = [
        (account.account_id, limit.spender_id, limit.window, limit.used, limit.window_start_us)
        for account in written
        for limit in account.changed_limits.values()
    ]
    if counted:
        yield COUNT_AT_LIMITS.many(counted)
    charges = [
        (account.account_id, charge.transaction_id, orjson.dumps(charge.spender_ids).decode(), charge.count_time_us)
        for account in written
        for charge in account.limited_charges
    ]
    if charges:
        yield INSERT_CHARGES.many(charges)
