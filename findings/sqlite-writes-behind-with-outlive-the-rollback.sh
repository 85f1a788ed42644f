#!/usr/bin/env bash
# SQLAlchemy 2.1.9 and aiosqlite 0.22.1 on the sqlite3 module of Python 3.11, default settings: an INSERT that reads a
# common table expression, in a transaction that is rolled back.
# Behaviour: sqlite3 begins a transaction only before statements that start with INSERT, UPDATE, DELETE or REPLACE.
# SQLAlchemy writes `WITH ... INSERT` for SQLite, so no transaction begins and the row is committed at once.
# The rollback of engine.begin() says nothing and undoes nothing. The row count is -1.
# Output seen: "INSERT ... SELECT: 0 rows after the rollback",
#              "INSERT from a CTE, rowcount -1: 1 row after the rollback",
#              "the same by aiosqlite: 1 row after the rollback", "the same after BEGIN: 0 rows after the rollback"
# Lesson: on SQLite let the engine send BEGIN itself. A refused posting is booked all the same otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "sqlalchemy[asyncio]==2.1.9" "aiosqlite==0.22.1"
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import asyncio
import sys

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

tables = sa.MetaData()
postings = sa.Table("postings", tables, sa.Column("id", sa.Integer, primary_key=True), sa.Column("amount", sa.Integer))
source = sa.select(sa.literal(5).label("amount"))
plain = sa.insert(postings).from_select(["amount"], source)
behind_with = sa.insert(postings).from_select(["amount"], sa.select(source.cte("source").c.amount))
count = sa.select(sa.func.count()).select_from(postings)


class Refused(Exception):
    pass


def rows(engine, statement, first=None):
    """The row count that a refused transaction was told of its write, and how many rows there are after it."""
    try:
        with engine.begin() as connection:
            if first:
                connection.exec_driver_sql(first)
            told = connection.execute(statement).rowcount
            raise Refused
    except Refused:
        pass
    with engine.begin() as connection:
        left = connection.scalar(count)
        connection.execute(sa.delete(postings))
    return told, left


async def rows_async(engine):
    async with engine.begin() as connection:
        await connection.run_sync(tables.create_all)
    try:
        async with engine.begin() as connection:
            await connection.execute(behind_with)
            raise Refused
    except Refused:
        pass
    async with engine.connect() as connection:
        return await connection.scalar(count)


engine = sa.create_engine(f"sqlite:///{sys.argv[1]}/a.db")
tables.create_all(engine)
assert str(behind_with.compile(engine)).startswith("WITH source AS")
(plain_told, plain_left), (told, left) = rows(engine, plain), rows(engine, behind_with)
begun = rows(engine, behind_with, first="BEGIN")[1]
beside = asyncio.run(rows_async(create_async_engine(f"sqlite+aiosqlite:///{sys.argv[1]}/b.db")))
print(f"INSERT ... SELECT: {plain_left} rows after the rollback")
print(f"INSERT from a CTE, rowcount {told}: {left} row after the rollback")
print(f"the same by aiosqlite: {beside} row after the rollback")
print(f"the same after BEGIN: {begun} rows after the rollback")
assert (plain_told, plain_left, told, left, beside, begun) == (1, 0, -1, 1, 1, 0)
PYTHON
