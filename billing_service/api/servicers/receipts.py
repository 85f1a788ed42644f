"""BillingService, receipts: why charges are what they are."""

from collections.abc import Mapping

from prepaid.billing.v1 import receipts_pb2, transactions_pb2

from billing_service.api import validation
from billing_service.api.pipeline import Call
from billing_service.api.servicers.usage import price_message
from billing_service.api.translate import timestamp
from billing_service.commands.environment import Environment
from billing_service.commands.spending.get_receipt import get_receipt
from billing_service.domain.spending.receipts import Receipt


def receipt_message(receipt: Receipt, categories: Mapping[str, int]) -> receipts_pb2.Receipt:
    """`categories`: of each lot that was drawn."""
    posted, charge = receipt.transaction, receipt.charge
    message = receipts_pb2.Receipt(
        transaction_id=posted.transaction_id,
        account_id=posted.account_id,
        create_time=timestamp(posted.create_time_us),
        amount_microcredits=charge.amount,
        charged_microcredits=charge.charged,
        uncollected_microcredits=charge.uncollected,
        draws=[
            transactions_pb2.Draw(lot_id=lot_id, category=categories[lot_id], amount_microcredits=amount)  # type: ignore[arg-type]
            for lot_id, amount in receipt.draws
        ],
        balance_before_microcredits=receipt.balance_before,
        balance_after_microcredits=posted.balance_after,
        reversed_microcredits=receipt.reversed,
        reversals=[
            receipts_pb2.ReceiptReversal(
                transaction_id=each.transaction_id,
                reversed_microcredits=each.amount,
                create_time=timestamp(each.create_time_us),
            )
            for each in receipt.reversals
        ],
    )
    if charge.priced is not None:
        usage, price = charge.priced
        of_usage = receipts_pb2.Receipt(
            request_id=usage.request_id,
            provider=usage.provider,
            model=usage.model,
            service_tier=usage.service_tier,
            attributes=dict(usage.attributes),
            measurement=usage.measurement,  # type: ignore[arg-type]
            occur_time=timestamp(usage.occur_time_us),
            price=price_message(price),
        )
        message.MergeFrom(of_usage)
    return message


class Receipts:
    """Methods of BillingService."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    async def get_receipt(self, request: receipts_pb2.GetReceiptRequest, call: Call) -> receipts_pb2.GetReceiptResponse:
        call.require_account(request.account_id)
        account_id = validation.account_id(request.account_id)
        transaction_id = validation.identifier("transaction_id", request.transaction_id, 128)
        found = await get_receipt(self._environment, account_id, transaction_id)
        return receipts_pb2.GetReceiptResponse(receipt=receipt_message(*found))
