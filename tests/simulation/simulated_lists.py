"""What comparisons are told by the small Stripe of simulations, and its objects as events and lists have them."""

from billing_service.domain.deployment import MARK_FIELD
from billing_service.payments.ports.listings import Listed


class SimulatedLists:
    """All there is, the newest first, whatever the window."""

    def list_created(self, kind, since_us, until_us, after):
        del since_us, until_us, after
        match kind:
            case "checkout.session":
                found = [self._shown(session) for session in self.sessions.values()]
            case "payment_intent":
                paid = (each for each in self.sessions.values() if each.payment_status == "paid")
                found = [self._payment(each.payment_intent_id, "succeeded") for each in paid]
            case "refund":
                found = [refund_object(each) for each in self.refunds.values()]
            case _:
                found = []
        return Listed(found[::-1], "")

    def list_of_payment(self, kind, payment_intent_id):
        raise NotImplementedError(f"nothing here asks for the {kind} of {payment_intent_id}")

    def list_undelivered_events(self, types, since_us, until_us, after):
        """Stripe has forgotten them."""
        del types, since_us, until_us, after
        return Listed((), "")

    def get_object(self, kind, object_id):
        assert kind == "refund", "sessions are listed whatever their age"
        return refund_object(self.refunds[object_id])

    def create_payment(self, order):
        raise NotImplementedError(f"no caller here pays in a page of its own: {order}")

    def get_payment(self, payment_intent_id):
        raise NotImplementedError(payment_intent_id)

    def cancel_payment(self, payment_intent_id, idempotency_key):
        raise NotImplementedError(payment_intent_id, idempotency_key)

    def _shown(self, session):
        """With its payment inside, which alone says that promised money did not come."""
        about = session_object(session) | {"metadata": self._metadata(session)}
        if session.session_id not in self.unfunded:
            return about
        return about | {"payment_intent": self._payment(session.payment_intent_id, "requires_payment_method")}


def session_object(session):
    return {
        "id": session.session_id,
        "object": "checkout.session",
        "mode": session.mode,
        "status": session.status,
        "payment_status": session.payment_status,
        "payment_intent": session.payment_intent_id,
        "customer": session.customer_id,
        "amount_subtotal": session.amount_subtotal_minor,
        "amount_total": session.amount_total_minor,
        "total_details": {"amount_discount": 0, "amount_tax": 0},
        "currency": session.currency,
        "client_reference_id": session.purchase_id,
        "livemode": False,
    }


def refund_object(refund):
    named = {"refund_id": refund.refund_id, "purchase_id": refund.purchase_id, MARK_FIELD: refund.mark}
    return {
        "id": refund.stripe_refund_id,
        "object": "refund",
        "payment_intent": refund.payment_intent_id,
        "charge": refund.charge_id,
        "amount": refund.amount_minor,
        "currency": refund.currency,
        "status": refund.status,
        "metadata": {name: value for name, value in named.items() if value},
    }
