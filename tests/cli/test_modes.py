"""Play money is not real money: a ledger keeps the mode of its first start, and no start and no restore makes it
another one."""

import asyncio
import itertools
import json
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from billing_service.bootstrap import open_service
from billing_service.commands.access.deployment import OtherModeError, ensure_deployment
from billing_service.domain.deployment import Mode
from billing_service.integrity.backup import back_up
from billing_service.settings import load_settings
from billing_service.storage.rows.deployment import read_deployment
from tests.cli.mode_ledgers import KEYS, LEDGERS, STRIPE, make_ledger, settings_of
from tests.support.databases import Database
from tests.support.doubles import DEPLOYMENT


async def kept(database):
    """The mode that the database has; None before its first start."""
    store = await database.open()
    try:
        found = await store.read(read_deployment)
    finally:
        await store.close()
    return found and found.mode


async def made(database, name):
    store = await database.open()
    try:
        await make_ledger(store, name)
    finally:
        await store.close()


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("name", LEDGERS)
async def test_a_service_starts_on_a_ledger_of_its_mode_alone(database, name, mode):
    await made(database, name)
    before = await kept(database)
    settings = load_settings(settings_of(mode, database.url))
    if mode not in LEDGERS[name]:
        with pytest.raises(OtherModeError) as refused:
            async with open_service(settings):
                pytest.fail("it serves")
        said = str(refused.value)
        assert f"the settings are of mode {mode}" in said
        assert "name another database" in said
        assert all(f"settings of mode {other}" in said for other in LEDGERS[name])
        assert KEYS[mode] not in said
        assert await kept(database) is before
        return
    for first in (True, False):
        with capture_logs() as lines:
            async with open_service(settings) as running:
                assert running.environment.deployment.mode is mode
        events = {line["event"]: line for line in lines}
        assert (events["serving"]["mode"], events["serving"]["deployment_id"]) == (
            mode,
            running.environment.deployment.deployment_id,
        )
        assert ("ledger_takes_its_mode_for_ever" in events) == (first and name.startswith("older"))
        assert ("deployment_made" in events) == (first and name == "new")
    assert await kept(database) is mode


async def test_processes_that_start_at_once_are_one_deployment(store):
    new = [replace(DEPLOYMENT, deployment_id=f"dep_{number}", mark_key=bytes([number])) for number in range(8)]
    found = await asyncio.gather(*(ensure_deployment(store, each) for each in new))
    assert len({each.deployment_id for each in found}) == 1
    assert found[0] in new


async def test_of_processes_that_start_at_once_in_different_modes_one_mode_serves(store):
    new = [replace(DEPLOYMENT, deployment_id=f"dep_{number}", mode=mode) for number, mode in enumerate([*Mode] * 2)]
    found = await asyncio.gather(*(ensure_deployment(store, each) for each in new), return_exceptions=True)
    serving = {each.deployment_id for each in found if not isinstance(each, OtherModeError)}
    refused = [each for each in found if isinstance(each, OtherModeError)]
    assert (len(serving), len(refused)) == (1, 4)


SQLITE = pytest.mark.parametrize("store_name", ["sqlite"], indirect=True)
"""PostgreSQL is backed up by its own tools: a start on what they restored refuses, as on any other ledger."""


async def backed_up(database, name):
    """A backup of the named ledger; an older program's manifest says nothing of modes."""
    await made(database, name)
    file = database.path.with_name("copy.db")
    back_up(database.path, file)
    if name.startswith("older"):
        manifest = file.with_name("copy.db.manifest.json")
        said = json.loads(manifest.read_text())
        del said["contents"]["mode"], said["contents"]["deployment_id"]
        manifest.write_text(json.dumps(said | {"format": 2}))
    return file


SAID_BY = ("settings", "option", "option against settings", "nobody")


@SQLITE
@pytest.mark.parametrize("name", LEDGERS)
async def test_a_backup_goes_back_where_its_mode_is_said(billing, database, name):
    file = await backed_up(database, name)
    for number, (said_by, mode) in enumerate(itertools.product(SAID_BY, Mode)):
        place = file.with_name(f"restored{number}.db")
        settings = {"DATABASE_URL": f"sqlite:///{place}"}
        if said_by == "settings":
            settings |= {
                "STRIPE_SECRET_KEY": KEYS[mode],
                "STRIPE_API_BASE": STRIPE[mode],
                "FRONTEND_URL": "https://shop.example",
            }
        if said_by == "option against settings":
            settings |= {"STRIPE_SECRET_KEY": KEYS[Mode.TEST]}
        arguments = ["--mode", mode] if said_by.startswith("option") else []
        result = await asyncio.to_thread(billing, "restore", file, *arguments, **settings)
        fits = name not in {*Mode} if said_by == "nobody" else mode in LEDGERS[name]
        assert result.exit_code == (0 if fits else 1), (said_by, mode, result.output)
        assert place.exists() is fits
        if not fits:
            assert "nothing was restored" in result.stderr
            assert all(f"`--mode {other}`" in result.stderr for other in LEDGERS[name])
            assert ("say" in result.stderr) is bool(LEDGERS[name])
        elif name in {*Mode}:
            assert "billing deployment renew" in result.stdout
            assert await kept(Database("sqlite", settings["DATABASE_URL"])) == name
        else:
            assert "it has no mode yet" in result.stdout


@SQLITE
async def test_play_money_of_the_sandbox_never_reaches_a_live_service(billing, processes, database, tmp_path):
    """Copied as the panel of `billing dev` says, restored as docs/operations.md says, without a setting; then started
    with a live key."""
    await made(database, "sandbox")
    copied = await asyncio.to_thread(billing, "backup", "copy.db", DATABASE_URL=database.url)
    assert copied.exit_code == 0, copied.output
    refused = await asyncio.to_thread(billing, "restore", "copy.db")
    assert refused.exit_code == 1
    assert "`--mode sandbox`" in refused.stderr
    assert not (tmp_path / "var" / "billing.db").exists()
    restored = await asyncio.to_thread(billing, "restore", "copy.db", "--mode", "sandbox")
    assert restored.exit_code == 0, restored.output
    code, said = processes.run("serve", cwd=tmp_path, **settings_of(Mode.LIVE, "sqlite:///var/billing.db"))
    assert code == 2
    [line] = said.splitlines()
    assert line.startswith("DATABASE_URL: the database is of mode sandbox, for ever, and the settings are of mode live")


@SQLITE
def test_the_stack_of_a_developer_refuses_a_ledger_of_another_mode(billing, database):
    asyncio.run(made(database, "test"))
    ports = {"SANDBOX_PORT": "0", "GATEWAY_PORT": "0", "BILLING_LISTEN": "127.0.0.1:0"}
    refused = billing("dev", DATABASE_URL=database.url, **ports)
    assert refused.exit_code == 2, refused.output
    assert "the database is of mode test, for ever" in refused.stderr


@SQLITE
@pytest.mark.parametrize("mode", Mode)
def test_what_only_looks_at_a_ledger_asks_for_no_mode(billing, database, mode):
    asyncio.run(made(database, "sandbox"))
    given = settings_of(mode, database.url)
    for command in (
        ["verify", "--offline"],
        ["deployment", "show"],
        ["heads", "heads.txt"],
        ["backup", "copy.db"],
        ["migrate"],
    ):
        result = billing(*command, **given)
        assert result.exit_code == 0, (command, result.output)
    assert billing("restore", "copy.db", **{**given, "DATABASE_URL": "sqlite:///elsewhere.db"}).exit_code == (
        mode is not Mode.SANDBOX
    )


def test_a_stand_in_is_known_by_its_address():
    given = {
        name: value for name, value in settings_of(Mode.TEST, "sqlite:///x.db").items() if name != "STRIPE_API_BASE"
    }
    for base, mode in {
        "https://api.stripe.com": Mode.TEST,
        "https://api.stripe.com:443": Mode.TEST,
        "https://API.STRIPE.COM/": Mode.TEST,
        "https://api.stripe.com.example": Mode.SANDBOX,
        "https://stripe.example/api.stripe.com": Mode.SANDBOX,
        "http://localhost:12111": Mode.SANDBOX,
    }.items():
        assert load_settings(given | {"STRIPE_API_BASE": base}).mode is mode, base
    assert load_settings(given).mode is Mode.TEST
    assert load_settings({}, purpose="operate").mode is None
