"""`billing serve` and the commands of operators as processes: they start or say why not, drain, and leave nothing
behind."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys

import httpx
import pytest
from billing_client import AsyncBillingClient, BillingClient

from billing_service.sandbox.config import SandboxConfig
from billing_service.sandbox.run import serve_sandbox
from tests.cli.cli_running import (
    PEPPER,
    STRIPE_KEY,
    WEBHOOK_SECRET,
    Processes,
    address_in,
    service_settings,
)

BAD_SETTINGS = [
    ({"STRIPE_SECRET_KEY": ""}, ["STRIPE_SECRET_KEY: is required"]),
    ({"STRIPE_SECRET_KEY": "canary"}, ["STRIPE_SECRET_KEY: must be a secret"]),
    ({"STRIPE_WEBHOOK_SECRET": "whsec_" + "canary"}, ["STRIPE_WEBHOOK_SECRET: each secret must"]),
    ({"BILLING_API_KEY_PEPPER": "canary"}, ["BILLING_API_KEY_PEPPER: must be a random text"]),
    ({"BILLING_AUTH": "canary", "BILLING_LISTEN": "canary"}, ["BILLING_AUTH: ", "BILLING_LISTEN: must be host:port"]),
    (
        {"BILLING_LISTEN": "0.0.0.0:0"},
        ["BILLING_AUTH: off is for a loopback address", "BILLING_LISTEN: needs BILLING_TLS_CERTIFICATE_FILE"],
    ),
    ({"BILLING_LISTN": "canary"}, ["BILLING_LISTN: there is no such setting; did you mean BILLING_LISTEN?"]),
    ({"DATABASE_URL": "postgresql://u:canary@"}, ["DATABASE_URL: must name the database"]),
]


@pytest.mark.parametrize(
    ("changes", "problems"), BAD_SETTINGS, ids=lambda value: ",".join(value) if isinstance(value, dict) else ""
)
def test_bad_settings_refuse_to_serve(billing, changes, problems):
    result = billing("serve", **service_settings(**changes))
    lines = result.stderr.splitlines()
    assert (result.exit_code, len(lines)) == (2, len(problems))
    assert all(any(line.startswith(problem) for line in lines) for problem in problems), lines
    assert "canary" not in result.stderr


def test_process_with_bad_settings_says_only_what_is_wrong(processes, tmp_path):
    assert processes.run("serve", cwd=tmp_path, **service_settings(STRIPE_SECRET_KEY="")) == (
        2,
        "STRIPE_SECRET_KEY: is required\n",
    )


def outdated(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE anything (at_all)")
    connection.close()


UNUSABLE = [
    ({"BILLING_MIGRATE_ON_START": "false"}, lambda _: None, "run `billing migrate`"),
    ({"BILLING_MIGRATE_ON_START": "false"}, outdated, "the database is at migration none"),
    ({}, lambda path: path.write_bytes(b"canary" * 1000), "the database can't be used: file is not a database"),
    (
        {"DATABASE_URL": "postgresql://u:canary@127.0.0.1:9/db"},
        lambda _: None,
        "the database can't be reached: 127.0.0.1:9: Connection refused",
    ),
    (
        {"BILLING_TLS_CERTIFICATE_FILE": "ledger.db", "BILLING_TLS_PRIVATE_KEY_FILE": "ledger.db"},
        lambda path: path.touch(),
        "TLS",
    ),
]


@pytest.mark.parametrize(("changes", "prepare", "words"), UNUSABLE)
def test_unusable_machine_is_said_in_a_line(billing, tmp_path, changes, prepare, words):
    prepare(tmp_path / "ledger.db")
    result = billing("serve", **service_settings(**changes))
    assert result.exit_code == 1, result.output
    assert words in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
    assert "canary" not in result.stderr


def test_file_and_port_in_use_are_named(processes, tmp_path):
    first = processes.start("serve", cwd=tmp_path, **service_settings())
    address = address_in(first.read_until('"serving"'))
    code, said = processes.run("serve", cwd=tmp_path, **service_settings())
    assert (code, said.splitlines()[-1].partition(" is in use by another process")[0]) == (1, "ledger.db")
    code, said = processes.run(
        "keys", "create", "ops", "--scope", "admin", "--offline", cwd=tmp_path, **service_settings()
    )
    assert code == 1
    assert "leave --offline out" in said
    code, said = processes.run(
        "serve", cwd=tmp_path, **service_settings(DATABASE_URL="sqlite:///other.db", BILLING_LISTEN=address)
    )
    assert code == 1
    assert f"can't listen on {address}: the port is in use" in said.splitlines()[-1]
    assert first.stop() == 0


async def test_sigterm_lets_a_call_finish(tmp_path):
    """Stripe hangs while the process is told to stop: the purchase is made all the same, and the exit code is 0."""
    async with serve_sandbox(SandboxConfig()) as sandbox, httpx.AsyncClient() as http:
        with Processes() as processes:
            process = processes.start(
                "serve", cwd=tmp_path, **service_settings(STRIPE_API_BASE=sandbox, BILLING_LOG_LEVEL="INFO")
            )
            address = address_in(await asyncio.to_thread(process.read_until, '"serving"'))
            hang = {"kind": "hang", "seconds": 2, "method": "POST", "path_prefix": "/v1/checkout/sessions"}
            (await http.post(f"{sandbox}/_sandbox/faults", json=hang)).raise_for_status()
            async with AsyncBillingClient(address) as client:
                await client.create_account(account_id="ada")
                call = asyncio.create_task(client.create_purchase(account_id="ada", package_code="starter"))
                # The call is in another process.
                while (await http.get(f"{sandbox}/_sandbox/state")).json()["faults"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
                process.send(signal.SIGTERM)
                assert (await call).purchase.checkout_url.startswith(sandbox)
                assert await asyncio.to_thread(process.end) == 0
    assert '"draining"' in process.said


def test_second_signal_ends_at_once(processes, tmp_path):
    process = processes.start("serve", "--no-uvloop", cwd=tmp_path, **service_settings(BILLING_DRAIN_WAIT_S="60"))
    process.read_until('"serving"')
    process.send(signal.SIGTERM)
    process.read_until('"draining"')
    assert process.stop(signal.SIGINT) == 128 + signal.SIGINT


def test_first_key_is_made_without_the_service(processes, tmp_path):
    settings = service_settings(BILLING_AUTH="keys")
    code, said = processes.run("keys", "create", "ops", "--scope", "admin", "--offline", cwd=tmp_path, **settings)
    assert code == 0
    secret = said.splitlines()[-1]
    process = processes.start("serve", cwd=tmp_path, **settings)
    address = address_in(process.read_until('"serving"'))
    code, said = processes.run("accounts", "list", cwd=tmp_path, BILLING_ADDRESS=address)
    assert code == 1
    assert said.startswith("API_KEY_INVALID")
    code, said = processes.run("accounts", "list", cwd=tmp_path, BILLING_ADDRESS=address, BILLING_API_KEY=secret)
    assert (code, said) == (0, "Accounts: none\n")
    assert process.stop() == 0
    assert secret not in process.said
    assert not any(secret in said for said in (STRIPE_KEY, WEBHOOK_SECRET, PEPPER))


def test_offline_proof_backup_and_difference(processes, tmp_path):
    settings = service_settings()
    process = processes.start("serve", cwd=tmp_path, **settings)
    with BillingClient(address_in(process.read_until('"serving"'))) as client:
        client.grant_credits(account_id="ada", amount_microcredits=5, reason="x")
        assert processes.run("backup", "copy.db", cwd=tmp_path, **settings)[0] == 0
    assert process.stop() == 0
    assert processes.run("backup", "--verify", "copy.db", cwd=tmp_path)[0] == 0
    elsewhere = {"DATABASE_URL": "sqlite:///elsewhere/ledger.db"}
    code, said = processes.run("restore", "copy.db", "--mode", "sandbox", cwd=tmp_path, **elsewhere)
    assert code == 0, said
    assert "1 accounts, 1 transactions, 1 entries" in said
    assert processes.run("verify", "--offline", cwd=tmp_path, **elsewhere)[0] == 0
    assert processes.run("verify", "--offline", cwd=tmp_path, **settings)[0] == 0
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("UPDATE lots SET remaining = 4")
    connection.close()
    code, said = processes.run("verify", "--offline", cwd=tmp_path, **settings)
    assert code == 1
    assert "remaining" in said
    assert "✗ 1 differences" in said


def test_exported_heads_tell_a_ledger_that_was_cut(processes, tmp_path):
    """The service exports by itself; the command compares, and exports too."""
    (tmp_path / "heads").mkdir()
    settings = service_settings() | {"BILLING_HEADS_DIRECTORY": "heads", "BILLING_HEADS_INTERVAL_S": "1"}
    process = processes.start("serve", cwd=tmp_path, **settings)
    with BillingClient(address_in(process.read_until('"serving"'))) as client:
        client.grant_credits(account_id="ada", amount_microcredits=5, reason="x")
        client.grant_credits(account_id="ada", amount_microcredits=7, reason="y")
    process.read_until('"accounts":1')
    assert process.stop() == 0
    assert processes.run("heads", "by-hand", cwd=tmp_path, **settings)[0] == 0
    newest = max(str(path.relative_to(tmp_path)) for path in (tmp_path / "heads").iterdir())
    assert (tmp_path / newest).read_bytes() == (tmp_path / "by-hand").read_bytes()
    assert processes.run("verify", "--offline", "--heads", newest, cwd=tmp_path, **settings)[0] == 0
    connection = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    for statement in CUT_NEWEST:
        connection.execute(statement)
    connection.close()
    assert processes.run("verify", "--offline", cwd=tmp_path, **settings)[0] == 0
    code, said = processes.run("verify", "--offline", "--heads", newest, cwd=tmp_path, **settings)
    assert code == 1
    assert "exported head" in said


CUT_NEWEST = (
    "DROP TRIGGER transactions_no_delete",
    "DROP TRIGGER entries_no_delete",
    "DELETE FROM entries WHERE transaction_id = (SELECT last_transaction_id FROM accounts)",
    "DELETE FROM lots WHERE amount = 7",
    """UPDATE accounts SET version = 1, balance = 5, last_hash = (SELECT hash FROM transactions WHERE version = 1),
       last_transaction_id = (SELECT transaction_id FROM transactions WHERE version = 1)""",
    "DELETE FROM transactions WHERE version = 2",
)


def test_programs_are_answered_about_the_database_too(billing, tmp_path):
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path / 'ledger.db'}", "BILLING_API_KEY_PEPPER": PEPPER}

    def answer(*arguments, code=0):
        result = billing(*arguments, "--json", **settings)
        assert result.exit_code == code, result.output + result.stderr
        return json.loads(result.stdout)

    assert answer("migrate") == {"database": "sqlite", "schema_is_newest": True}
    made = answer("keys", "create", "ops", "--scope", "admin", "--offline")
    assert made["api_key"]["scopes"] == ["admin"]
    assert made["secret"].split("_")[1] == made["api_key"]["key_id"]
    assert answer("verify", "--offline")["differences"] == []
    assert answer("heads", tmp_path / "heads")["accounts"] == 0
    copied = answer("backup", tmp_path / "copy.db")
    assert (copied["contents"]["counts"]["api_keys"], "proven" in copied) == (1, False)
    assert answer("backup", tmp_path / "copy.db", "--verify")["proven"] == {
        "accounts": 0,
        "transactions": 0,
        "entries": 0,
    }
    settings["DATABASE_URL"] = f"sqlite:///{tmp_path / 'restored.db'}"
    restored = answer("restore", tmp_path / "copy.db")
    assert (restored["sha256"], restored["restored_to"]) == (copied["sha256"], str(tmp_path / "restored.db"))
    assert answer("health", "--address", "127.0.0.1:9", code=1) == {"address": "127.0.0.1:9", "serving": False}


IN_USE = """
import sys
from billing_service.cli.app import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    print(end.code, *sorted({"sqlalchemy", "alembic", "stripe", "asyncpg"} & sys.modules.keys()))
"""


@pytest.mark.parametrize(
    "command", [["verify", "--offline"], ["heads", "new"], ["keys", "create", "ops", "--scope", "admin", "--offline"]]
)
def test_a_file_in_use_is_told_before_anything_is_loaded_that_takes_its_time(processes, tmp_path, command):
    """On a busy machine what a database needs takes seconds to load."""
    serving = processes.start("serve", cwd=tmp_path, **service_settings())
    serving.read_until("serving")
    plain = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    settings = {"DATABASE_URL": "sqlite:///ledger.db", "BILLING_API_KEY_PEPPER": PEPPER}
    arguments = [sys.executable, "-c", IN_USE, *command]
    asked = subprocess.run(arguments, cwd=tmp_path, env=plain | settings, capture_output=True, text=True, check=False)
    assert asked.stdout == "1\n", asked.stderr
    assert asked.stderr.startswith("ledger.db is in use by another process")
    assert serving.stop() == 0
