"""Settings that would be weak or contradict each other refuse to load, name themselves, and show no value."""

import pytest

from billing_service.settings import SettingsInvalid, load_settings
from tests.settings.settings_examples import (
    CANARY,
    EVENT_SECRET,
    GOOD,
    LIVE,
    LIVE_KEY,
    OTHER_KEY,
    PEPPER,
    SECRET_1,
    SECRET_2,
    THIS_FILE,
    TLS,
)

BAD = [
    ({"STRIPE_SECRET_KEY": ""}, "STRIPE_SECRET_KEY"),
    ({"STRIPE_SECRET_KEY": CANARY}, "STRIPE_SECRET_KEY"),
    ({"STRIPE_SECRET_KEY": "pk_" + "test_" + CANARY}, "STRIPE_SECRET_KEY"),
    ({"STRIPE_SECRET_KEY": "sk_" + "test_"}, "STRIPE_SECRET_KEY"),
    ({"STRIPE_SECRET_KEY": "sk_" + "live_" + CANARY, "FRONTEND_URL": "https://x"}, "STRIPE_SECRET_KEY"),
    ({"STRIPE_SECRET_KEY": "sk_" + "test_" + "x" * 3}, "STRIPE_SECRET_KEY"),
    ({"STRIPE_SECRET_KEY": "", "STRIPE_API_KEY": "sk_" + "test_" + "YOUR_KEY_HERE"}, "STRIPE_API_KEY"),
    ({"STRIPE_API_KEY": CANARY}, "STRIPE_API_KEY"),
    ({"STRIPE_API_KEY": OTHER_KEY}, "STRIPE_API_KEY"),
    ({"STRIPE_SECRET_KEY": "", "STRIPE_API_KEY": LIVE_KEY}, "FRONTEND_URL"),
    ({"STRIPE_WEBHOOK_SECRET": ""}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": ","}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": "whsec_"}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": CANARY * 5}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": f"{SECRET_1},"}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": f"{SECRET_1}, {SECRET_1}"}, "STRIPE_WEBHOOK_SECRET"),
    ({**LIVE, "STRIPE_WEBHOOK_SECRET": "whsec_" + CANARY + "1"}, "STRIPE_WEBHOOK_SECRET"),
    ({**LIVE, "STRIPE_WEBHOOK_SECRET_CREDITS": "whsec_" + CANARY + "1"}, "STRIPE_WEBHOOK_SECRET_CREDITS"),
    ({"STRIPE_WEBHOOK_SECRET": "whsec_" + "placeholder"}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET": f"{SECRET_1} {SECRET_2}"}, "STRIPE_WEBHOOK_SECRET"),
    ({"STRIPE_WEBHOOK_SECRET_CREDITS": "<your key>"}, "STRIPE_WEBHOOK_SECRET_CREDITS"),
    ({"STRIPE_WEBHOOK_SECRET_CREDITS": CANARY * 5}, "STRIPE_WEBHOOK_SECRET_CREDITS"),
    ({**LIVE, "STRIPE_API_BASE": "https://api.stripe.example"}, "STRIPE_API_BASE"),
    ({**LIVE, "STRIPE_API_BASE": "http://127.0.0.1:12111"}, "STRIPE_API_BASE"),
    ({"STRIPE_API_BASE": "http://stripe.internal"}, "STRIPE_API_BASE"),
    ({"STRIPE_API_BASE": f"https://user:{CANARY}@host"}, "STRIPE_API_BASE"),
    ({**LIVE, "FRONTEND_URL": "http://app.example.com"}, "FRONTEND_URL"),
    ({"FRONTEND_URL": "app.example.com"}, "FRONTEND_URL"),
    ({"FRONTEND_URL": f"https://x/?{CANARY}"}, "FRONTEND_URL"),
    ({"BILLING_CHECKOUT_SUCCESS_PATH": "//evil.example"}, "BILLING_CHECKOUT_SUCCESS_PATH"),
    ({"BILLING_CHECKOUT_CANCEL_PATH": "billing"}, "BILLING_CHECKOUT_CANCEL_PATH"),
    ({"STRIPE_TIMEOUT_S": "0"}, "STRIPE_TIMEOUT_S"),
    ({"STRIPE_TIMEOUT_S": "15", "BILLING_DEADLINE_DEFAULT_S": "30"}, "STRIPE_TIMEOUT_S"),
    ({"DATABASE_URL": f"mysql://user:{CANARY}@host/db"}, "DATABASE_URL"),
    ({"DATABASE_URL": f"postgresql://user:{CANARY}@host"}, "DATABASE_URL"),
    ({"DATABASE_URL": f"postgresql://user:{CANARY}@host:port/db"}, "DATABASE_URL"),
    ({"DATABASE_URL": "sqlite:///:memory:"}, "DATABASE_URL"),
    ({"DATABASE_URL": ":memory:"}, "DATABASE_URL"),
    ({"DATABASE_URL": "sqlite:///"}, "DATABASE_URL"),
    ({"BILLING_LISTEN": "50051"}, "BILLING_LISTEN"),
    ({"BILLING_LISTEN": "localhost:65536"}, "BILLING_LISTEN"),
    ({"BILLING_LISTEN": "::1:50051"}, "BILLING_LISTEN"),
    ({"BILLING_LISTEN": "0.0.0.0:50051"}, "BILLING_LISTEN"),
    ({"BILLING_LISTEN": "[::]:50051"}, "BILLING_LISTEN"),
    ({"BILLING_AUTH": "of"}, "BILLING_AUTH"),
    ({"BILLING_AUTH": "off", "BILLING_LISTEN": "0.0.0.0:1", "BILLING_ALLOW_PLAINTEXT": "true"}, "BILLING_AUTH"),
    ({"BILLING_API_KEY_PEPPER": ""}, "BILLING_API_KEY_PEPPER"),
    ({"BILLING_API_KEY_PEPPER": CANARY}, "BILLING_API_KEY_PEPPER"),
    ({"BILLING_API_KEY_PEPPER": f"replace me with a random text, {CANARY}"}, "BILLING_API_KEY_PEPPER"),
    ({"BILLING_API_KEY_PEPPER": f"change-me-{CANARY}-0123456789-abcdef"}, "BILLING_API_KEY_PEPPER"),
    ({"BILLING_API_KEY_PEPPER": "ab" * 40}, "BILLING_API_KEY_PEPPER"),
    ({"BILLING_PAGE_TOKEN_SECRET": CANARY}, "BILLING_PAGE_TOKEN_SECRET"),
    ({"BILLING_PAGE_TOKEN_SECRET": f"<{CANARY}-page-token-secret-of-this-deployment>"}, "BILLING_PAGE_TOKEN_SECRET"),
    ({"BILLING_PAGE_TOKEN_SECRET": PEPPER}, "BILLING_PAGE_TOKEN_SECRET"),
    (
        {"DATABASE_URL": "postgresql://h/db", "BILLING_AUTH": "off", "BILLING_API_KEY_PEPPER": ""},
        "BILLING_PAGE_TOKEN_SECRET",
    ),
    ({"BILLING_TLS_CERTIFICATE_FILE": "no/such/file.pem"}, "BILLING_TLS_CERTIFICATE_FILE"),
    ({"BILLING_TLS_CERTIFICATE_FILE": THIS_FILE}, "BILLING_TLS_PRIVATE_KEY_FILE"),
    ({"BILLING_TLS_CLIENT_CA_FILE": THIS_FILE}, "BILLING_TLS_CLIENT_CA_FILE"),
    ({"BILLING_TLS_CALLERS": "web=read", **TLS}, "BILLING_TLS_CALLERS"),
    ({"BILLING_TLS_CALLERS": "web", **TLS, "BILLING_TLS_CLIENT_CA_FILE": THIS_FILE}, "BILLING_TLS_CALLERS"),
    ({"BILLING_TLS_CALLERS": "web=read+fly", **TLS, "BILLING_TLS_CLIENT_CA_FILE": THIS_FILE}, "BILLING_TLS_CALLERS"),
    (
        {"BILLING_TLS_CALLERS": "web=read,web=deduct", **TLS, "BILLING_TLS_CLIENT_CA_FILE": THIS_FILE},
        "BILLING_TLS_CALLERS",
    ),
    ({"BILLING_WEBHOOK_URL": "https://a.example/hook"}, "BILLING_WEBHOOK_SECRETS"),
    ({"BILLING_WEBHOOK_URL": "http://a.example/hook", "BILLING_WEBHOOK_SECRETS": EVENT_SECRET}, "BILLING_WEBHOOK_URL"),
    (
        {"BILLING_WEBHOOK_URL": f"https://{CANARY}@a.example/", "BILLING_WEBHOOK_SECRETS": EVENT_SECRET},
        "BILLING_WEBHOOK_URL",
    ),
    ({"BILLING_WEBHOOK_URL": "ftp://a.example", "BILLING_WEBHOOK_SECRETS": EVENT_SECRET}, "BILLING_WEBHOOK_URL"),
    ({"BILLING_WEBHOOK_SECRETS": f"whsec_{CANARY}"}, "BILLING_WEBHOOK_SECRETS"),
    ({"BILLING_WEBHOOK_SECRETS": EVENT_SECRET.removeprefix("whsec_")}, "BILLING_WEBHOOK_SECRETS"),
    ({"BILLING_WEBHOOK_SECRETS": f"{EVENT_SECRET},{EVENT_SECRET}"}, "BILLING_WEBHOOK_SECRETS"),
    ({"BILLING_WEBHOOK_SECRETS": EVENT_SECRET, "BILLING_WEBHOOK_TIMEOUT_S": "31"}, "BILLING_WEBHOOK_TIMEOUT_S"),
    ({"BILLING_CATALOG_FILE": "no/such/catalog.toml"}, "BILLING_CATALOG_FILE"),
    (
        {"BILLING_CUSTOM_AMOUNT_MIN_MINOR": "500", "BILLING_CUSTOM_AMOUNT_MAX_MINOR": "400"},
        "BILLING_CUSTOM_AMOUNT_MIN_MINOR",
    ),
    ({"BILLING_CUSTOM_AMOUNT_MIN_MINOR": "1000001"}, "BILLING_CUSTOM_AMOUNT_MIN_MINOR"),
    ({"BILLING_CUSTOM_AMOUNT_MAX_MINOR": "99"}, "BILLING_CUSTOM_AMOUNT_MIN_MINOR"),
    ({"BILLING_CUSTOM_AMOUNT_MICROCREDITS_PER_MINOR": "0"}, "BILLING_CUSTOM_AMOUNT_MICROCREDITS_PER_MINOR"),
    ({"BILLING_CUSTOM_AMOUNT_MICROCREDITS_PER_MINOR": "1000000000.5"}, "BILLING_CUSTOM_AMOUNT_MICROCREDITS_PER_MINOR"),
    (
        {"BILLING_CUSTOM_AMOUNT_MICROCREDITS_PER_MINOR": "1000000000", "BILLING_CUSTOM_AMOUNT_MAX_MINOR": "1000001"},
        "BILLING_CUSTOM_AMOUNT_MICROCREDITS_PER_MINOR",
    ),
    ({"BILLING_AMOUNTS_CURRENCY": "USD"}, "BILLING_AMOUNTS_CURRENCY"),
    ({"BILLING_AMOUNTS_CURRENCY": "euro"}, "BILLING_AMOUNTS_CURRENCY"),
    (
        {
            "BILLING_AMOUNTS_CURRENCY": "eur",
            "BILLING_CUSTOM_AMOUNT_MIN_MINOR": "100",
            "BILLING_CUSTOM_AMOUNT_MAX_MINOR": "1000",
        },
        "BILLING_CUSTOM_AMOUNT_MICROCREDITS_PER_MINOR",
    ),
    ({"BILLING_REFERRAL_BONUS_CREDITS": "-1"}, "BILLING_REFERRAL_BONUS_CREDITS"),
    ({"BILLING_REFERRAL_BONUS_CREDITS": "10.5"}, "BILLING_REFERRAL_BONUS_CREDITS"),
    ({"BILLING_BATCH_OPERATIONS_MAX": "0"}, "BILLING_BATCH_OPERATIONS_MAX"),
    ({"BILLING_BATCH_GATHER_MS": "nan"}, "BILLING_BATCH_GATHER_MS"),
    ({"BILLING_IN_FLIGHT_MAX": "many"}, "BILLING_IN_FLIGHT_MAX"),
    ({"BILLING_DEADLINE_DEFAULT_S": "inf"}, "BILLING_DEADLINE_DEFAULT_S"),
    ({"BILLING_MIGRATE_ON_START": "perhaps"}, "BILLING_MIGRATE_ON_START"),
    ({"BILLING_LOG_LEVEL": "LOUD"}, "BILLING_LOG_LEVEL"),
    ({"BILLING_METRICS_ADDRESS": "9090"}, "BILLING_METRICS_ADDRESS"),
    ({"BILLING_METRICS_ADDRESS": "0.0.0.0:9090"}, "BILLING_METRICS_ADDRESS"),
    ({"BILLING_NO_SUCH": CANARY}, "BILLING_NO_SUCH"),
]


@pytest.mark.parametrize(("changes", "named"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_bad_settings_name_themselves_and_show_no_value(changes, named):
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(GOOD | changes)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{named}: ")
    assert CANARY not in f"{caught.value} {caught.value!r} {caught.value.__context__!r} {caught.value.__cause__!r}"


def test_all_problems_are_told_at_once():
    with pytest.raises(SettingsInvalid) as caught:
        load_settings({"BILLING_LISTN": "x", "BILLING_GRACE_S": "-1", "DATABASE_URL": "x"})
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "BILLING_LISTN",
        "DATABASE_URL",
        "BILLING_GRACE_S",
    ]
    assert str(caught.value).count("\n") == 2


@pytest.mark.parametrize(
    ("typed", "meant"), [("BILLING_LISTN", "BILLING_LISTEN"), ("BILLING_INFLIGHT_MAX", "BILLING_IN_FLIGHT_MAX")]
)
def test_a_typing_error_is_told_what_was_meant(typed, meant):
    with pytest.raises(SettingsInvalid, match=f"{typed}: there is no such setting; did you mean {meant}?"):
        load_settings(GOOD | {typed: "x"})
