"""Two whole services on one Stripe account, each with its own database, gateway and signing secret."""

import sqlite3
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

from billing_service.sandbox.config import SandboxConfig
from billing_service.sandbox.run import serve_sandbox
from billing_service.storage.schema import metadata
from tests.support.databases import connect_to
from tests.support.stack import Stack, joined_stack
from tests.support.wire import TABLES

DELIVERY = {"delivery_first_retry_s": 0.05, "delivery_attempts_max": 4}


@dataclass(frozen=True)
class Deployment:
    """One of the two."""

    stack: Stack
    database: object
    secret: str
    """Signs its webhooks."""

    async def rows(self):
        """All that it has but its inbox, as it stands."""
        return await rows_of(self.database)

    async def inbox(self):
        """What became of each event, by its type."""
        listed = (await self.stack.client.list_stripe_events(page_size=1000)).events
        return {(event.event_type, event.status) for event in listed}


@asynccontextmanager
async def stripe_account():
    async with serve_sandbox(SandboxConfig(**DELIVERY)) as url:
        yield url


@asynccontextmanager
async def deployed(database, sandbox_url, name):
    """A service on a Stripe account that others use too."""
    secret = f"whsec_{name}-" + "0123456789abcdef"
    async with joined_stack(database.url, sandbox_url, secret, BILLING_LOG_LEVEL="ERROR") as stack:
        yield Deployment(stack, database, secret)


async def rows_of(database):
    """Every row of every table but the inbox, without the positions that the feed gives events in its own time."""
    tables = {
        table: ", ".join(column.name for column in metadata.tables[table].columns if column.name != "position")
        if table == "outbox"
        else "*"
        for table in TABLES
        if table not in ("stripe_events", "feed")
    }
    if database.store == "sqlite":
        with closing(sqlite3.connect(f"file:{database.path}?mode=ro", uri=True)) as connection:
            return {
                table: sorted(map(repr, connection.execute(f"SELECT {columns} FROM {table}")))
                for table, columns in tables.items()
            }
    connection = await connect_to(database.url)
    try:
        return {
            table: sorted(repr(tuple(row)) for row in await connection.fetch(f"SELECT {columns} FROM {table}"))
            for table, columns in tables.items()
        }
    finally:
        await connection.close()
