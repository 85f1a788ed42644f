"""What callers asked for and were told, written down before and after each call, and held against the ledger in the
end."""

import asyncio
import random
import sqlite3
from collections import Counter
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

import grpc
from prepaid.billing.v1 import admin_pb2, admin_pb2_grpc, billing_pb2_grpc, transactions_pb2

from tests.support.databases import connect_to, run_apart
from tests.support.ledger_check import DEDUCTION

CREDIT = 1_000_000
CALL_TIMEOUT_S = 10.0
DEFINITE_WITHIN_S = 30.0
ACKNOWLEDGED_WITHIN_S = 120.0
SETTLED_AT_ONCE = 256
REFUSED = {grpc.StatusCode.FAILED_PRECONDITION}
UNKNOWN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
"""After these a caller does not know; every other status in a test of crashes is a defect."""


@dataclass
class Attempt:
    """One logical deduction. `outcome`: invoked, ok, refused or unknown."""

    account_id: str
    key: str
    amount: int
    outcome: str = "invoked"
    transaction_id: str = ""
    was_unknown: bool = False


class Journal:
    """Attempts by key, and a file with a line for each step, for whoever looks into a failure."""

    def __init__(self, path):
        self.attempts = {}
        self._file = path.open("a", buffering=1)
        self._path = path

    def note(self, attempt, outcome):
        attempt.outcome = outcome
        attempt.was_unknown |= outcome == "unknown"
        self.attempts[attempt.key] = attempt
        self._file.write(f"{attempt.key} {attempt.account_id} {attempt.amount} {outcome} {attempt.transaction_id}\n")

    def having(self, outcome):
        return [attempt for attempt in self.attempts.values() if attempt.outcome == outcome]

    async def until_acknowledged(self, count):
        """Waits for the callers, who are tasks of their own."""
        async with asyncio.timeout(ACKNOWLEDGED_WITHIN_S):
            while len(self.having("ok")) < count:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.02)

    def close(self):
        self._file.close()


class Callers:
    """Callers who deduct with unique keys, and ask again with the same key whenever they don't know."""

    def __init__(self, channel, journal, accounts, seed, *, pause_s=0.01):
        self.stub = billing_pb2_grpc.BillingServiceStub(channel)
        self.journal = journal
        self.accounts = accounts
        self.up = asyncio.Event()
        self.stopped = False
        self.failures = Counter()
        """Answers that said neither yes nor no, by status."""
        self._seed = seed
        self._pause_s = pause_s

    async def ask(self, attempt, timeout_s=CALL_TIMEOUT_S):
        """One call. Answers whether the outcome is definite."""
        request = transactions_pb2.DeductCreditsRequest(
            account_id=attempt.account_id, amount_microcredits=attempt.amount, idempotency_key=attempt.key
        )
        try:
            reply = await self.stub.DeductCredits(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            return self._without_reply(attempt, error)
        assert reply.deducted_microcredits == attempt.amount
        assert attempt.transaction_id in {"", reply.transaction_id}, (
            f"{attempt} was answered by another transaction: {reply}"
        )
        if attempt.transaction_id:
            assert reply.replayed
        attempt.transaction_id = reply.transaction_id
        self.journal.note(attempt, "ok")
        return True

    def _without_reply(self, attempt, error):
        assert error.code() in REFUSED | UNKNOWN, f"{error.code()}: {error.details()}"
        definite = error.code() in REFUSED
        assert not (definite and attempt.transaction_id), f"{attempt} was acknowledged before, and now is refused"
        self.failures[error.code()] += not definite
        self.journal.note(attempt, "refused" if definite else "unknown")
        return definite

    @asynccontextmanager
    async def at_work(self, names):
        """As many as there are names call for as long as the block lasts."""
        self.up.set()
        async with asyncio.TaskGroup() as running:
            for name in names:
                running.create_task(self.run(name))
            try:
                yield
            finally:
                self.stopped = True

    async def run(self, number):
        """Calls until told to stop; while the service is known to be down, waits."""
        chance, count = random.Random(f"{self._seed}/{number}"), 0
        while not self.stopped:
            await self.up.wait()
            count += 1
            attempt = Attempt(chance.choice(self.accounts), f"{number}-{count}", chance.randint(1, 3) * CREDIT)
            self.journal.note(attempt, "invoked")
            if not await self.ask(attempt):
                await asyncio.sleep(self._pause_s)

    async def until_failed(self, count):
        """Waits until so many more calls have failed."""
        before = self.failures.total()
        async with asyncio.timeout(DEFINITE_WITHIN_S):
            while self.failures.total() < before + count:  # noqa: ASYNC110 - the callers are tasks of their own
                await asyncio.sleep(0.02)

    async def settle(self, attempts):
        """Asks again with the same keys until each answer is definite; so many at once that the service takes them
        on."""
        room = asyncio.Semaphore(SETTLED_AT_ONCE)

        async def until_definite(attempt):
            async with room, asyncio.timeout(DEFINITE_WITHIN_S):
                while not await self.ask(attempt):  # noqa: ASYNC110 - nothing tells when the service is back
                    await asyncio.sleep(0.02)

        await asyncio.gather(*map(until_definite, attempts))


async def grant(channel, account_id, amount_credits):
    admin = admin_pb2_grpc.AdminServiceStub(channel)
    request = admin_pb2.GrantCreditsRequest(
        account_id=account_id,
        amount_microcredits=amount_credits * CREDIT,
        category="CREDIT_CATEGORY_PROMOTIONAL",
        reason="test",
        idempotency_key=f"g-{account_id}",
    )
    await admin.GrantCredits(request, timeout=CALL_TIMEOUT_S, wait_for_ready=True)


async def verify(channel):
    """The service's own verification finds nothing."""
    answer = await admin_pb2_grpc.AdminServiceStub(channel).VerifyLedger(admin_pb2.VerifyLedgerRequest(), timeout=30)
    assert not answer.differences, answer.differences


def reconcile(journal, database, granted):
    """Holds the journal against the stored rows: each ok once, each refusal never, balances what was granted less what
    was taken."""
    left_open = [attempt for attempt in journal.attempts.values() if attempt.outcome not in {"ok", "refused"}]
    assert not left_open, left_open[:5]
    keys, deductions, balances = stored(database)
    replies = {}
    for account_id, key, reply in keys:
        if not key.startswith("g-"):
            replies[account_id, key] = transactions_pb2.DeductCreditsResponse.FromString(reply).transaction_id
    acknowledged = {(attempt.account_id, attempt.key): attempt.transaction_id for attempt in journal.having("ok")}
    assert replies == acknowledged
    applied = {transaction_id: -amount for _, transaction_id, amount in deductions}
    amounts = {attempt.transaction_id: attempt.amount for attempt in journal.having("ok")}
    assert applied == amounts
    for account_id, given in granted.items():
        spent = sum(attempt.amount for attempt in journal.having("ok") if attempt.account_id == account_id)
        assert balances[account_id] == given * CREDIT - spent


def stored(database):
    """Spent keys with their replies, deductions and balances, by plain SQL."""
    statements = (
        "SELECT account_id, idempotency_key, reply FROM idempotency_keys",
        f"SELECT account_id, transaction_id, amount FROM transactions WHERE kind = {DEDUCTION}",
        "SELECT account_id, balance FROM accounts",
    )
    keys, deductions, accounts = rows_of(database, statements)
    return keys, deductions, dict(accounts)


def rows_of(database, statements):
    """The rows that each statement finds."""
    if database.store == "sqlite":
        with closing(sqlite3.connect(f"file:{database.path}?mode=ro", uri=True)) as connection:
            return [connection.execute(statement).fetchall() for statement in statements]
    return run_apart(_fetch(database.url, statements))


async def _fetch(url, statements):
    connection = await connect_to(url)
    try:
        return [[tuple(row) for row in await connection.fetch(statement)] for statement in statements]
    finally:
        await connection.close()
