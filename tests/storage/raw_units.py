"""Units of work from plain SQL, and a look at the database from outside the store."""

import sqlite3
from contextlib import closing

import asyncpg
from sqlalchemy import LargeBinary, bindparam, text

from billing_service.storage.statements import reading, writing
from tests.support.databases import connect_to, run_apart

CONSTRAINT_ERRORS = (sqlite3.IntegrityError, asyncpg.IntegrityConstraintViolationError)


def write_unit(*statements):
    """A unit that runs SQL texts; answers the row counts."""
    prepared = [writing("raw", _with_blob(statement)) for statement in statements]

    def work():
        counts = []
        for statement in prepared:
            count = yield statement()
            counts.append(count)
        return counts

    return work


def _with_blob(statement):
    """`:blob` in a text stands for 32 bytes: the stores have no common way to write them."""
    return (
        text(statement).bindparams(bindparam("blob", bytes(32), LargeBinary))
        if ":blob" in statement
        else text(statement)
    )


def read_unit(sql):
    """A unit that answers the rows of one SELECT."""
    statement = reading("raw", text(sql))

    def work():
        rows = yield statement()
        return [tuple(row) for row in rows]

    return work


def outside(database, *statements):
    """Runs SQL on a connection of its own, in one transaction that never waits for a lock; answers the last one's
    rows."""
    if database.store == "sqlite":
        with closing(sqlite3.connect(database.path, timeout=0, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            rows = [connection.execute(statement).fetchall() for statement in statements]
            connection.execute("COMMIT")
            return rows[-1] if rows else []
    return run_apart(_outside_postgres(database.url, statements))


async def _outside_postgres(url, statements):
    connection = await connect_to(url, lock_timeout="1")
    try:
        async with connection.transaction():
            rows = []
            for statement in statements:
                rows = await connection.fetch(statement)
            return [tuple(row) for row in rows]
    finally:
        await connection.close()
