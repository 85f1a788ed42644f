"""Payments that purchases ask for themselves, struck by faults."""

from prepaid.billing.v1 import purchases_pb2

from tests.faults.fault_operations import calling, key_of, operation


def operations(purchase_request):
    def payment_request(tag):
        request = purchase_request(tag)
        request.payment_flow = purchases_pb2.PAYMENT_FLOW_PAYMENT_INTENT
        return request

    @operation("ask for a payment")
    async def ask_for_payment(service, tag):
        del service
        return calling("create_purchase", payment_request(tag))

    @operation("cancel a payment")
    async def cancel_payment(service, tag):
        made = (await service.answer("create_purchase", payment_request(tag))).purchase
        return calling(
            "cancel_purchase",
            purchases_pb2.CancelPurchaseRequest(purchase_id=made.purchase_id, idempotency_key=key_of(tag)),
        )

    return ask_for_payment, cancel_payment
