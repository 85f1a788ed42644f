"""Every command that can't do what it is asked says so in one line, with an exit code and without a secret."""

import ssl

import pytest

from billing_service.cli.dev_settings import Ports, filled_in, needs_sandbox, read_ports
from billing_service.cli.failures import failure_line
from billing_service.settings import SettingsInvalid, load_settings
from tests.cli.cli_running import PEPPER, STRIPE_KEY, WEBHOOK_SECRET, service_settings

LIVE_KEY = "sk_" + "live_" + "canary0123456789012345"
NOBODY = {"BILLING_ADDRESS": "127.0.0.1:9"}
GATEWAY = {"STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET}

REFUSED = [
    (["balance", "ada"], NOBODY, 1, "UNAVAILABLE: nothing was sent, 127.0.0.1:9 can't be reached: "),
    (["health"], NOBODY, 1, "NOT SERVING: nothing was sent, 127.0.0.1:9 can't be reached: "),
    (["balance", "ada", "--address", "no host"], {}, 2, "address must be host:port"),
    (["balance", "ada"], {"BILLING_ADDRESS": "http://127.0.0.1:9"}, 2, "address must be host:port, without http://"),
    (["balance", "ada"], {"BILLING_ADDRESS": "127.0.0.1"}, 2, "address must be host:port"),
    (["balance", "ada"], {"BILLING_CA_FILE": "missing.pem"}, 2, "missing.pem: No such file"),
    (["balance", "ada"], {"BILLING_PLAINTEXT": "perhaps"}, 2, "BILLING_PLAINTEXT must be true or false"),
    (["balance", "ada", "--at", "1h", "--version", "1"], NOBODY, 2, "give one of them"),
    (["grant", "ada", "1.0000001", "--reason", "x"], NOBODY, 2, "no amount of credits"),
    (["transactions", "ada", "--kind", "gift"], NOBODY, 2, "is none of"),
    (["transactions", "ada", "--since", "tomorrow"], NOBODY, 2, "is no time"),
    (["purchases", "create", "ada"], NOBODY, 2, "give --package or --amount"),
    (["accounts", "update", "ada"], NOBODY, 2, "give --email, --name, --metadata, --no-metadata or --low-balance"),
    (["accounts", "update", "ada", "--metadata", "plan"], NOBODY, 2, "is not KEY=VALUE"),
    (["accounts", "update", "ada", "--metadata", "=gold"], NOBODY, 2, "is not KEY=VALUE"),
    (["accounts", "update", "ada", "--metadata", "a=1", "--metadata", "a=2"], NOBODY, 2, "a key is there twice"),
    (["accounts", "update", "ada", "--metadata", "a=1", "--no-metadata"], NOBODY, 2, "one of the two"),
    (["keys", "create", "svc", "--scope", "everything"], NOBODY, 2, "is none of"),
    (["keys", "create", "Not A Name", "--scope", "read"], NOBODY, 2, "CALLER"),
    (["keys", "create", "svc", "--scope", "read", "--offline"], {}, 2, "BILLING_API_KEY_PEPPER: is required"),
    (
        ["keys", "create", "svc", "--scope", "read", "--offline"],
        {"BILLING_API_KEY_PEPPER": PEPPER},
        1,
        "run `billing migrate`",
    ),
    (["keys", "create", "svc", "--scope", "read", "--offline", "--expires", "1d"], {}, 2, "--expires"),
    (["verify", "--offline"], {}, 1, "run `billing migrate`"),
    (["backup", "copy.db"], {}, 1, "there is no database"),
    (["backup", "copy.db", "--verify"], {}, 1, "there is no manifest"),
    (
        ["backup", "copy.db"],
        {"DATABASE_URL": "postgresql://u:canary@host/db"},
        2,
        "pg_dump --format=custom --file=copy.db",
    ),
    (["restore", "copy.db"], {}, 1, "there is no manifest"),
    (
        ["restore", "copy.db"],
        {"DATABASE_URL": "postgresql://u:canary@host/db"},
        2,
        "pg_restore --exit-on-error --single-transaction",
    ),
    (["migrate"], {"DATABASE_URL": "mysql://u:canary@host/db"}, 2, "DATABASE_URL: must be"),
    (
        ["migrate"],
        {"DATABASE_URL": "postgresql://u:canary@/db?host=/no/such/place"},
        1,
        "can't be reached: /no/such/place",
    ),
    (["migrate"], {"DATABASE_URL": "postgresql://u:canary@127.0.0.1:9/db"}, 1, "127.0.0.1:9: Connection refused"),
    (["dev"], {"STRIPE_SECRET_KEY": LIVE_KEY}, 2, "STRIPE_SECRET_KEY: is a live key"),
    (["dev"], {"STRIPE_API_KEY": LIVE_KEY}, 2, "STRIPE_API_KEY: is a live key"),
    (
        ["dev"],
        {"STRIPE_SECRET_KEY": "sk_" + "test_" + "placeholder", "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET},
        2,
        "STRIPE_SECRET_KEY: is a placeholder",
    ),
    (["dev"], {"STRIPE_API_BASE": "http://127.0.0.1:9"}, 2, "STRIPE_API_BASE: needs STRIPE_SECRET_KEY"),
    (["dev"], {"SANDBOX_PORT": "http"}, 2, "SANDBOX_PORT: must be a port"),
    (["dev"], {"GATEWAY_PORT": "65536"}, 2, "GATEWAY_PORT: must be a port"),
    (["dev"], {"BILLING_LOG_LEVEL": "LOUD"}, 2, "BILLING_LOG_LEVEL"),
    (["sandbox", "--port", "0"], {"STRIPE_SECRET_KEY": LIVE_KEY}, 2, "live Stripe key"),
    (["sandbox", "--port", "0"], {"STRIPE_API_KEY": LIVE_KEY}, 2, "live Stripe key"),
    (["sandbox", "--port", "65536"], {}, 2, "argument --port: must be a port from 0 to 65535"),
    (["sandbox", "--port", "-1"], {}, 2, "argument --port: must be a port from 0 to 65535"),
    (["gateway"], {}, 2, "STRIPE_WEBHOOK_SECRET"),
    (["gateway"], GATEWAY | {"BILLING_CA_FILE": "missing.pem"}, 2, "BILLING_CA_FILE: there is no such file"),
    (["gateway"], GATEWAY | {"BILLING_CA_FILE": "."}, 2, "BILLING_CA_FILE: there is no such file"),
    (["gateway"], GATEWAY | {"GATEWAY_HOST": "no-such-host.invalid"}, 1, "the gateway can't listen: "),
    (["demo"], NOBODY, 1, "or let the demo start its own"),
    (["demo"], {"BILLING_ADDRESS": "billing.example:443"}, 2, "only plays on this machine"),
]


@pytest.mark.parametrize(
    ("arguments", "env", "code", "words"), REFUSED, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_refusal_is_said(billing, arguments, env, code, words):
    result = billing(*arguments, **env)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in " ".join(result.stderr.replace("│", " ").split())
    assert "canary" not in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["migrate", "serve", "dev", "gateway", "verify --offline", "balance ada"])
def test_a_file_of_settings_that_is_no_text_is_named(billing, tmp_path, command):
    (tmp_path / ".env").write_bytes(b"BILLING_API_KEY_PEPPER=canary\xff\n")
    result = billing(*command.split())
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", ".env: is not UTF-8\n")


def test_tls_files_without_a_certificate_are_said():
    with pytest.raises(ssl.SSLError) as raised:
        ssl.create_default_context().load_cert_chain(__file__, __file__)
    assert failure_line(raised.value) == "the TLS files can't be used: no certificate in PEM with its private key"


def test_secret_on_the_command_line_is_not_repeated(billing):
    key = "bill_" + "a" * 16 + "_" + "b" * 39
    result = billing("balance", "ada", "--api-key", key, "--address", "127.0.0.1:9")
    assert result.exit_code == 1
    assert key not in result.output


def test_a_programmers_mistake_keeps_its_traceback(billing, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("a defect")

    monkeypatch.setattr("billing_service.storage.migrate.migrate", broken)
    result = billing("migrate")
    assert isinstance(result.exception, RuntimeError)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"DATABASE_URL": "postgresql://u@h/d"},
        {"BILLING_AUTH": "off"},
        {"BILLING_AUTH": "keys"},
        {"BILLING_API_KEY_PEPPER": PEPPER},
        {"FRONTEND_URL": "http://localhost:3000"},
    ],
)
def test_throw_away_settings_are_good_ones(given):
    settings = load_settings(filled_in(given, "http://127.0.0.1:12111", "http://127.0.0.1:8080"))
    assert settings.auth == (
        "keys" if given.get("BILLING_AUTH") == "keys" or "BILLING_API_KEY_PEPPER" in given else "off"
    )
    assert settings.success_url.startswith(given.get("FRONTEND_URL", "http://127.0.0.1:8080/billing/success"))
    assert not settings.stripe_livemode


def test_given_settings_stand_above_throw_away_ones():
    given = service_settings(DATABASE_URL="sqlite:///kept.db")
    filled = filled_in(given, None, "http://127.0.0.1:8080")
    assert {name: filled[name] for name in given} == given
    assert needs_sandbox(given) is False
    assert needs_sandbox({}) is True


def test_throw_away_secrets_are_new_each_time():
    first, second = (filled_in({}, "http://127.0.0.1:1", "http://127.0.0.1:2") for _ in range(2))
    assert not {first[name] for name in ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET")} & set(second.values())


def test_ports_are_read_or_usual():
    assert read_ports({"SANDBOX_PORT": "0"}, sandbox=1, gateway=2) == Ports(sandbox=0, gateway=2)
    with pytest.raises(SettingsInvalid, match="SANDBOX_PORT"):
        read_ports({"SANDBOX_PORT": STRIPE_KEY}, sandbox=1, gateway=2)
