"""A command of the operator starts at once: it loads what a client needs, and not what a service is made of. A service
loads neither a command of the operator nor what migrates."""

import os
import subprocess
import sys
from pathlib import Path

from tests.cli.cli_running import service_settings

ROOT = Path(__file__).parents[2]
HEAVY = {"aiohttp", "aiosqlite", "alembic", "asyncpg", "httpx", "prometheus_client", "pydantic", "sqlalchemy", "stripe"}

NEVER_NEEDED = {
    "alembic",
    "billing_client.asynchronous.client",
    "billing_client.blocking.client",
    "billing_service.cli.accounts",
    "httpx",
    "requests",
    "sqlalchemy.ext.asyncio",
    "sqlalchemy.orm",
    "stripe",
}


def test_the_command_line_loads_nothing_of_the_service():
    look = f"import sys; import billing_service.cli.app; print(*sorted({HEAVY} & sys.modules.keys()))"
    found = subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert found.stdout.split() == []


def test_a_service_that_serves_loads_no_command_no_client_and_not_what_it_may_never_need(database, tmp_path):
    """Alembic where there is nothing to migrate; Stripe's SDK before the first call to Stripe."""
    look = f"""
import asyncio, sys
from billing_service.cli.program import serving_app
from billing_service.bootstrap import open_service
from billing_service.settings import load_settings
serving_app()
async def main():
    async with open_service(load_settings()):
        print("loaded:", *sorted({NEVER_NEEDED} & sys.modules.keys()))
asyncio.run(main())
"""
    settings = service_settings(DATABASE_URL=database.url, BILLING_LOG_LEVEL="ERROR")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), **settings}
    found = subprocess.run(
        [sys.executable, "-c", look],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    (loaded,) = [line for line in found.stdout.splitlines() if line.startswith("loaded:")]
    assert loaded.split()[1:] == []
