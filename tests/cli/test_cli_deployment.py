"""Whose ledger a database is: shown, and renewed for a copy whose original lives on."""

import asyncio
import json
from dataclasses import replace

import pytest

from billing_service.domain.deployment import Mode
from billing_service.storage.rows.access import list_audit
from billing_service.storage.rows.deployment import read_deployment
from tests.cli.mode_ledgers import make_ledger
from tests.support.doubles import DEPLOYMENT

OLD = replace(DEPLOYMENT, mode=Mode.LIVE)


async def on(database, work):
    store = await database.open()
    try:
        return await store.read(work)
    finally:
        await store.close()


@pytest.fixture
def command(billing, database):
    """Runs a command of the group on the database."""
    return lambda *arguments, answer=None: billing("deployment", *arguments, answer=answer, DATABASE_URL=database.url)


@pytest.fixture
async def deployed(store):
    """A ledger that a live service has started on."""
    await make_ledger(store, "live")
    await store.close()


@pytest.mark.parametrize("arguments", [("show",), ("renew", "--yes")])
def test_a_ledger_that_no_service_started_on_is_nobodys(command, database, arguments):
    result = command(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("no service has started on this database yet")
    assert asyncio.run(on(database, read_deployment)) is None


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
async def test_nothing_is_renewed_without_a_yes(command, database, answer):
    result = await asyncio.to_thread(command, "renew", answer=answer)
    assert result.exit_code == 1
    assert await on(database, read_deployment) == OLD


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize(("arguments", "answer"), [(("renew", "--yes"), None), (("renew",), "y\n")])
async def test_a_renewed_ledger_has_another_id_and_key_and_its_mode(command, database, arguments, answer):
    result = await asyncio.to_thread(command, *arguments, answer=answer)
    assert result.exit_code == 0, result.output
    assert f"it was {OLD.deployment_id}" in result.stdout
    new = await on(database, read_deployment)
    assert new.deployment_id != OLD.deployment_id
    assert new.mark_key != OLD.mark_key
    assert len(new.mark_key) == len(OLD.mark_key)
    assert new.mode is OLD.mode
    shown = (await asyncio.to_thread(command, "show")).stdout
    assert new.deployment_id in shown
    assert "live" in shown
    told = json.loads((await asyncio.to_thread(command, "show", "--json")).stdout)
    assert (told["deployment_id"], told["mode"]) == (new.deployment_id, "live")
    assert new.mark_key.hex() not in shown + result.output + str(told)
    [line] = await on(database, lambda: list_audit("", "~", 5))
    assert (line.method, line.caller) == ("RenewDeployment", "offline")
    assert OLD.deployment_id in line.detail


@pytest.mark.parametrize("store_name", ["sqlite"], indirect=True)
async def test_a_file_that_a_service_has_is_not_renewed(command, store):
    await make_ledger(store, "live")
    result = await asyncio.to_thread(command, "renew", "--yes")
    assert result.exit_code == 1
    assert "stop the service first" in result.stderr
