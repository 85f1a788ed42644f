"""GetReceipt: why a charge is what it is, from the ledger alone."""

from collections.abc import Mapping
from typing import NamedTuple

from billing_service.commands.environment import Environment
from billing_service.domain.refusals import account_not_found, invalid_field
from billing_service.domain.refusals.spending import transaction_not_found
from billing_service.domain.spending.receipts import Receipt, charge_of, correction_of, reversal_of
from billing_service.storage.rows.corrections import corrections_made
from billing_service.storage.rows.history import (
    already_reversed,
    lot_categories,
    newest_transaction,
    read_reversals,
    read_transaction,
)
from billing_service.storage.statements import Work


class FoundReceipt(NamedTuple):
    """A receipt, and the category of each lot that it drew."""

    receipt: Receipt
    categories: Mapping[str, int]


async def get_receipt(environment: Environment, account_id: str, transaction_id: str) -> FoundReceipt:
    """Raises ACCOUNT_NOT_FOUND, TRANSACTION_NOT_FOUND, and INVALID_FIELD for a transaction that charged nothing."""

    def work() -> Work[FoundReceipt]:
        transaction = yield from read_transaction(account_id, transaction_id)
        if transaction is None:
            if (yield from newest_transaction(account_id)) is None:
                raise account_not_found(account_id)
            raise transaction_not_found(transaction_id)
        charge = charge_of(transaction)
        if charge is None:
            raise invalid_field("transaction_id", "is no deduction: what charges nothing has no receipt")
        reversed_ = yield from already_reversed(account_id, transaction_id)
        found = (yield from read_reversals(account_id, transaction_id)) if reversed_ else []
        corrected = yield from corrections_made(account_id, transaction_id)
        receipt = Receipt(
            transaction, charge, reversed_, [reversal_of(each) for each in found], [*map(correction_of, corrected)]
        )
        categories = yield from lot_categories(account_id, [lot_id for lot_id, _ in receipt.draws])
        return FoundReceipt(receipt, categories)

    return await environment.store.read(work)
