"""With a proxy in every variable, nothing that stays on this machine goes through it: everything running, and every
command."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest
import typer

from billing_service.cli.app import app
from tests.cli.cli_running import FREE_PORTS, Processes, address_in, sandbox_in, service_settings
from tests.support.recording_proxy import NAMES, recording_proxy

TESTS = Path(__file__).parents[1]
HAND_CARD = Path(__file__).parents[1] / "support" / "rate_card_by_hand.json"
CALLS = (
    ("health",),
    ("accounts", "create", "{account}", "--email", "ada@example.com"),
    ("accounts", "list"),
    ("accounts", "show", "{account}"),
    ("accounts", "update", "{account}", "--name", "Ada"),
    ("accounts", "freeze", "{account}", "--reason", "x"),
    ("accounts", "thaw", "{account}", "--reason", "x"),
    ("accounts", "overdraft", "{account}", "2", "--reason", "x"),
    ("grant", "{account}", "5", "--reason", "x"),
    ("adjust", "{account}", "-1", "--reason", "x"),
    ("balance", "{account}"),
    ("watch", "{account}", "--count", "1"),
    ("transactions", "{account}"),
    ("referral", "{account}"),
    ("packages",),
    ("purchases", "create", "{account}", "--package", "starter"),
    ("purchases", "list", "{account}"),
    ("purchases", "show", "{purchase}"),
    ("refund", "{purchase}", "--quote"),
    ("refunds", "list", "{account}"),
    ("refunds", "show", "ref_none"),
    ("reverse", "{account}", "{transaction}", "--reason", "x"),
    ("purchases", "cancel", "{purchase}"),
    ("events", "list"),
    ("events", "show", "{event}"),
    ("events", "replay", "{event}"),
    ("audit",),
    ("receipt", "{account}", "{transaction}"),
    ("limits", "set", "{account}", "5", "--window", "day"),
    ("limits", "list", "{account}"),
    ("purchases", "all"),
    ("events", "undelivered"),
    ("events", "redeliver"),
    ("events", "tail", "--oldest", "--count", "1"),
    ("reconcile", "--since", "1h"),
    ("explain", "{purchase}"),
    ("limits", "remove", "{account}", "--window", "day"),
    ("holds", "list", "{account}"),
    ("holds", "show", "{account}", "hold_none"),
    ("holds", "release", "{account}", "hold_none"),
    ("verify",),
    ("keys", "create", "metering", "--scope", "deduct"),
    ("keys", "list"),
    ("keys", "revoke", "{key}"),
    ("rates", "quote", "--provider", "openai", "--model", "gpt-5", "--input-tokens", "1000"),
    ("rates", "create", str(HAND_CARD)),
    ("rates", "list"),
    ("rates", "show"),
    ("rates", "diff", str(HAND_CARD)),
    ("rates", "rerate", "--to", "hand-1", "--since", "1d"),
)
"""In this order; each must succeed, or be refused by the service where that is all it can. What a command's output
names is there for those after it."""
PRICE_MAP = Path(__file__).parents[1] / "rate_import" / "litellm_sample.json"
OFFLINE = (
    ("migrate",),
    ("keys", "create", "ops", "--scope", "admin", "--offline"),
    ("verify", "--offline"),
    ("heads", "heads.json"),
    ("backup", "copy.db"),
    ("restore", "copy.db"),
    ("rates", "check", "built_in"),
    ("rates", "explain", "built_in", "--provider", "openai", "--model", "gpt-4o"),
    ("rates", "compare", "built_in", "built_in"),
    ("rates", "import", "litellm", "--map", str(PRICE_MAP)),
)
AFTERWARDS = (("deployment", "show"), ("deployment", "renew", "--yes"))
"""Need a database that a service has started on."""
REFUSED = {
    "refund": "PURCHASE_NOT_REFUNDABLE",
    "refunds show": "REFUND_NOT_FOUND",
    "reverse": "TRANSACTION_NOT_REVERSIBLE",
    "receipt": "INVALID_FIELD",
    "holds show": "HOLD_NOT_FOUND",
    "holds release": "HOLD_NOT_FOUND",
}
"""Nobody paid or spent here; the service says so."""
NAMED = {"transaction": r"txn_\w+", "purchase": r"pur_\w+", "event": r"evt_\w+", "key": r"(?<=bill_)[a-z0-9]+"}
PROCESSES = ("dev", "demo", "serve", "gateway", "sandbox")


@pytest.fixture(scope="module")
def proxy():
    with recording_proxy() as running:
        yield running


@pytest.fixture(scope="module")
def everything(proxy, tmp_path_factory):
    """`billing dev` with API keys, behind the proxy: what a command needs to reach it, and the sandbox's address."""
    with Processes() as started:
        process = started.start(
            "dev", cwd=tmp_path_factory.mktemp("dev"), **FREE_PORTS | {"BILLING_AUTH": "keys"} | proxy.environment()
        )
        panel = process.read_until("Ctrl-C")
        key = re.search(r"bill_\w+", panel)[0]
        yield {
            "BILLING_ADDRESS": address_in(panel),
            "BILLING_API_KEY": key,
            "SANDBOX_URL": sandbox_in(panel),
        } | proxy.environment()
        assert process.stop() == 0


def commands():
    """Every command that there is, as the words that call it."""

    def leaves(command, path=()):
        if not hasattr(command, "commands"):
            return {path}
        return set().union(*(leaves(child, (*path, name)) for name, child in command.commands.items()))

    return leaves(typer.main.get_command(app))


def test_every_command_is_tried_here():
    tried = {
        arguments[:length]
        for arguments in (*CALLS, *OFFLINE, *AFTERWARDS, *((each,) for each in PROCESSES))
        for length in (1, 2)
    }
    assert commands() - tried == set()


def test_the_story_is_told_against_what_runs(everything, proxy, tmp_path):
    with Processes() as started:
        code, said = started.run("demo", cwd=tmp_path, **everything)
    assert (code, proxy.asked) == (0, []), said


def test_every_call_of_an_operator_succeeds(everything, proxy, billing):
    known = {"account": "ada-behind-a-proxy"}
    for words in CALLS:
        result = billing(*(word.format(**known) for word in words), **everything)
        reason = REFUSED.get(words[0]) or REFUSED.get(" ".join(words[:2]))
        assert result.exit_code == (reason is not None), f"{words}: {result.output}{result.stderr}"
        assert result.stderr.startswith(reason or ""), words
        for name, pattern in NAMED.items():
            if found := re.search(pattern, result.stdout):
                known.setdefault(name, found[0])
    assert proxy.asked == []


def test_the_story_brings_its_own_stack(proxy, tmp_path):
    with Processes() as started:
        nobody = {"BILLING_ADDRESS": "127.0.0.1:9", "SANDBOX_URL": "http://127.0.0.1:9"}
        code, said = started.run("demo", "--own", cwd=tmp_path, **nobody | proxy.environment())
    assert (code, proxy.asked) == (0, []), said


def test_what_works_without_the_service_asks_nobody(proxy, billing):
    settings = service_settings() | proxy.environment()
    for words in OFFLINE:
        result = billing(
            *words, **settings | ({"DATABASE_URL": "sqlite:///restored.db"} if words[0] == "restore" else {})
        )
        assert result.exit_code == 0, f"{words}: {result.output}{result.stderr}"
    assert proxy.asked == []


def test_each_process_by_itself_reaches_the_others(proxy, tmp_path):
    behind = proxy.environment()
    with Processes() as started:
        sandbox = started.start("sandbox", "--port", "0", cwd=tmp_path, **behind)
        sandbox_url = re.search(r"http://127\.0\.0\.1:\d+", sandbox.read_until("http://"))[0]
        service = started.start("serve", cwd=tmp_path, **service_settings(STRIPE_API_BASE=sandbox_url) | behind)
        address = address_in(service.read_until('"serving"'))
        settings = service_settings() | {"BILLING_ADDRESS": address, "GATEWAY_PORT": "0"} | behind
        gateway = started.start(
            "gateway", cwd=tmp_path, **{name: value for name, value in settings.items() if name != "BILLING_LISTEN"}
        )
        gateway_url = re.search(r"http://127\.0\.0\.1:\d+", gateway.read_until("listening"))[0]
        with build_opener(ProxyHandler({})).open(f"{gateway_url}/healthz", timeout=20) as page:
            assert page.status == 200, "the gateway did not reach the service"
        code, said = started.run(
            "purchases", "create", "ada", "--package", "starter", cwd=tmp_path, BILLING_ADDRESS=address, **behind
        )
        assert code == 0, f"the service did not reach the sandbox: {said}"
        assert [process.stop() for process in (gateway, service, sandbox)] == [0, 0, 0]
        for words in AFTERWARDS:
            code, said = started.run(*words, cwd=tmp_path, **settings)
            assert code == 0, f"{words}: {said}"
    assert proxy.asked == []


def test_beyond_this_machine_the_proxy_is_used_and_named(proxy, billing):
    """It knows no way there, and answers 502."""
    elsewhere = {"BILLING_ADDRESS": "billing.test:443", "BILLING_API_KEY": "bill_canary"} | proxy.environment()
    health = billing("health", **elsewhere)
    assert health.exit_code == 1
    assert health.stderr.startswith(
        f"NOT SERVING: nothing was sent, billing.test:443 can't be reached through proxy {proxy.url}: "
    )
    asked = billing("balance", "ada", **elsewhere)
    assert asked.exit_code == 1
    assert asked.stderr.startswith(
        f"UNAVAILABLE: nothing was sent, billing.test:443 can't be reached through proxy {proxy.url}: "
    )
    assert {each.line for each in proxy.asked} == {"CONNECT billing.test:443 HTTP/1.1"}
    assert "canary" not in f"{asked.stderr} {proxy.asked}"
    proxy.asked.clear()


def test_these_tests_run_behind_a_proxy_too(tmp_path):
    """Both HTTP and gRPC: a purchase through sandbox, gateway and service in a test's own process."""
    test = f"{TESTS}/end_to_end/test_called_off.py::test_a_canceled_purchase_has_no_open_page[sqlite]"
    with recording_proxy() as proxy:
        given = dict.fromkeys(NAMES, proxy.url)
        environment = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"} | given
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--basetemp",
            tmp_path / "base",
            test,
        ]
        run = subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, proxy.asked) == (0, []), run.stdout
