"""A small Stripe: what it holds, and the events that it makes of every change. What goes wrong on the way to it is
`unreliable_provider`'s."""

import json
from dataclasses import dataclass, replace

from billing_service.domain.deployment import MARK_FIELD
from billing_service.payments.objects.checkout_session import CheckoutSession
from billing_service.payments.objects.customer import CONTACT_VERSION_FIELD, ProviderCustomer
from billing_service.payments.objects.refund import ProviderRefund
from billing_service.payments.ports.outcomes import ProviderRefused
from tests.simulation.simulated_lists import SimulatedLists, refund_object, session_object

CURRENCY = "usd"


@dataclass
class Payment:
    """A PaymentIntent with its one charge."""

    payment_intent_id: str
    amount_minor: int
    customer_id: str
    metadata: dict


class SimulatedStripe(SimulatedLists):
    """Objects by id, and all events ever made, in the order of their making."""

    def __init__(self, true_time_us, ids_from=0):
        self._true_time_us = true_time_us
        self._made = ids_from
        self.customers = {}
        self.sessions = {}
        self.marks = {}
        """Of sessions."""
        self.tries = {}
        """Payments of sessions, by session."""
        self.unfunded = set()
        """Sessions whose promised payment did not come."""
        self.payments = {}
        self.refunds = {}
        self.events = []
        """(event id, payload)."""
        self.lost = set()
        """Events that nobody will ever be told of, by id."""

    def _id(self, prefix):
        self._made += 1
        return f"{prefix}_{self._made}"

    def _tell(self, kind, about):
        event_id = self._id("evt")
        created = self._true_time_us() // 1_000_000
        envelope = {
            "id": event_id,
            "object": "event",
            "type": kind,
            "created": created,
            "livemode": False,
            "data": {"object": about},
        }
        self.events.append((event_id, json.dumps(envelope).encode()))

    # What the service asks for.

    def create_customer(self, *, account_id, email, name, contact_version, mark, idempotency_key):
        del idempotency_key  # the line keeps keys
        customer_id = self._id("cus")
        self.customers[customer_id] = {
            "id": customer_id,
            "object": "customer",
            "email": email,
            "name": name,
            "metadata": {"account_id": account_id, CONTACT_VERSION_FIELD: str(contact_version), MARK_FIELD: mark},
        }
        self._tell("customer.created", self.customers[customer_id])
        return customer_id

    def get_customer(self, customer_id):
        about = self.customers.get(customer_id)
        if about is None:
            return ProviderCustomer(customer_id, "", "", deleted=True)
        version = int(about["metadata"][CONTACT_VERSION_FIELD])
        return ProviderCustomer(customer_id, about["email"], about["name"], deleted=False, contact_version=version)

    def update_customer(self, customer_id, *, account_id, email, name, mark, contact_version):
        if customer_id not in self.customers:
            raise ProviderRefused("resource_missing", "no such customer", "id")
        about = self.customers[customer_id]
        metadata = about["metadata"] | {"account_id": account_id, MARK_FIELD: mark}
        metadata |= {} if contact_version is None else {CONTACT_VERSION_FIELD: str(contact_version)}
        self.customers[customer_id] = about | {"email": email, "name": name, "metadata": metadata}
        self._tell("customer.updated", self.customers[customer_id])

    def create_checkout(self, order):
        if order.customer_id not in self.customers:
            raise ProviderRefused("resource_missing", "no such customer", "customer")
        session_id = self._id("cs")
        self.sessions[session_id] = CheckoutSession(
            session_id=session_id,
            purchase_id=order.purchase_id,
            account_id=order.account_id,
            customer_id=order.customer_id,
            mode="payment",
            url=f"https://stripe.test/{session_id}",
            status="open",
            payment_status="unpaid",
            payment_intent_id=None,
            expire_time_us=order.expire_time_us // 1_000_000 * 1_000_000,
            amount_subtotal_minor=order.amount_minor,
            amount_total_minor=order.amount_minor,
            amount_discount_minor=0,
            amount_tax_minor=0,
            currency=order.currency,
            livemode=False,
        )
        self.marks[session_id] = order.mark
        return self.sessions[session_id]

    def get_checkout(self, session_id):
        return self.sessions[session_id]

    def expire_checkout(self, session_id, idempotency_key=""):
        del idempotency_key  # as above
        if self.sessions[session_id].status != "open":
            raise ProviderRefused("checkout_session_not_open", f"the session is {self.sessions[session_id].status}")
        if session_id in self.tries:
            self._tell("payment_intent.canceled", self._payment(self.tries[session_id], "canceled"))
        self._change_session(session_id, "checkout.session.expired", status="expired", url="")
        return self.sessions[session_id]

    def create_refund(self, *, refund_id, purchase_id, account_id, mark, idempotency_key, **sent):
        del account_id, idempotency_key
        return self.send_back(**sent, metadata={"refund_id": refund_id, "purchase_id": purchase_id, MARK_FIELD: mark})

    def send_back(self, payment_intent_id, amount_minor, status, metadata):
        """A refund, whoever begins it."""
        payment = self.payments[payment_intent_id]
        if amount_minor > payment.amount_minor - self.refunded(payment_intent_id):
            raise ProviderRefused("charge_already_refunded", "more than is left")
        refund = ProviderRefund(
            stripe_refund_id=self._id("re"),
            status=status,
            amount_minor=amount_minor,
            currency=CURRENCY,
            payment_intent_id=payment_intent_id,
            charge_id=f"ch_{payment_intent_id}",
            refund_id=metadata.get("refund_id"),
            purchase_id=metadata.get("purchase_id"),
            mark=metadata.get(MARK_FIELD, ""),
        )
        self.refunds[refund.stripe_refund_id] = refund
        self._tell("refund.created", refund_object(refund))
        self._tell("charge.refunded", self._charge(payment))
        return refund

    def refunded(self, payment_intent_id):
        """What went back of a payment, or is on its way, in the smallest unit."""
        return sum(
            each.amount_minor
            for each in self.list_refunds(payment_intent_id)
            if each.status not in ("failed", "canceled")
        )

    def list_refunds(self, payment_intent_id):
        return [each for each in reversed(self.refunds.values()) if each.payment_intent_id == payment_intent_id]

    # What customers, banks and the Dashboard do.

    def decline(self, session_id):
        """A try that fails; the customer may try again, on the same page and by the same payment."""
        self._tell("payment_intent.payment_failed", self._payment(self._tried(session_id), "requires_payment_method"))

    def _tried(self, session_id):
        """The page's payment, made at the first try."""
        if session_id not in self.tries:
            session = self.sessions[session_id]
            made = self.tries[session_id] = self._id("pi")
            self.payments[made] = Payment(
                made, session.amount_total_minor, session.customer_id, self._metadata(session)
            )
        return self.tries[session_id]

    def pay(self, session_id, *, later):
        payment_intent_id = self._tried(session_id)
        if not later:
            self._tell("payment_intent.succeeded", self._payment(payment_intent_id, "succeeded"))
        state = "unpaid" if later else "paid"
        changes = {"status": "complete", "url": "", "payment_status": state, "payment_intent_id": payment_intent_id}
        self._change_session(session_id, "checkout.session.completed", **changes)

    def funds_arrive(self, session_id):
        self._tell("payment_intent.succeeded", self._payment(self.sessions[session_id].payment_intent_id, "succeeded"))
        self._change_session(session_id, "checkout.session.async_payment_succeeded", payment_status="paid")

    def funds_fail(self, session_id):
        self._tell(
            "payment_intent.payment_failed",
            self._payment(self.sessions[session_id].payment_intent_id, "requires_payment_method"),
        )
        self.unfunded.add(session_id)
        self._change_session(session_id, "checkout.session.async_payment_failed")

    def move_refund(self, stripe_refund_id, status):
        """Every other refund is told as old endpoints tell it."""
        refund = self.refunds[stripe_refund_id] = replace(self.refunds[stripe_refund_id], status=status)
        kind = "refund.failed" if status == "failed" else "refund.updated"
        self._tell(
            "charge.refund.updated" if int(stripe_refund_id.partition("_")[2]) % 2 else kind, refund_object(refund)
        )

    def change_customer(self, customer_id, *, delete):
        about = self.customers[customer_id]
        if delete:
            del self.customers[customer_id]
            self._tell("customer.deleted", about)
        else:
            self.customers[customer_id] = about | {"name": self._id("name")}
            self._tell("customer.updated", self.customers[customer_id])

    def _change_session(self, session_id, kind, **changes):
        session = self.sessions[session_id] = replace(self.sessions[session_id], **changes)
        self._tell(kind, session_object(session) | {"metadata": self._metadata(session)})

    def _metadata(self, session):
        return {
            "purchase_id": session.purchase_id,
            "account_id": session.account_id,
            MARK_FIELD: self.marks[session.session_id],
        }

    def _payment(self, payment_intent_id, status):
        payment = self.payments[payment_intent_id]
        return {
            "id": payment_intent_id,
            "object": "payment_intent",
            "status": status,
            "amount": payment.amount_minor,
            "amount_received": payment.amount_minor if status == "succeeded" else 0,
            "currency": CURRENCY,
            "customer": payment.customer_id,
            "latest_charge": f"ch_{payment_intent_id}",
            "metadata": payment.metadata,
            "livemode": False,
        }

    def _charge(self, payment):
        return {
            "id": f"ch_{payment.payment_intent_id}",
            "object": "charge",
            "payment_intent": payment.payment_intent_id,
            "amount": payment.amount_minor,
            "amount_refunded": self.refunded(payment.payment_intent_id),
            "currency": CURRENCY,
            "metadata": payment.metadata,
            "livemode": False,
        }
