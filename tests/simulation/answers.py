"""What the service answered, held against the model: whether or not the answer ever arrives."""

import asyncio
from dataclasses import dataclass, field

from prepaid.billing.v1 import stripe_events_pb2

from billing_service.domain.refusals import Failure, Reason, Refusal
from tests.simulation.model import expect
from tests.simulation.workload import Operation
from tests.simulation.world import Message

CREDIT_METHODS = ("deduct_credits", "grant_credits", "reverse_deduction", "adjust_credits")
"""Those whose effect is a transaction that carries their key."""


@dataclass(eq=False)
class Serving:
    """A request that the service is working on, and what its account offered meanwhile: (version, available, frozen)."""

    subject: object
    task: asyncio.Task
    offers: set = field(default_factory=set)


class Answers:
    """Judges every answer, and sends it on its way."""

    def __init__(self, model, workload, network, public, counts):
        self._model = model
        self._workload = workload
        self._network = network
        self._public = public
        self._counts = counts
        self._settled = set()
        """Events that had their effect."""

    def ended(self, serving):
        """The service has answered, or its caller has hung up. Whether the answer arrives is the network's affair."""
        task, subject = serving.task, serving.subject
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, Failure):
            self._counts[error.reason] += 1
            if subject is not None:
                self._network.send(Message("reply", subject))
            return
        if error is not None and not isinstance(error, Refusal):
            raise error
        if isinstance(subject, Operation):
            if error is not None:
                self._refused(serving, subject, error)
            else:
                self._answered(serving, subject, task.result())
        elif subject is not None:
            expect(error is None or error.reason is Reason.SIGNATURE_INVALID, f"event {subject} was refused: {error}")
            if error is None and task.result().outcome != stripe_events_pb2.STRIPE_EVENT_OUTCOME_DUPLICATE:
                expect(subject not in self._settled, f"event {subject} was handled a second time")
                self._settled.add(subject)
            self._network.send(Message("reply", subject, definite=error is None))

    def _refused(self, serving, operation, error):
        self._counts[error.reason] += 1
        expect(operation.reply is None, f"{operation} was answered before, and now is refused: {error.reason} {error}")
        expect(operation.key not in self._model.applied, f"{operation} had its effect, and now is refused: {error.reason} {error}")
        if error.reason is Reason.INSUFFICIENT_CREDITS:
            available = int(error.metadata["available_microcredits"])
            words = f"{operation} was refused for {available} available, it offered {sorted(serving.offers)}"
            expect(available in {offer[1] for offer in serving.offers}, words)
        self._network.send(Message("reply", operation, definite=True))

    def _answered(self, serving, operation, answer):
        self._counts[operation.method] += 1
        if not operation.key:
            shown = answer.balance
            found = (shown.account_version, shown.available_microcredits)
            offered = {(version, 0 if frozen else available) for version, available, frozen in serving.offers}
            expect(found in offered, f"{operation.account_id} showed version and available {found}, it offered {sorted(offered)}")
            return
        reply = operation.parse(answer)
        replayed = reply.replayed
        reply.ClearField("replayed")
        self._network.send(Message("reply", operation, definite=True))
        if operation.method == "deduct_credits" and not reply.transaction_id:
            expect(0 in {offer[1] for offer in serving.offers}, f"{operation} took nothing, it offered {sorted(serving.offers)}")
            return
        operation.originals += not replayed
        expect(operation.originals <= 1, f"{operation} has {operation.originals} original answers")
        expect(operation.reply in (None, reply), f"two answers differ: {operation} and {reply}")
        expect(
            operation.method not in CREDIT_METHODS or operation.key in self._model.applied, f"{operation} is acknowledged without an effect"
        )
        if operation.reply is None:
            operation.reply = reply
            self._learn(operation, reply)

    def _learn(self, operation, reply):
        if operation.method == "deduct_credits":
            self._workload.deductions.append((operation.account_id, reply.transaction_id))
        elif operation.method == "create_purchase":
            self._workload.purchases.append(reply.purchase.purchase_id)
            if reply.purchase.checkout_session_id:
                self._public.pages.append(reply.purchase.checkout_session_id)
