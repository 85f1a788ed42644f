"""What callers ask for: few accounts, few credits, and most of it about what others are just changing."""

from dataclasses import dataclass, field

from prepaid.billing.v1 import (
    accounts_pb2,
    admin_pb2,
    purchases_pb2,
    referrals_pb2,
    refunds_pb2,
    spend_limits_pb2,
    transactions_pb2,
)

from tests.simulation.service import PACKAGES

ACCOUNTS = ("ada", "bob", "cyd")
AMOUNT_MAX = 40
ADDITION_MAX = 60
WEIGHTS = {
    "deduct": 30,
    "grant": 8,
    "reverse": 8,
    "purchase": 11,
    "cancel": 2,
    "refund": 13,
    "refer": 6,
    "create_account": 1,
    "freeze": 2,
    "overdraft": 1,
    "adjust": 3,
    "balance": 8,
}
WITH_DESCRIPTIONS = ("deduct_credits", "hold_credits", "capture_hold", "release_hold")
_REPLIES = {
    "deduct_credits": transactions_pb2.DeductCreditsResponse,
    "reverse_deduction": transactions_pb2.ReverseDeductionResponse,
    "grant_credits": admin_pb2.GrantCreditsResponse,
    "adjust_credits": admin_pb2.AdjustCreditsResponse,
    "freeze_account": admin_pb2.FreezeAccountResponse,
    "set_overdraft_limit": admin_pb2.SetOverdraftLimitResponse,
    "create_account": accounts_pb2.CreateAccountResponse,
    "create_purchase": purchases_pb2.CreatePurchaseResponse,
    "cancel_purchase": purchases_pb2.CancelPurchaseResponse,
    "refund": refunds_pb2.RefundResponse,
    "apply_referral": referrals_pb2.ApplyReferralResponse,
    "hold_credits": transactions_pb2.HoldCreditsResponse,
    "capture_hold": transactions_pb2.CaptureHoldResponse,
    "release_hold": transactions_pb2.ReleaseHoldResponse,
    "extend_hold": transactions_pb2.ExtendHoldResponse,
    "set_spend_limit": spend_limits_pb2.SetSpendLimitResponse,
}


@dataclass(eq=False)
class Operation:
    """One thing that a caller wants, sent again with its key until the answer is definite."""

    key: str
    """Empty for a read."""
    account_id: str
    method: str
    request: object
    definite: bool = False
    """The caller has its answer."""
    reply: object = None
    """The first successful answer that the service gave, whether or not it arrived."""
    originals: int = 0
    """Answers that called themselves no replay and named an effect."""
    hopeless: str = ""
    """The reason that it must be refused with, whenever it is tried."""
    admin: bool = True
    """Whether its caller is an operator."""
    loose: bool = False
    """A caller hung up on it: it may have its effect at any time, without an answer."""

    def hear(self, definite):
        """An answer has arrived."""
        self.definite |= definite

    def parse(self, answer):
        """The reply, without the time at which it was sent."""
        reply = _REPLIES[self.method].FromString(answer)
        if "server_time" in reply.DESCRIPTOR.fields_by_name:
            reply.ClearField("server_time")
        return reply


@dataclass
class Workload:
    """Makes operations by chance, from what earlier ones brought to light."""

    chance: object
    clock_us: object
    operations: dict = field(default_factory=dict)
    purchases: list = field(default_factory=list)
    deductions: list = field(default_factory=list)
    """(account, transaction)."""
    codes: list = field(default_factory=list)
    """Referral codes that accounts were seen to have."""
    made: int = 0
    weights: dict = field(default_factory=lambda: WEIGHTS)

    def next(self):
        """A new operation; None when there is nothing yet that it could be about."""
        kind = self.chance.choices(list(self.weights), list(self.weights.values()))[0]
        return getattr(self, kind)(self.chance.choice(ACCOUNTS))

    def _operation(self, about, method, request, /, **fields):
        self.made += 1
        key = f"k{self.made}"
        words = {"refund": "reason", "reverse_deduction": "reason"} | dict.fromkeys(WITH_DESCRIPTIONS, "description")
        word = words.get(method, "reason" if request.DESCRIPTOR.file.name.endswith("admin.proto") else None)
        if word:
            fields[word] = key
        made = self.operations[key] = Operation(key, about, method, request(idempotency_key=key, **fields))
        return made

    def spend(self, account_id):
        """What may be among others in a batch, or on a stream."""
        return self.deduct(account_id)

    def learn(self, operation, reply):
        """What an answer brought to light."""
        if operation.method == "deduct_credits":
            self.deductions.append((operation.account_id, reply.transaction_id))

    def deduct(self, account_id):
        fields = {"amount_microcredits": self.chance.randint(1, AMOUNT_MAX), "mode": self.chance.choice([1, 1, 2, 3])}
        return self._operation(
            account_id, "deduct_credits", transactions_pb2.DeductCreditsRequest, account_id=account_id, **fields
        )

    def grant(self, account_id):
        fields = {"category": self.chance.choice([1, 2, 3]), "priority": self.chance.choice([50, 50, 10, 90])}
        request = admin_pb2.GrantCreditsRequest
        made = self._operation(
            account_id,
            "grant_credits",
            request,
            account_id=account_id,
            amount_microcredits=self.chance.randint(1, ADDITION_MAX),
            **fields,
        )
        if self.chance.random() < 0.4:
            made.request.effective_time.FromMicroseconds(self.clock_us() + self.chance.randint(-1, 3) * 20_000_000)
        if self.chance.random() < 0.5:
            made.request.expire_time.FromMicroseconds(self.clock_us() + self.chance.randint(1, 10) * 20_000_000)
        return made

    def reverse(self, _account_id):
        if not self.deductions:
            return None
        account_id, transaction_id = self.chance.choice(self.deductions[-6:])
        part = {"amount_microcredits": self.chance.randint(1, AMOUNT_MAX // 2)} if self.chance.random() < 0.6 else {}
        made = self._operation(
            account_id,
            "reverse_deduction",
            transactions_pb2.ReverseDeductionRequest,
            account_id=account_id,
            transaction_id=transaction_id,
            **part,
        )
        made.admin = self.chance.random() < 0.4
        return made

    def purchase(self, account_id):
        code = self.chance.choice(list(PACKAGES))
        return self._operation(
            account_id, "create_purchase", purchases_pb2.CreatePurchaseRequest, account_id=account_id, package_code=code
        )

    def cancel(self, account_id):
        return self._about_purchase(account_id, "cancel_purchase", purchases_pb2.CancelPurchaseRequest)

    def refund(self, account_id):
        fields = {"policy": self.chance.choice([1, 2])}
        if self.chance.random() < 0.6:
            fields["amount_minor"] = self.chance.randint(1, 4)
        return self._about_purchase(account_id, "refund", refunds_pb2.RefundRequest, **fields)

    def _about_purchase(self, account_id, method, request, **fields):
        if not self.purchases:
            return None
        return self._operation(
            account_id, method, request, purchase_id=self.chance.choice(self.purchases[-4:]), **fields
        )

    def refer(self, account_id):
        if not self.codes:
            return None
        code = self.chance.choice(self.codes)
        return self._operation(
            account_id, "apply_referral", referrals_pb2.ApplyReferralRequest, account_id=account_id, referral_code=code
        )

    def create_account(self, account_id):
        fields = {"referral_code": self.chance.choice(self.codes)} if self.codes and self.chance.random() < 0.5 else {}
        return self._operation(
            account_id, "create_account", accounts_pb2.CreateAccountRequest, account_id=account_id, **fields
        )

    def freeze(self, account_id):
        request = admin_pb2.FreezeAccountRequest
        return self._operation(
            account_id, "freeze_account", request, account_id=account_id, frozen=self.chance.random() < 0.4
        )

    def overdraft(self, account_id):
        fields = {"overdraft_limit_microcredits": self.chance.randint(0, 15)}
        if self.chance.random() < 0.5:
            fields["debt_max_microcredits"] = self.chance.choice([-1, -1, 0, 5, 40])
        return self._operation(
            account_id, "set_overdraft_limit", admin_pb2.SetOverdraftLimitRequest, account_id=account_id, **fields
        )

    def adjust(self, account_id):
        amount = self.chance.choice([-20, -5, -1, 1, 30])
        return self._operation(
            account_id,
            "adjust_credits",
            admin_pb2.AdjustCreditsRequest,
            account_id=account_id,
            amount_microcredits=amount,
        )

    def balance(self, account_id):
        return Operation("", account_id, "get_balance", accounts_pb2.GetBalanceRequest(account_id=account_id))
