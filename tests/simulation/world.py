"""Everything around the service: time, the network between callers and the service, Stripe and its customers."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from prepaid.billing.v1 import stripe_events_pb2

from tests.simulation.service import START_US, WEBHOOK_SECRET

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US


class Clock:
    """The service's clock: true time, and how far off it is."""

    def __init__(self):
        self.true_us = START_US
        self.off_us = 0

    def __call__(self):
        return self.true_us + self.off_us

    def true(self):
        return self.true_us


@dataclass(eq=False)
class Message:
    """Something on its way. `subject` is an operation, a batch, or the number of an event of Stripe's."""

    kind: str
    """request or reply."""
    subject: Any
    definite: Any = False
    """Of a reply: the caller need not ask again. Of a batch's, for each item."""


class Network:
    """Drops, doubles, delays and reorders whatever is on its way."""

    def __init__(self, chance):
        self._chance = chance
        self.messages = []
        self.reliable = False

    def send(self, message):
        self.messages.append(message)

    def arrive(self):
        """One message that arrives now; None when it is lost."""
        at = self._chance.randrange(len(self.messages))
        fate = 1.0 if self.reliable else self._chance.random()
        if fate < 0.12:
            self.messages.pop(at)
            return None
        return self.messages[at] if fate < 0.24 else self.messages.pop(at)

    def carries(self, subject):
        return any(message.subject is subject for message in self.messages)


def signed(payload, now_us):
    """A delivery as Stripe signs it."""
    now_s = now_us // SECOND_US
    digest = hmac.new(WEBHOOK_SECRET.encode(), b"%d." % now_s + payload, hashlib.sha256).hexdigest()
    return stripe_events_pb2.ProcessStripeEventRequest(payload=payload, stripe_signature=f"t={now_s},v1={digest}")


class Public:
    """Customers, banks and the Dashboard: whoever changes things at Stripe without asking the service."""

    def __init__(self, chance, stripe):
        self._chance = chance
        self._stripe = stripe
        self.pages = []
        """Sessions whose address somebody was given."""

    def act(self):
        action = self._chance.choices(
            (self._visit, self._bank, self._move_refund, self._dashboard, self._customer), (10, 4, 6, 4, 1)
        )[0]
        action()

    def _sessions(self, status, payment_status):
        found = (self._stripe.sessions[session_id] for session_id in self.pages)
        return [each.session_id for each in found if (each.status, each.payment_status) == (status, payment_status)]

    def _visit(self):
        """A customer pays, promises to pay, is declined, or lets the page expire."""
        for session_id in self._some(self._sessions("open", "unpaid")):
            fate = self._chance.random()
            if fate < 0.12:
                self._stripe.expire_checkout(session_id)
            elif fate < 0.25:
                self._stripe.decline(session_id)
            else:
                self._stripe.pay(session_id, later=fate < 0.4)

    def _bank(self):
        promised = [each for each in self._sessions("complete", "unpaid") if each not in self._stripe.unfunded]
        for session_id in self._some(promised):
            if self._chance.random() < 0.7:
                self._stripe.funds_arrive(session_id)
            else:
                self._stripe.funds_fail(session_id)

    def _move_refund(self):
        moving = [each for each in self._stripe.refunds.values() if each.status in ("pending", "succeeded")]
        for refund in self._some(moving):
            further = (
                ["succeeded", "failed", "canceled"]
                if refund.status == "pending"
                else ["succeeded", "succeeded", "failed"]
            )
            status = self._chance.choice(further)
            if status != refund.status:
                self._stripe.move_refund(refund.stripe_refund_id, status)

    def _dashboard(self):
        """Somebody refunds a part in the Dashboard: no mark of ours is on it."""
        paid = [self._stripe.sessions[each].payment_intent_id for each in self._sessions("complete", "paid")]
        for payment_intent_id in self._some(paid):
            left = self._stripe.payments[payment_intent_id].amount_minor - self._stripe.refunded(payment_intent_id)
            if left:
                amount = self._chance.choice([left, left, self._chance.randint(1, left)])
                self._stripe.send_back(payment_intent_id, amount, self._chance.choice(["succeeded", "pending"]), {})

    def _customer(self):
        for customer_id in self._some(list(self._stripe.customers)):
            self._stripe.change_customer(customer_id, delete=self._chance.random() < 0.3)

    def _some(self, choices):
        """One of them, or none when there are none."""
        return [self._chance.choice(choices)] if choices else []
