"""Changes a database behind the service's back."""

import sqlite3

from tests.support.databases import connect_to, run_apart

TRIGGERS = ("transactions", "entries", "rate_cards")


def tamper(database, *statements):
    """Runs SQL with the triggers out of the way; each statement must change something."""
    if database.store == "sqlite":
        connection = sqlite3.connect(database.path, isolation_level=None, timeout=10)
        connection.execute("PRAGMA wal_autocheckpoint=0")  # the service's writer alone checkpoints
        for table in TRIGGERS:
            for verb in ("update", "delete"):
                connection.execute(f"DROP TRIGGER IF EXISTS {table}_no_{verb}")
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, statement
        connection.close()
        return

    async def run():
        connection = await connect_to(database.url)
        for table in TRIGGERS:
            await connection.execute(f"DROP TRIGGER IF EXISTS {table}_append_only ON {table}")
        for statement in statements:
            assert not (await connection.execute(statement)).endswith(" 0"), statement
        await connection.close()

    run_apart(run())
