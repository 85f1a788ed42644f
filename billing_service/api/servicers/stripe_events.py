"""StripeEventService."""

from prepaid.billing.v1 import stripe_events_pb2

from billing_service.api import translate, validation
from billing_service.api.pipeline import Call
from billing_service.commands.environment import Environment
from billing_service.commands.sales.get_purchase import purchase_by_id
from billing_service.domain.refusals import invalid_field
from billing_service.stripe_events.envelope import PAYLOAD_BYTES_MAX
from billing_service.stripe_events.inbox import Outcome, process_event

SIGNATURE_MAX = 8_192
"""Characters of an id of Stripe's."""
SESSION_PREFIX = "cs_"
_PREFIX = "STRIPE_EVENT_OUTCOME_"
OUTCOMES = {
    Outcome(name.removeprefix(_PREFIX)): number
    for name, number in stripe_events_pb2.StripeEventOutcome.items()
    if number
}


class StripeEvents:
    """Methods of StripeEventService."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    async def process_stripe_event(
        self, request: stripe_events_pb2.ProcessStripeEventRequest, call: Call
    ) -> stripe_events_pb2.ProcessStripeEventResponse:
        if not 0 < len(request.payload) <= PAYLOAD_BYTES_MAX:
            raise invalid_field("payload", f"must have 1 to {PAYLOAD_BYTES_MAX} bytes")
        if not 0 < len(request.stripe_signature) <= SIGNATURE_MAX:
            raise invalid_field("stripe_signature", f"must have 1 to {SIGNATURE_MAX} characters")
        processed = await process_event(self._environment, request.payload, request.stripe_signature)
        call.note(processed.did)
        return stripe_events_pb2.ProcessStripeEventResponse(
            event_id=processed.event_id, event_type=processed.event_type, outcome=OUTCOMES[processed.outcome]
        )

    async def get_checkout_status(
        self, request: stripe_events_pb2.GetCheckoutStatusRequest, call: Call
    ) -> stripe_events_pb2.GetCheckoutStatusResponse:
        del call
        session_id = validation.identifier("checkout_session_id", request.checkout_session_id)
        if not session_id.startswith(SESSION_PREFIX):
            raise invalid_field("checkout_session_id", f"must begin with {SESSION_PREFIX}")
        sold = translate.purchase(await purchase_by_id(self._environment, session_id))
        return stripe_events_pb2.GetCheckoutStatusResponse(
            status=sold.status,
            amount_minor=sold.amount_minor,
            paid_minor=sold.paid_minor,
            currency=sold.currency,
            credits_microcredits=sold.credits_microcredits,
        )
