"""What callers ask for where there are holds, prices and spend limits: all of it about few holds, most of them nearly
used up or nearly over."""

from dataclasses import dataclass, field

from google.protobuf.duration_pb2 import Duration
from prepaid.billing.v1 import spend_limits_pb2, transactions_pb2, usage_pb2

from tests.simulation.workload import AMOUNT_MAX, WEIGHTS, Operation, Workload

WEIGHTS_WITH_HOLDS = WEIGHTS | {
    "deduct": 20,
    "grant": 16,
    "hold": 24,
    "capture": 28,
    "release": 4,
    "extend": 9,
    "limit": 8,
    "purchase": 9,
    "reverse": 14,
    "freeze": 5,
}
SPENT = {"deduct": 8, "hold": 6, "capture": 7, "release": 1, "extend": 2}
"""Of what is among others in one batch or stream."""
LIMIT_MAX = 120
ADDITION_MAX = 250
HELD_MAX = 80
SPENDERS = ((), (), ("team",), ("team", "agent"))
PRICED = 0.35
LASTS_S = (3, 60, 200, 600)
HOLDS_LATELY = 3


@dataclass
class HoldsWorkload(Workload):
    """Holds among all else."""

    holds: list = field(default_factory=list)
    """(account, hold), the newest last."""
    weights: dict = field(default_factory=lambda: WEIGHTS_WITH_HOLDS)

    def spend(self, account_id):
        kind = self.chance.choices(list(SPENT), list(SPENT.values()))[0]
        return getattr(self, kind)(account_id) or self.deduct(account_id)

    def learn(self, operation, reply):
        super().learn(operation, reply)
        if operation.method == "hold_credits":
            self.holds.append((operation.account_id, reply.hold.hold_id))
        elif operation.method == "capture_hold" and reply.captured_microcredits:
            self.deductions.append((operation.account_id, reply.transaction_id))

    def _cost(self, amount):
        """An amount, or a usage that costs about as much."""
        if self.chance.random() >= PRICED:
            return {"amount_microcredits": amount}
        line = usage_pb2.UsageLine(kind=usage_pb2.USAGE_KIND_OUTPUT_TOKENS, quantity=max(amount, 1))
        return {"usage": usage_pb2.Usage(provider="simulated", model="model", lines=[line])}

    def deduct(self, account_id):
        made = super().deduct(account_id)
        made.request.spender_ids.extend(self.chance.choice(SPENDERS))
        cost = self._cost(made.request.amount_microcredits)
        if "usage" in cost:
            made.request.usage.CopyFrom(cost["usage"])
        return made

    def grant(self, account_id):
        made = super().grant(account_id)
        made.request.amount_microcredits = self.chance.randint(1, ADDITION_MAX)
        return made

    def hold(self, account_id):
        amount = self.chance.randint(1, HELD_MAX)
        cost = self._cost(amount)
        told = self.chance.choice([0, 1, amount // 2, amount]) if "usage" not in cost else 0
        return self._operation(
            account_id,
            "hold_credits",
            transactions_pb2.HoldCreditsRequest,
            account_id=account_id,
            mode=self.chance.choice([1, 1, 2]),
            ttl=self._lasts(),
            expiry_capture_microcredits=told,
            spender_ids=self.chance.choice(SPENDERS),
            **cost,
        )

    def _lasts(self):
        return Duration(seconds=self.chance.choice(LASTS_S))

    def _about_hold(self, method, request, **fields):
        if not self.holds:
            return None
        account_id, hold_id = self.chance.choice(self.holds[-HOLDS_LATELY:])
        return self._operation(account_id, method, request, account_id=account_id, hold_id=hold_id, **fields)

    def capture(self, _account_id):
        final = self.chance.random() < 0.5
        amount = self.chance.randint(0 if final else 1, AMOUNT_MAX)
        over_hold = self.chance.choice([1, 2, 3, 4])
        cost = self._cost(amount)
        return self._about_hold(
            "capture_hold", transactions_pb2.CaptureHoldRequest, final=final, over_hold=over_hold, **cost
        )

    def release(self, _account_id):
        return self._about_hold("release_hold", transactions_pb2.ReleaseHoldRequest)

    def extend(self, _account_id):
        more = self.chance.choice([0, self.chance.randint(1, AMOUNT_MAX // 2)])
        lasts = {"ttl": self._lasts()} if not more or self.chance.random() < 0.5 else {}
        return self._about_hold(
            "extend_hold", transactions_pb2.ExtendHoldRequest, additional_microcredits=more, **lasts
        )

    def limit(self, account_id):
        set_to = {} if self.chance.random() < 0.2 else {"limit_microcredits": self.chance.randint(0, LIMIT_MAX)}
        return self._operation(
            account_id,
            "set_spend_limit",
            spend_limits_pb2.SetSpendLimitRequest,
            account_id=account_id,
            spender_id=self.chance.choice(["", "team", "agent"]),
            window=self.chance.choice([1, 2, 3]),
            **set_to,
        )


def operation_message(operation: Operation):
    """As it stands in a batch or on a stream."""
    kind = operation.method.partition("_")[0]
    return transactions_pb2.SpendingOperation(**{kind: operation.request})
