"""The client secret of a payment, sent behind a reply that has none: it is kept nowhere."""

from prepaid.billing.v1 import purchases_pb2

from billing_service.commands.environment import Environment
from billing_service.commands.sales.payment_step import client_secret_of
from billing_service.ledger.provider_step import as_refusals


async def secret_behind(environment: Environment, reply: bytes) -> bytes:
    """Bytes that follow those of a CreatePurchaseResponse: messages concatenate. None once nothing is left to pay.
    Raises STRIPE_UNAVAILABLE, STRIPE_REFUSED."""
    made = purchases_pb2.CreatePurchaseResponse.FromString(reply).purchase
    if made.status != purchases_pb2.PURCHASE_STATUS_PENDING:
        return b""
    with as_refusals():
        secret = await client_secret_of(environment, made.payment_intent_id)
    told = purchases_pb2.CreatePurchaseResponse(purchase=purchases_pb2.Purchase(client_secret=secret))
    return told.SerializeToString()
