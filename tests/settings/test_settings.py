"""What settings are, once they have loaded."""

from pathlib import Path

import pytest

from billing_service.domain.access.api_keys import Scope
from billing_service.domain.catalogue.packages import CustomAmounts
from billing_service.settings import SettingsInvalid, load_settings
from billing_service.settings.loading import hints
from billing_service.settings.model import known_names
from billing_service.settings.table import settings_table
from tests.settings.settings_examples import (
    CANARY,
    GOOD,
    LIVE,
    LIVE_KEY,
    PEPPER,
    SECRET_1,
    SECRET_2,
    TEST_KEY,
    THIS_FILE,
    TLS,
)


def test_one_key_under_two_names_is_one_setting():
    for names in (["STRIPE_SECRET_KEY"], ["STRIPE_API_KEY"], ["STRIPE_SECRET_KEY", "STRIPE_API_KEY"]):
        settings = load_settings(GOOD | {"STRIPE_SECRET_KEY": ""} | dict.fromkeys(names, TEST_KEY))
        assert settings.stripe_secret_key.get_secret_value() == TEST_KEY, names
    live = load_settings(GOOD | LIVE | {"STRIPE_SECRET_KEY": "", "STRIPE_API_KEY": LIVE_KEY})
    assert live.stripe_livemode


def test_webhook_secrets_under_two_names_are_several_secrets():
    both = load_settings(GOOD | {"STRIPE_WEBHOOK_SECRET_CREDITS": f"{SECRET_2}, {SECRET_1}"})
    assert both.stripe_webhook_secrets == (SECRET_1, SECRET_2)
    assert load_settings(
        GOOD | {"STRIPE_WEBHOOK_SECRET": "", "STRIPE_WEBHOOK_SECRET_CREDITS": SECRET_2}
    ).stripe_webhook_secrets == (SECRET_2,)


def test_a_name_that_is_not_read_is_hinted_at_where_something_is_wrong():
    renamed = {
        "STRIPE_KEY": TEST_KEY,
        "STRIPE_WEBHOOK_SECRET": SECRET_1,
        "BILLING_API_KEY_PEPPER": PEPPER,
        "STRIPE_ACCOUNT": CANARY,
    }
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(renamed)
    assert caught.value.problems == [
        "STRIPE_SECRET_KEY: is required",
        "STRIPE_KEY: is not read; did you mean STRIPE_SECRET_KEY?",
    ]
    assert hints(GOOD | {"GATEWAY_PROT": "1", "DATABASE_URI": CANARY, "PATH": "/"}) == [
        "DATABASE_URI: is not read; did you mean DATABASE_URL?",
        "GATEWAY_PROT: is not read; did you mean GATEWAY_PORT?",
    ]


def test_others_settings_in_the_same_environment_are_left_alone():
    load_settings(
        GOOD
        | {
            "BILLING_ADDRESS": "x",
            "BILLING_API_KEY": "y",
            "BILLING_TEST_DATABASE_URL": "z",
            "GATEWAY_PORT": "1",
            "PATH": "/",
        }
    )


def test_defaults():
    settings = load_settings(GOOD)
    assert settings.database_url.get_secret_value() == "sqlite:///var/billing.db"
    assert (settings.listen, settings.auth, settings.reflection, settings.allow_plaintext) == (
        "127.0.0.1:50051",
        "keys",
        False,
        False,
    )
    assert (settings.stripe_livemode, settings.stripe_webhook_secrets, settings.database_kind) == (
        False,
        (SECRET_1,),
        "sqlite",
    )
    assert settings.success_url == "http://127.0.0.1:8080/billing/success?session_id={CHECKOUT_SESSION_ID}"
    assert (settings.referral_bonus_credits, settings.batch_operations_max) == (1000, 512)
    assert settings.stated_amounts.custom_amounts("usd") == CustomAmounts(100, 1_000_000, 1_000_000)
    assert settings.stated_amounts.referral_minimum("usd") == 1_000


def test_customers_return_to_the_gateway_where_no_application_is_named():
    for port, url in (
        ("8081", "http://127.0.0.1:8081"),
        ("0", "http://127.0.0.1:8080"),
        ("x", "http://127.0.0.1:8080"),
    ):
        assert load_settings(GOOD | {"GATEWAY_PORT": port}).frontend_url == url
    named = load_settings(GOOD | {"GATEWAY_PORT": "8081", "FRONTEND_URL": "https://app.example.com"})
    assert named.frontend_url == "https://app.example.com"


def test_a_live_deployment():
    settings = load_settings(
        GOOD
        | LIVE
        | TLS
        | {
            "STRIPE_WEBHOOK_SECRET": f" {SECRET_1} ,{SECRET_2}",
            "DATABASE_URL": f"postgresql+asyncpg://billing:{CANARY}@db.internal:5432/billing",
            "BILLING_LISTEN": "[::]:443",
            "BILLING_TLS_CLIENT_CA_FILE": THIS_FILE,
            "BILLING_TLS_CALLERS": "gateway.internal=webhook, metering=read+deduct",
            "BILLING_METRICS_ADDRESS": "127.0.0.1:9090",
        }
    )
    assert settings.stripe_livemode
    assert settings.stripe_webhook_secrets == (SECRET_1, SECRET_2)
    assert settings.database_kind == "postgresql"
    assert settings.database.password == CANARY
    assert settings.certificate_callers == {"gateway.internal": {Scope.WEBHOOK}, "metering": {Scope.READ, Scope.DEDUCT}}
    assert settings.metrics_host_port == ("127.0.0.1", 9090)


@pytest.mark.parametrize("name", ["sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile"])
def test_files_of_the_database_url_must_be_there(name, tmp_path):
    url = f"postgresql://u:{CANARY}@h/d?{name}="
    load_settings(GOOD | {"DATABASE_URL": url + THIS_FILE})
    for missing in (tmp_path / "missing", tmp_path):
        with pytest.raises(SettingsInvalid) as caught:
            load_settings(GOOD | {"DATABASE_URL": f"{url}{missing}"})
        assert caught.value.problems == [f"DATABASE_URL: {name}: there is no such file"]


def test_operating_needs_no_stripe():
    assert load_settings({}, purpose="operate").database_kind == "sqlite"
    with pytest.raises(SettingsInvalid) as caught:
        load_settings({})
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "STRIPE_SECRET_KEY",
        "STRIPE_WEBHOOK_SECRET",
        "BILLING_API_KEY_PEPPER",
    ]


def test_page_tokens_are_signed_with_what_all_processes_share():
    assert load_settings(GOOD).page_token_key == load_settings(GOOD).page_token_key
    assert (
        load_settings(GOOD).page_token_key
        != load_settings(GOOD | {"BILLING_API_KEY_PEPPER": PEPPER + "x"}).page_token_key
    )
    alone = {name: value for name, value in GOOD.items() if name != "BILLING_API_KEY_PEPPER"} | {"BILLING_AUTH": "off"}
    assert load_settings(alone).page_token_key != load_settings(alone).page_token_key
    own = GOOD | {"BILLING_PAGE_TOKEN_SECRET": PEPPER[::-1]}
    assert load_settings(own).page_token_key == PEPPER[::-1].encode()


def test_no_secret_is_shown():
    settings = load_settings(
        GOOD
        | LIVE
        | {
            "DATABASE_URL": f"postgresql://u:{CANARY}@h/d",
            "BILLING_PAGE_TOKEN_SECRET": PEPPER[::-1],
            "STRIPE_WEBHOOK_SECRET": SECRET_2,
        }
    )
    dumped = f"{settings.model_dump()} {settings.model_dump_json()}"
    shown = f"{settings} {settings!r} {dumped} {vars(settings)} {list(settings)}"
    assert CANARY not in shown
    assert CANARY[::-1] not in shown


def test_the_environment_goes_before_the_file(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text(
        "".join(f"{name}={value}\n" for name, value in GOOD.items()) + "BILLING_GRACE_S=1\nBILLING_LISTEN=127.0.0.1:1\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BILLING_GRACE_S", "2")
    monkeypatch.setenv("BILLING_LISTEN", "")
    settings = load_settings()
    assert (settings.grace_s, settings.listen) == (2.0, "127.0.0.1:1")


def test_the_table_has_every_setting_and_no_machine_paths():
    table = settings_table()
    assert [line.split("`")[1] for line in table.splitlines()[2:]] == known_names()
    assert str(Path.cwd()) not in table
