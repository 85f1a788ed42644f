"""A running service whose role loses a right: health says so, callers get UNAVAILABLE, and all is well once the right
is back."""

import asyncio
import os

import pytest
from billing_client.errors import StorageUnavailable

from tests.support.databases import connect_to
from tests.support.no_retries import no_retries
from tests.support.serving_role import serving_role
from tests.support.stack import CREDIT, running_stack

FOLLOWS_WITHIN_S = 10.0
"""Health follows within 5 s; the rest is a busy machine's."""


@pytest.fixture(params=["postgresql"])
def store_name(request):
    return request.param


async def until_serving(client, expected):
    async with asyncio.timeout(FOLLOWS_WITHIN_S):
        while await client.is_serving() is not expected:  # noqa: ASYNC110 - asked as any other client asks
            await asyncio.sleep(0.05)


async def look(stack, *, by_itself):
    """Has the service probe now, or leaves that to its own interval."""
    if not by_itself:
        await stack.service.server.readiness.check()


@pytest.mark.parametrize(
    ("table", "right", "by_itself"),
    [("lots", "UPDATE", True), ("stripe_events", "INSERT", False), ("accounts", "SELECT", False)],
)
async def test_health_follows_the_rights_of_the_role(database, table, right, by_itself):
    owner = await connect_to(database.url)
    role = f"losing_{os.getpid()}"
    try:
        with serving_role(database.url, role) as url:
            async with running_stack(url, BILLING_MIGRATE_ON_START="false", BILLING_LOG_LEVEL="ERROR") as stack:
                await until_serving(stack.client, True)
                await stack.client.grant_credits(account_id="ada", amount_microcredits=5 * CREDIT, reason="x")
                await owner.execute(f"REVOKE {right} ON {table} FROM {role}")
                await look(stack, by_itself=by_itself)
                await until_serving(stack.client, False)
                if table != "stripe_events":
                    with no_retries(), pytest.raises(StorageUnavailable) as caught:
                        await stack.client.deduct_credits(
                            account_id="ada", amount_microcredits=CREDIT, idempotency_key="once", timeout_s=3
                        )
                    assert caught.value.reason == "STORAGE_UNAVAILABLE"
                    assert role not in caught.value.message
                await owner.execute(f"GRANT {right} ON {table} TO {role}")
                await look(stack, by_itself=by_itself)
                await until_serving(stack.client, True)
                await stack.client.deduct_credits(account_id="ada", amount_microcredits=CREDIT, idempotency_key="once")
                assert await stack.available("ada") == 4
    finally:
        await owner.close()
