"""BillingService, receipts: why charges are what they are."""

from collections.abc import Mapping

from prepaid.billing.v1 import receipts_pb2, transactions_pb2, usage_pb2

from billing_service.api import validation
from billing_service.api.pipeline import Call
from billing_service.api.servicers.usage import price_message, unpriced_message
from billing_service.api.translate import timestamp
from billing_service.commands.environment import Environment
from billing_service.commands.spending.get_receipt import get_receipt
from billing_service.domain.spending.receipts import Correction, Receipt
from billing_service.domain.spending.usage import Usage


def _correction(made: Correction) -> receipts_pb2.ReceiptCorrection:
    return receipts_pb2.ReceiptCorrection(
        transaction_id=made.transaction_id,
        corrected_microcredits=made.moved,
        rate_card_version=made.price.rate_card_version,
        price_microcredits=made.price.amount_microcredits,
        create_time=timestamp(made.create_time_us),
    )


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
        charged_before_microcredits=charge.before,
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
        corrected_microcredits=receipt.corrected,
        corrections=[_correction(each) for each in receipt.corrections],
    )
    if charge.priced is not None:
        message.MergeFrom(_of_usage(charge.priced.usage, price_message(charge.priced.price)))
    elif charge.unpriced is not None:
        price = unpriced_message(charge.unpriced, charge.amount + charge.before)
        message.MergeFrom(_of_usage(charge.unpriced.usage, price))
        message.measurement = usage_pb2.MEASUREMENT_ESTIMATED
    return message


def _of_usage(usage: Usage, price: usage_pb2.Price) -> receipts_pb2.Receipt:
    return receipts_pb2.Receipt(
        request_id=usage.request_id,
        provider=usage.provider,
        model=usage.model,
        service_tier=usage.service_tier,
        attributes=dict(usage.attributes),
        measurement=usage.measurement,  # type: ignore[arg-type]
        occur_time=timestamp(usage.occur_time_us),
        price=price,
    )


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
