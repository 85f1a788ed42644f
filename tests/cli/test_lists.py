"""Lists never end in silence: when there is more than is shown, a last line on standard error says so, also beside
JSON."""

import json
from pathlib import Path

import pytest
import typer
from billing_client import BillingClient, Deduction

from billing_service.cli.app import app
from tests.cli.terminals import in_a_terminal, lines_of
from tests.support.rate_card_examples import card_file

FOR_PROGRAMS = {"dev", "demo", "serve", "gateway", "sandbox"}
"""Commands that run, and answer nothing."""
LISTS = {
    "accounts list": (),
    "transactions": ("{account}",),
    "purchases list": ("{account}",),
    "purchases all": (),
    "refunds list": ("{account}",),
    "holds list": ("{account}",),
    "limits list": ("{account}",),
    "packages": (),
    "events list": (),
    "audit": ("--account", "{account}"),
    "rates list": (),
    "keys list": (),
}

ELSEWHERE = {"events undelivered"}
"""Needs a backend that takes nothing, which no service of these tests has. It ends by the same function."""


def commands(group=None, names=()):
    """Every command with its name as it is typed."""
    group = typer.main.get_command(app) if group is None else group
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*names, name))
        else:
            yield " ".join((*names, name)), command


def options(command):
    return {option for parameter in command.params for option in parameter.opts}


COMMANDS = dict(commands())


def test_every_list_has_an_extent():
    assert {name for name, command in COMMANDS.items() if "--limit" in options(command)} == set(LISTS) | ELSEWHERE
    assert {name for name in COMMANDS if name.endswith(" list")} <= set(LISTS)
    assert all({"--all", "--json"} <= options(COMMANDS[name]) for name in (*LISTS, *ELSEWHERE))


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - FOR_PROGRAMS))
def test_every_command_answers_programs_too(name):
    assert "--json" in options(COMMANDS[name])


@pytest.fixture
def filled(operate, buy, dev_stack):
    """The name of an account with two and more of everything; made once."""
    name = "filled"
    if name in [account["account_id"] for account in json.loads(operate("accounts", "list", "--all", "--json"))]:
        return name
    for number in range(2):
        purchase = buy(name, "--package", "starter")
        operate("refund", purchase, "--amount", "1")
        with BillingClient(dev_stack[0], plaintext=True) as client:
            client.hold_credits(account_id=name, amount_microcredits=1_000_000)
        operate("limits", "set", name, "100", "--window", "day", "--spender", f"agent-{number}")
        operate("keys", "create", f"caller-{number}", "--scope", "read")
        Path(f"card-{number}.json").write_bytes(card_file(f"card-{number}"))
        operate("rates", "create", f"card-{number}.json")
        operate("grant", f"other-{number}", "1", "--reason", "gift")
    return name


def typed(name, account, *more):
    return [*name.split(), *(word.format(account=account) for word in LISTS[name]), *more]


@pytest.mark.parametrize("as_json", [False, True], ids=["table", "json"])
@pytest.mark.parametrize("name", LISTS)
def test_a_list_says_when_it_ends_early(billing, dev_stack, filled, name, as_json):
    how = ["--json"] if as_json else []

    def run(*more):
        result = billing(*typed(name, filled, *more, *how), BILLING_ADDRESS=dev_stack[0])
        assert result.exit_code == 0, result.output
        return result.stdout, result.stderr

    cut, said = run("--limit", "1")
    assert said == "1 shown; more exist: --limit N or --all\n"
    whole, silence = run("--all")
    assert silence == ""
    if as_json:
        everything = json.loads(whole)
        assert json.loads(cut) == everything[:1]
        rows = len(everything)
    else:
        rows = len(whole.splitlines()) - 2
        assert len(cut.splitlines()) == 3
    assert rows >= 2
    exactly, silence = run("--limit", str(rows))
    assert (exactly, silence) == (whole, ""), "a list that is shown to its end says nothing more"
    assert run("--limit", str(rows - 1))[1] == f"{rows - 1} shown; more exist: --limit N or --all\n"


@pytest.mark.parametrize("name", LISTS)
def test_two_extents_are_refused(billing, dev_stack, filled, name):
    result = billing(*typed(name, filled, "--limit", "1", "--all"), BILLING_ADDRESS=dev_stack[0])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "give --limit or --all, one of the two\n"


def test_more_pages_than_one_are_read(operate, dev_stack, account):
    """The service gives at most 1,000 rows at once."""
    operate("grant", account, "2000", "--reason", "much")
    with BillingClient(dev_stack[0]) as client:
        for _ in range(2):
            client.batch_deduct_credits(
                deductions=[Deduction(account_id=account, amount_microcredits=1_000_000) for _ in range(600)]
            )
    assert len(json.loads(operate("transactions", account, "--all", "--json"))) == 1201
    assert len(json.loads(operate("transactions", account, "--limit", "1100", "--json"))) == 1100
    assert len(json.loads(operate("transactions", account, "--json"))) == 50


def test_an_empty_list_is_an_empty_list(operate, account):
    assert json.loads(operate("refunds", "list", account, "--json")) == []
    assert operate("refunds", "list", account) == f"Refunds of {account}: none\n"


def test_who_owes_is_found(operate, dev_stack, account):
    operate("accounts", "overdraft", account, "10", "--reason", "trusted")
    operate("adjust", account, "5", "--reason", "start")
    before = json.loads(operate("accounts", "list", "--owing", "--all", "--json"))
    assert account not in [each["account_id"] for each in before]
    with BillingClient(dev_stack[0]) as client:
        client.deduct_credits(account_id=account, amount_microcredits=7_500_000)
    (owing,) = [
        each
        for each in json.loads(operate("accounts", "list", "--owing", "--all", "--json"))
        if each["account_id"] == account
    ]
    assert (owing["balance_microcredits"], owing["debt_microcredits"]) == ("-2500000", "2500000")
    assert "-2.5" in operate("accounts", "list", "--owing")


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("name", ["transactions", "refunds list"])
def test_on_a_real_terminal_ids_are_whole(operate, dev_stack, filled, name, columns):
    ids = {
        row.get("transaction_id") or row["refund_id"]
        for row in json.loads(operate(*typed(name, filled, "--all", "--json")))
    }
    lines = lines_of(in_a_terminal(columns, *typed(name, filled, "--all"), BILLING_ADDRESS=dev_stack[0]))
    assert all(len(line) <= columns for line in lines)
    assert ids <= {word for line in lines for word in line.split()}
    assert any(line.startswith("    ") for line in lines) is (columns == 80)
