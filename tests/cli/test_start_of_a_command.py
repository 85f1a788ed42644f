"""A command of the operator starts at once: it loads what a client needs, and not what a service is made of."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = {"aiohttp", "aiosqlite", "alembic", "asyncpg", "httpx", "prometheus_client", "pydantic", "sqlalchemy", "stripe"}


def test_the_command_line_loads_nothing_of_the_service():
    look = f"import sys; import billing_service.cli; print(*sorted({HEAVY} & sys.modules.keys()))"
    found = subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert found.stdout.split() == []
