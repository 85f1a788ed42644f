"""Callers that race on a few accounts over gRPC, hang up at times, and write down what they saw."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from functools import partial

import grpc
from google.rpc import error_details_pb2, status_pb2
from prepaid.billing.v1 import accounts_pb2, admin_pb2, admin_pb2_grpc, billing_pb2_grpc, transactions_pb2

from tests.history.observations import Operation, Posted

UNKNOWN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
"""After these a caller does not know; a refusal is FAILED_PRECONDITION, and every other status is a defect."""
PATIENT_S = 10.0
IMPATIENT = 0.2
PATIENCE_MAX_S = 0.02
AMOUNT_MAX = 40
GRANT_MAX = 60
REJECT, UP_TO, DEBT = (
    transactions_pb2.DEDUCTION_MODE_REJECT,
    transactions_pb2.DEDUCTION_MODE_UP_TO_AVAILABLE,
    transactions_pb2.DEDUCTION_MODE_ALLOW_DEBT,
)
NO_RETRIES = [("grpc.enable_retries", 0)]
"""A call that gRPC repeats by itself would be two calls in the history."""


@dataclass
class Write:
    """One logical write: a request that may be sent again and again with its key."""

    account_id: str
    key: str
    method: str
    request: object
    definite: bool = False
    """Whether nothing more can come of what was sent."""
    has_reply: bool = False
    """Whether it had its effect, and its caller knows."""
    was_lost: bool = False
    """Whether an answer to it was. A refusal leaves the key free: what was sent before or after it may have its effect
    all the same, until nothing is under way any more."""

    def lose(self):
        self.was_lost, self.definite = True, self.has_reply


@dataclass
class History:
    """What all callers saw together."""

    operations: list = field(default_factory=list)
    writes: list = field(default_factory=list)
    lines: dict = field(default_factory=dict)
    """Statement lines as they were read on the way, by (account, version): they must never change."""
    deductions: list = field(default_factory=list)
    """(account, transaction) that reversals choose from."""
    holds: list = field(default_factory=list)
    """(account, hold) that captures choose from."""
    hung_up: int = 0


class Client:
    """One caller: one call at a time."""

    def __init__(self, number, channel, accounts, *, may_owe, history, seed):
        self._number = number
        self._billing = billing_pb2_grpc.BillingServiceStub(channel)
        self._admin = admin_pb2_grpc.AdminServiceStub(channel)
        self._accounts = accounts
        self._may_owe = may_owe
        self._history = history
        self._chance = random.Random(f"{seed}/{number}")
        self._count = 0

    async def run(self, calls):
        actions = (self._deduct, self._grant, self._reverse, self._read, self._read_statement, self._repeat)
        for action in self._chance.choices(actions, (45, 10, 10, 23, 6, 6), k=calls):
            await action(self._chance.choice(self._accounts))

    async def _deduct(self, account_id):
        amount = self._chance.randint(1, AMOUNT_MAX)
        mode = self._chance.choice([REJECT, REJECT, UP_TO, *([DEBT] if account_id in self._may_owe else [])])
        await self._write(
            account_id, "DeductCredits", transactions_pb2.DeductCreditsRequest, amount_microcredits=amount, mode=mode
        )

    async def _grant(self, account_id):
        await self._write(
            account_id,
            "GrantCredits",
            admin_pb2.GrantCreditsRequest,
            amount_microcredits=self._chance.randint(1, GRANT_MAX),
        )

    async def _reverse(self, account_id):
        if not self._history.deductions:
            return
        account_id, transaction_id = self._chance.choice(self._history.deductions[-50:])
        part = {"amount_microcredits": self._chance.randint(1, 5)} if self._chance.random() < 0.5 else {}
        await self._write(
            account_id,
            "ReverseDeduction",
            transactions_pb2.ReverseDeductionRequest,
            transaction_id=transaction_id,
            **part,
        )

    async def _write(self, account_id, method, request, **fields):
        self._count += 1
        key = f"{self._number}-{self._count}"
        words = {"reason" if method in ("GrantCredits", "ReverseDeduction") else "description": key}
        write = Write(account_id, key, method, request(account_id=account_id, idempotency_key=key, **words, **fields))
        self._history.writes.append(write)
        for _ in range(self._chance.randint(1, 3)):
            await self.send(write)
            if write.definite:
                break

    async def _repeat(self, account_id):
        del account_id
        if self._history.writes:
            await self.send(self._chance.choice(self._history.writes[-100:]))

    async def send(self, write, *, patient=False):
        """Sends a write once more and records what came of it."""
        stub = self._admin if write.method == "GrantCredits" else self._billing
        invoked = time.monotonic_ns()
        record = partial(Operation, self._number, invoked, account_id=write.account_id, key=write.key)
        try:
            reply = await self._ask(getattr(stub, write.method), write.request, patient=patient)
        except asyncio.CancelledError:
            write.lose()
            self._history.operations.append(record(answered=None))
            if asyncio.current_task().cancelling():
                raise
        except grpc.aio.AioRpcError as error:
            self._history.operations.append(self._without_reply(record, error, write))
            if error.code() in UNKNOWN:
                write.lose()
            elif not patient:
                write.definite = write.has_reply or not write.was_lost
        else:
            write.has_reply = True
            self._history.operations.append(self._with_reply(record, reply, write))

    async def _ask(self, method, request, *, patient=False):
        """A call; an impatient caller hangs up, or its deadline passes."""
        if patient or self._chance.random() >= IMPATIENT:
            return await method(request, timeout=PATIENT_S)
        self._history.hung_up += 1
        patience_s = self._chance.uniform(0, PATIENCE_MAX_S)
        if self._chance.random() < 0.5:
            return await method(request, timeout=patience_s)
        call = method(request, timeout=PATIENT_S)
        asyncio.get_running_loop().call_later(patience_s, call.cancel)
        return await call

    def _without_reply(self, record, error, write):
        if error.code() in UNKNOWN:
            return record(answered=None)
        assert error.code() is grpc.StatusCode.FAILED_PRECONDITION, f"{write.method}: {error.code()}: {error.details()}"
        write.definite = True
        info = error_info(error)
        reason, facts = info.reason, info.metadata
        if reason != "INSUFFICIENT_CREDITS":
            assert reason == "DEDUCTION_ALREADY_REVERSED", reason
            return record(answered=time.monotonic_ns(), refused=True)
        return record(
            answered=time.monotonic_ns(),
            refused=True,
            available=int(facts["available_microcredits"]),
            required=int(facts["required_microcredits"]),
        )

    def _with_reply(self, record, reply, write):
        answered = time.monotonic_ns()
        write.definite = True
        replayed, required, asked = reply.replayed, 0, write.request.amount_microcredits
        reply.ClearField("replayed")
        shown = reply.balance
        left = shown.available_microcredits + shown.held_microcredits - shown.debt_microcredits
        if write.method == "DeductCredits":
            delta = -reply.deducted_microcredits
            if write.request.mode == UP_TO:
                assert -delta <= asked
                assert -delta == asked or shown.available_microcredits == 0, "more could have been taken"
            else:
                assert -delta == asked
            required = 0 if write.request.mode == DEBT else -delta
            self._history.deductions.append((write.account_id, reply.transaction_id))
        else:
            delta = asked if write.method == "GrantCredits" else reply.reversed_microcredits
        return record(
            answered=answered,
            version=shown.account_version,
            balance=left,
            delta=delta,
            reply=reply.SerializeToString(deterministic=True),
            replayed=replayed,
            required=required,
            held=shown.held_microcredits,
            spends=write.method != "GrantCredits",
        )

    async def _read(self, account_id):
        invoked = time.monotonic_ns()
        try:
            shown = (
                await self._ask(self._billing.GetBalance, accounts_pb2.GetBalanceRequest(account_id=account_id))
            ).balance
        except grpc.aio.AioRpcError as error:
            _expect_unknown(error)
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():
                raise
        else:
            balance = shown.available_microcredits + shown.held_microcredits - shown.debt_microcredits
            self._saw(invoked, account_id, shown.account_version, balance, shown.held_microcredits)

    async def _read_statement(self, account_id):
        invoked = time.monotonic_ns()
        try:
            lines = await self.statement(account_id, page=5, pages=1)
        except grpc.aio.AioRpcError as error:
            _expect_unknown(error)
            return
        for line in lines:
            assert self._history.lines.setdefault((account_id, line.version), line) == line, (
                "a line of a statement changed"
            )
        self._saw(invoked, account_id, lines[0].version, lines[0].balance)

    def _saw(self, invoked, account_id, version, balance, held=None):
        about = {"version": version, "balance": balance, "held": held}
        self._history.operations.append(Operation(self._number, invoked, time.monotonic_ns(), account_id, **about))

    async def statement(self, account_id, *, page=1_000, pages=1_000, kind=0):
        """The account's statement, newest first; of one kind, or of all but holds."""
        lines, token = [], ""
        for _ in range(pages):
            request = transactions_pb2.ListTransactionsRequest(
                account_id=account_id, page_size=page, page_token=token, kind=kind
            )
            answer = await self._billing.ListTransactions(request, timeout=PATIENT_S)
            lines += [
                Posted(
                    line.account_version, line.description, line.amount_microcredits, line.balance_after_microcredits
                )
                for line in answer.transactions
            ]
            token = answer.next_page_token
            if not token:
                break
        return lines


def _expect_unknown(error):
    assert error.code() in UNKNOWN, error


def error_info(error):
    status = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    return info
