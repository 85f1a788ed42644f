"""Many deductions in one call, whole or one after the other: what callers put together, and what they read out of the
answer.

Batches and streams are made of new deductions, and of repeats of earlier ones, whatever became of them. They also
contain the same key twice, and deductions that can't succeed: no such account, no amount, a recorded key with another
amount.
"""

from dataclasses import dataclass

from google.rpc import error_details_pb2, status_pb2
from prepaid.billing.v1 import transactions_pb2

from billing_service.api.status import RETRY_DELAYS_MS
from billing_service.domain.refusals import Failure, Reason, Refusal
from tests.simulation.kinds_of_worlds import has_batches, has_streams
from tests.simulation.model_account import expect
from tests.simulation.workload import ACCOUNTS, Operation
from tests.simulation.workload_holds import operation_message

SHARE_OF_ASKED, SHARE_OF_ASKED_WITH_STREAMS = 0.2, 0.35
"""Of what callers ask for, in worlds that have batches or streams."""
SHARE_OF_ASKED_AGAIN = 0.3
SHARE_OF_RESOLVED = 0.6
"""Of the deductions of unknown outcome, those that are repeated among others."""
ITEMS_MAX = 11
"""More than the service puts into one transaction here."""
ONE_ACCOUNT = 0.4
TWICE = 0.4
TRIED_LATELY = 12
OUTCOMES = ("deduct_credits", "hold_credits", "capture_hold", "release_hold", "extend_hold")
"""What may be among others."""
KINDS = {"new": 45, "tried": 40, "nobody": 5, "nothing": 5, "altered": 5}


@dataclass(eq=False)
class Together:
    """Many deductions of one caller."""

    items: list
    """Operations, in order; one may be there twice."""


class Stream(Together):
    """They are sent one by one. Who tries again opens another call."""


class Batch(Together):
    """All in one request."""

    method = "batch_deduct_credits"

    @property
    def request(self):
        if all(each.method == "deduct_credits" for each in self.items):
            return transactions_pb2.BatchDeductCreditsRequest(deductions=[each.request for each in self.items])
        return transactions_pb2.BatchDeductCreditsRequest(operations=map(operation_message, self.items))

    def hear(self, definite):
        """The answer has arrived: what of it is final, item by item."""
        for operation, final in zip(self.items, definite, strict=True):
            operation.hear(final)


class Batches:
    """Makes batches and streams by chance, as far as a world has them."""

    def __init__(self, chance, workload, seed):
        self._chance = chance
        self._workload = workload
        self._made_as = [kind for kind, has in ((Batch, has_batches), (Stream, has_streams)) if has(seed)]
        self.share_of_asked = SHARE_OF_ASKED_WITH_STREAMS if has_streams(seed) else SHARE_OF_ASKED
        self.made = []

    def __bool__(self):
        """Whether this world has any."""
        return bool(self._made_as)

    def next(self, wanted=()):
        """What is wanted and more, together."""
        self._among = [self._chance.choice(ACCOUNTS)] if self._chance.random() < ONE_ACCOUNT else ACCOUNTS
        kinds = self._chance.choices(list(KINDS), list(KINDS.values()), k=self._chance.randint(1, ITEMS_MAX))
        items = [*wanted, *(getattr(self, f"_{kind}")() for kind in kinds)]
        self._chance.shuffle(items)
        if self._chance.random() < TWICE:
            items.insert(self._chance.randint(0, len(items)), self._chance.choice(items))
        made_as = self._made_as[0] if len(self._made_as) == 1 else self._chance.choice(self._made_as)
        self.made.append(made_as(items))
        return self.made[-1]

    def again(self):
        return self._chance.choice(self.made[-4:])

    def resolving(self, waiting):
        """The same operations: some of the deductions together, with others beside them."""
        together = [each for each in waiting if each.method in OUTCOMES and self._chance.random() < SHARE_OF_RESOLVED]
        alone = [each for each in waiting if each not in together]
        return [*alone, self.next(together)] if together else alone

    def _deductions(self):
        return [each for each in self._workload.operations.values() if each.method == "deduct_credits"]

    def _new(self):
        return self._workload.spend(self._chance.choice(self._among))

    def _tried(self):
        tried = [each for each in self._workload.operations.values() if each.method in OUTCOMES][-TRIED_LATELY:]
        return self._chance.choice(tried) if tried else self._new()

    def _nobody(self):
        return self._hopeless(Reason.ACCOUNT_NOT_FOUND, account_id="nobody", amount_microcredits=1)

    def _nothing(self):
        return self._hopeless(Reason.INVALID_FIELD, account_id=self._chance.choice(self._among), amount_microcredits=0)

    def _altered(self):
        spent = [each for each in self._deductions() if each.reply is not None]
        if not spent:
            return self._new()
        request = transactions_pb2.DeductCreditsRequest()
        request.CopyFrom(self._chance.choice(spent[-TRIED_LATELY:]).request)
        if request.HasField("usage"):
            request.usage.lines[0].quantity += 1
        else:
            request.amount_microcredits += 1
        return Operation(
            request.idempotency_key,
            request.account_id,
            "deduct_credits",
            request,
            hopeless=Reason.IDEMPOTENCY_KEY_REUSED,
            definite=True,
        )

    def _hopeless(self, reason, **fields):
        key = f"h{len(self.made)}.{self._chance.randrange(1_000_000)}"
        request = transactions_pb2.DeductCreditsRequest(idempotency_key=key, description=key, mode=1, **fields)
        return Operation(key, fields["account_id"], "deduct_credits", request, hopeless=reason, definite=True)


def outcomes_told(batch, answer):
    """What the answer says of each item: bytes as the unary call answers, or the refusal or failure that it would have
    ended with."""
    outcomes = transactions_pb2.BatchDeductCreditsResponse.FromString(answer).outcomes
    expect(len(outcomes) == len(batch.items), f"{len(batch.items)} deductions have {len(outcomes)} outcomes")
    return [outcome_told(each) for each in outcomes]


def outcome_told(outcome):
    """Of one deduction among many."""
    what = outcome.WhichOneof("outcome")
    return refused_of(outcome.refused) if what in (None, "refused") else getattr(outcome, what).SerializeToString()


def refused_of(status: status_pb2.Status):
    """What a status stands for."""
    info = error_details_pb2.ErrorInfo()
    expect(status.code and status.details and status.details[0].Unpack(info), f"an outcome that says nothing: {status}")
    reason = Reason(info.reason)
    expect(reason is not Reason.INTERNAL, f"a defect: {status}")
    kind = Failure if reason in RETRY_DELAYS_MS else Refusal
    return kind(reason, status.message, metadata=dict(info.metadata))
