"""What most people would write: one SQLAlchemy ORM transaction per call, correct and durable, and slow.

It serves DeductCredits over a balance per account, one ledger row per deduction and a unique idempotency key. `python
-m tests.bench.naive_server --database-url sqlite+aiosqlite:////path/file` makes its tables and accounts anew and prints
its port as its first line.
"""

import argparse
import asyncio
import uuid
from typing import Any

import grpc
from prepaid.billing.v1 import accounts_pb2, billing_pb2_grpc, transactions_pb2
from sqlalchemy import BigInteger, ForeignKey, event, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests.bench import calls
from tests.bench.noop_server import serve

STARTING_MICROCREDITS = 10**15
LOCK_WAIT_S = 30  # SQLite's writers queue behind one lock


class Tables(DeclarativeBase):
    pass


class Account(Tables):
    __tablename__ = "naive_accounts"
    account_id: Mapped[str] = mapped_column(primary_key=True)
    available_microcredits: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(BigInteger)


class Deduction(Tables):
    __tablename__ = "naive_deductions"
    transaction_id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey(Account.account_id))
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    amount_microcredits: Mapped[int] = mapped_column(BigInteger)
    balance_after_microcredits: Mapped[int] = mapped_column(BigInteger)
    account_version: Mapped[int] = mapped_column(BigInteger)


class Refused(Exception):  # noqa: N818 - an answer, not an error of the program
    def __init__(self, status: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.status = status


class NaiveService(billing_pb2_grpc.BillingServiceServicer):
    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions

    async def DeductCredits(self, request: Any, context: Any) -> Any:  # noqa: N802 - the stub's name
        try:
            try:
                return await self._deduct(request)
            except IntegrityError:
                return await self._deduct(request)  # a call with the same key won the race: its row is there now
        except Refused as refused:
            await context.abort(refused.status, str(refused))

    async def _deduct(self, request: Any) -> transactions_pb2.DeductCreditsResponse:
        async with self._sessions.begin() as session:
            earlier = await session.scalar(
                select(Deduction).where(Deduction.idempotency_key == request.idempotency_key)
            )
            if earlier is not None:
                if (earlier.account_id, earlier.amount_microcredits) != (
                    request.account_id,
                    request.amount_microcredits,
                ):
                    raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "the key was used for another request")
                return _reply(earlier, replayed=True)
            account = await session.get(Account, request.account_id, with_for_update=True)
            if account is None:
                raise Refused(grpc.StatusCode.NOT_FOUND, "no such account")
            if account.available_microcredits < request.amount_microcredits:
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "too few credits")
            account.available_microcredits -= request.amount_microcredits
            account.version += 1
            deduction = Deduction(
                transaction_id=f"txn_{uuid.uuid4()}",
                account_id=account.account_id,
                idempotency_key=request.idempotency_key,
                amount_microcredits=request.amount_microcredits,
                balance_after_microcredits=account.available_microcredits,
                account_version=account.version,
            )
            session.add(deduction)
        return _reply(deduction, replayed=False)


def _reply(deduction: Deduction, *, replayed: bool) -> transactions_pb2.DeductCreditsResponse:
    return transactions_pb2.DeductCreditsResponse(
        transaction_id=deduction.transaction_id,
        deducted_microcredits=deduction.amount_microcredits,
        balance=accounts_pb2.Balance(
            account_id=deduction.account_id,
            available_microcredits=deduction.balance_after_microcredits,
            paid_microcredits=deduction.balance_after_microcredits,
            account_version=deduction.account_version,
        ),
        replayed=replayed,
    )


def open_engine(database_url: str) -> AsyncEngine:
    """An engine with SQLAlchemy's own pool; on SQLite each transaction takes the write lock first and commits
    durably."""
    if not database_url.startswith("sqlite"):
        return create_async_engine(database_url)
    engine = create_async_engine(database_url, connect_args={"timeout": LOCK_WAIT_S})

    @event.listens_for(engine.sync_engine, "connect")
    def _durable(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _lock_first(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


async def main(database_url: str, accounts: int) -> None:
    engine = open_engine(database_url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(Tables.metadata.drop_all)
            await connection.run_sync(Tables.metadata.create_all)
            rows = [
                {"account_id": calls.account_id(index), "available_microcredits": STARTING_MICROCREDITS, "version": 1}
                for index in range(accounts)
            ]
            await connection.execute(insert(Account), rows)
        # The rest is UNIMPLEMENTED.
        servicer = NaiveService(async_sessionmaker(engine, expire_on_commit=False))  # type: ignore[abstract]
        await serve(servicer)
    finally:
        await engine.dispose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve DeductCredits with one transaction per call.")
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--accounts", type=int, default=10_000)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.database_url, arguments.accounts))
