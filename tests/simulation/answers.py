"""What the service answered, held against the model: whether or not the answer ever arrives.

A request in a batch or on a stream is judged as if it had come alone. But it may have been decided at any time since it
came, and another caller's request with its key may have come between.
"""

import asyncio
from dataclasses import dataclass, field

from prepaid.billing.v1 import stripe_events_pb2

from billing_service.domain.refusals import Failure, Reason, Refusal, Refused
from tests.simulation.batches import Batch, outcomes_told
from tests.simulation.model import GRANT, PURCHASE_REINSTATEMENT, PURCHASE_REVERSAL
from tests.simulation.model_account import expect
from tests.simulation.refusals import amount_moved, check_refusal, told_amount
from tests.simulation.workload import Operation
from tests.simulation.world import Message

SPENDING_METHODS = ("deduct_credits", "hold_credits", "capture_hold", "release_hold", "extend_hold")
CREDIT_METHODS = (*SPENDING_METHODS, "grant_credits", "reverse_deduction", "adjust_credits")
"""Those whose effect is a transaction that carries their key."""

MADE_GOOD = (GRANT, PURCHASE_REVERSAL, PURCHASE_REINSTATEMENT)
"""What may follow a reversal in its own unit of work."""


@dataclass(eq=False)
class Serving:
    """A request that the service is working on, and what happened meanwhile."""

    subject: object
    task: asyncio.Future
    """Done with the answer; cancelled when there won't be one."""
    line: object = None
    """The stream that it came on, and is answered on."""
    begun_s: float = 0.0
    faults_met: int = 0
    """How many faults had struck when it began, on a stream."""
    definite: object = None
    """What its caller hears, on a stream."""
    calm: bool = False
    """Whether nothing may fail."""
    may_be_shed: bool = False
    """Whether there are few places."""
    spent: set = field(default_factory=set)
    """Keys of its operations that had their effect before it began."""
    contested: set = field(default_factory=set)
    """Its operations that others may have carried out meanwhile."""
    latest_us: int = 0
    """By the clock that was furthest ahead meanwhile."""

    def __post_init__(self):
        self.operations = [self.subject] if isinstance(self.subject, Operation) else getattr(self.subject, "items", [])
        self.offers = {operation.account_id: set() for operation in self.operations}
        """What each account offered meanwhile: (version, available, frozen, what it may owe by ALLOW_DEBT)."""
        self.lefts = {account_id: set() for account_id in self.offers}
        """(spender, window, left) of each spend limit meanwhile."""


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

    def begun(self, serving, others):
        """`others` are being served already."""
        serving.spent = {each.key for each in serving.operations if each.key in self._model.applied}
        serving.contested = {each for each in serving.operations if each.loose}
        for other in others:
            common = set(serving.operations) & set(other.operations)
            serving.contested |= common
            other.contested |= common

    def ended(self, serving):
        """The service has answered, or its caller has hung up. Whether the answer arrives is the network's affair."""
        task, subject = serving.task, serving.subject
        if task.cancelled():
            for operation in serving.operations:
                operation.loose = True
            return
        error = task.exception()
        if error is not None and not isinstance(error, Refused):
            raise error
        if serving.line is not None:
            self._judge_streamed(serving, subject, task.result())
        elif isinstance(subject, Operation):
            definite = self._judge(serving, subject, error or task.result())
            if definite is not None:
                self._network.send(Message("reply", subject, definite))
        elif isinstance(subject, Batch):
            self._network.send(Message("reply", subject, self._judge_batch(serving, error, task)))
        else:
            self._judge_event(subject, task, error)

    def _judge_event(self, subject, task, error):
        """Or a sweep, which nobody waits for."""
        if error is not None:
            self._counts[error.reason] += isinstance(error, Failure)
        if subject is None:
            return
        if error is None and task.result().outcome != stripe_events_pb2.STRIPE_EVENT_OUTCOME_DUPLICATE:
            expect(subject not in self._settled, f"event {subject} was handled a second time")
            self._settled.add(subject)
        refused = isinstance(error, Refusal) and error.reason is not Reason.SIGNATURE_INVALID
        expect(not refused, f"event {subject} was refused: {error}")
        self._network.send(Message("reply", subject, definite=error is None))

    def _judge_streamed(self, serving, operation, outcome):
        before, replays = operation.originals, isinstance(outcome, bytes) and operation.parse(outcome).replayed
        serving.definite = self._judge(serving, operation, outcome, excused=operation in serving.contested)
        self._expect_order(operation, before, serving.line.newest)
        self._counts["streamed deduction"] += 1
        self._counts["streamed replay"] += replays
        self._counts["streamed refusal"] += isinstance(outcome, Refusal)
        self._counts["streamed failure"] += isinstance(outcome, Failure)

    def _expect_order(self, operation, originals_before, newest):
        """Deductions of one batch or stream have their effects in the order in which they came."""
        if operation.originals > originals_before:
            version, account_id = self._model.applied[operation.key].version, operation.account_id
            expect(
                newest.get(account_id, 0) < version, f"{operation} took effect before one that came earlier beside it"
            )
            newest[account_id] = version

    def _judge_batch(self, serving, error, task):
        """What of it is final."""
        if error is not None:
            expect(serving.may_be_shed and error.reason is Reason.OVERLOADED, f"a batch was refused whole: {error}")
            self._counts["batch shed"] += 1
            return [False] * len(serving.operations)
        told = outcomes_told(serving.subject, task.result())
        self._count_batch(serving, told)
        definite, newest = [], {}
        for number, (operation, outcome) in enumerate(zip(serving.operations, told, strict=True)):
            later = [told[at] for at in range(number + 1, len(told)) if serving.operations[at] is operation]
            excused = operation in serving.contested or not all(isinstance(each, Refusal) for each in later)
            before = operation.originals
            definite.append(self._judge(serving, operation, outcome, excused=excused))
            self._expect_order(operation, before, newest)
        return definite

    def _count_batch(self, serving, told):
        refused, failed = (any(isinstance(each, kind) for each in told) for kind in (Refusal, Failure))
        done = [
            operation.parse(each)
            for operation, each in zip(serving.operations, told, strict=True)
            if isinstance(each, bytes)
        ]
        self._counts["batched deduction"] += len(told)
        self._counts["batch"] += 1
        self._counts["batch with a refusal and a success"] += bool(refused and done)
        self._counts["batch with a failure and a success"] += bool(failed and done)
        self._counts["batch with a replay"] += any(each.replayed for each in done)
        transactions = [each.transaction_id for each in done if each.transaction_id]
        self._counts["batch with one key twice"] += len(set(transactions)) < len(transactions)

    def _judge(self, serving, operation, outcome, *, excused=False):
        """Whether the answer is final; None for one that nobody waits for. Excused: its effect may be younger than what
        it is told."""
        if not isinstance(outcome, Refused):
            return self._answered(serving, operation, outcome)
        self._counts[outcome.reason] += 1
        if isinstance(outcome, Refusal):
            self._refused(serving, operation, outcome, excused=excused)
            return True
        calm = serving.calm and operation.method in SPENDING_METHODS
        expect(not calm, f"{operation} failed, and nothing was in its way: {outcome.reason} {outcome}")
        serving.contested.add(operation)  # the next of the same key in this batch may well be a replay
        return False

    def _refused(self, serving, operation, error, *, excused):
        words = f"{operation} is refused: {error.reason} {error}"
        if operation.hopeless:
            expect(error.reason == operation.hopeless, words)
            return
        expect(operation.key not in serving.spent, f"{words}; it had its effect long before")
        expect(excused or operation.reply is None, f"{words}; it was answered before")
        expect(excused or operation.key not in self._model.applied, f"{words}; it had its effect")
        expect(error.reason is not Reason.REVERSAL_TOO_LATE or not operation.admin, words)
        check_refusal(self._model, serving, operation, error, words)

    def _answered(self, serving, operation, answer):
        self._counts[operation.method] += 1
        expect(not operation.hopeless, f"{operation} succeeded, {operation.hopeless} was expected")
        offers = serving.offers[operation.account_id]
        if not operation.key:
            shown = answer.balance
            found = (shown.account_version, shown.available_microcredits)
            offered = {(version, 0 if frozen else available) for version, available, frozen, _ in offers}
            expect(
                found in offered,
                f"{operation.account_id} showed version and available {found}, it offered {sorted(offered)}",
            )
            return None
        reply = operation.parse(answer)
        replayed = reply.replayed
        reply.ClearField("replayed")
        operation.originals += not replayed
        expect(operation.originals <= 1, f"{operation} has {operation.originals} original answers")
        expect(operation.reply in (None, reply), f"two answers differ: {operation} and {reply}")
        if operation.method in CREDIT_METHODS:
            self._check_effect(serving, operation, reply, replayed=replayed)
        if operation.reply is None:
            operation.reply = reply
            self._learn(operation, reply)
        return True

    def _check_effect(self, serving, operation, reply, *, replayed):
        line = self._model.applied.get(operation.key)
        expect(line is not None, f"{operation} is acknowledged without an effect")
        found, wanted = (
            (reply.transaction_id, reply.balance.account_version),
            (line.transaction_id, self._version_after(operation, line)),
        )
        expect(found == wanted, f"{operation} is told {found}, its transaction and version are {wanted}")
        told = told_amount(operation, reply)
        if told is not None:
            moved = amount_moved(operation, line)
            expect(told == moved, f"{operation} is told {told}, it moved {moved}")
        if operation.key in serving.spent:
            expect(replayed, f"{operation} had its effect long before, and its answer is no replay")
        else:
            expect(not replayed or operation in serving.contested, f"{operation} is told of a replay, it was the first")
        serving.spent.add(operation.key)

    def _version_after(self, operation, line):
        """The account's version when the request was done: what an undone deduction makes good beside follows at
        once."""
        version = line.version
        if operation.method == "reverse_deduction":
            history = self._model.accounts[operation.account_id].history
            for later in history[version:]:
                if later.kind not in MADE_GOOD or not later.source_id or later.now_us != line.now_us:
                    break
                version += 1
        return version

    def _learn(self, operation, reply):
        self._workload.learn(operation, reply)
        if operation.method == "create_purchase":
            self._workload.purchases.append(reply.purchase.purchase_id)
            if reply.purchase.checkout_session_id:
                self._public.pages.append(reply.purchase.checkout_session_id)
