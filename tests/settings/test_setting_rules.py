"""One rule for service and gateway: what is a placeholder, and which names are near misses of settings."""

import secrets
import string

import pytest
from billing_client.setting_rules import (
    GATEWAY_NAMES,
    NAMES_IN_SHARED_ENVIRONMENTS,
    check_webhook_secrets,
    meant_name,
    unread_names,
    weakness,
)
from hypothesis import given
from hypothesis import strategies as st

from billing_service.settings.model import known_names
from webhook_gateway.settings import GatewaySettings

TEST, LIVE, WEBHOOK = "sk_" + "test_", "sk_" + "live_", "whsec_"
PLACEHOLDERS = [
    WEBHOOK + "placeholder",
    WEBHOOK + "X" * 32,
    WEBHOOK + "x" * 8 + "1234",
    WEBHOOK + "0" * 32,
    WEBHOOK + "...",
    WEBHOOK + "your_webhook_signing_secret",
    WEBHOOK + "test_secret",
    WEBHOOK + "testsecret123",
    WEBHOOK + "1234567890",
    WEBHOOK + "<secret>",
    TEST + "x" * 3,
    TEST + "...",
    TEST + "YOUR_KEY_HERE",
    TEST + "your-stripe-secret-key",
    TEST + "123",
    TEST + "51" + "x" * 20,
    LIVE + "****************AbCd",
    LIVE + "\N{HORIZONTAL ELLIPSIS}AbCd",
    "rk_" + "test_" + "replace_me",
    "YOUR_STRIPE_KEY_HERE",
    "YOUR_SECRET_HERE",
    "<your-key>",
    "<stripe webhook secret>".replace(" ", "-"),
    "changeme",
    "CHANGE_ME",
    "change-this-to-a-long-random-text",
    "replace-with-32-random-characters",
    "insert-your-pepper-here",
    "todo",
    "none",
    "undefined",
    "$STRIPE_SECRET_KEY",
    "${STRIPE_SECRET_KEY}",
    "{{ stripe.key }}".replace(" ", ""),
    "%STRIPE_SECRET_KEY%",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "f" * 7 + "0" * 8 + "a1b2c3d4e5f60718293a4b5c",
]
BLANKS = [
    "<your key>",
    f"{WEBHOOK}abc def",
    "correct horse battery staple of this deployment",
    "tab\there",
    "line\nbreak",
]
REAL = [
    "",
    WEBHOOK,
    TEST,
    TEST + "sandbox",
    WEBHOOK + "sandbox-secret-0123456789",
    "pepper-0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "9" + "5807" * 10,
]


@pytest.mark.parametrize("secret", PLACEHOLDERS)
def test_placeholders_are_weak(secret):
    assert weakness(secret) == "is a placeholder; put the real secret in its place"


@pytest.mark.parametrize("secret", BLANKS)
def test_a_blank_inside_is_weak(secret):
    assert weakness(secret) == "has a blank inside"


@pytest.mark.parametrize("secret", REAL)
def test_what_may_be_real_is_not_weak(secret):
    assert weakness(secret) is None


@given(
    st.sampled_from([LIVE, TEST, WEBHOOK, ""]),
    st.sampled_from(
        [string.ascii_letters + string.digits, string.hexdigits[:16], string.ascii_letters + string.digits + "+/=_-"]
    ),
    st.integers(32, 99),
)
def test_a_secret_that_was_drawn_by_lot_is_not_weak(prefix, alphabet, length):
    assert weakness(prefix + "".join(secrets.choice(alphabet) for _ in range(length))) is None


@given(st.text(max_size=200))
def test_every_text_has_an_answer(secret):
    assert weakness(secret) in {None, "has a blank inside", "is a placeholder; put the real secret in its place"}


def test_a_long_text_is_judged_at_once():
    """No pattern takes more than a pass or two over it."""
    for text in ("test" * 5_000 + "!", "1" * 20_000 + "z", "<" * 20_000, "${" * 10_000, "." * 20_000):
        weakness(text)


@pytest.mark.parametrize(
    ("given_secrets", "words"),
    [
        ([], "at least one"),
        ([""], "begin with whsec_"),
        ([WEBHOOK + "short"], "16 characters"),
        ([TEST + "sandbox-0123456789"], "begin with whsec_"),
        ([WEBHOOK + "sandbox-\N{LATIN SMALL LETTER E WITH ACUTE}-0123456789"], "begin with whsec_"),
        ([WEBHOOK + "sandbox-0123456789"] * 2, "twice"),
        ([WEBHOOK + "sandbox-0123456789", WEBHOOK + "placeholder"], "placeholder"),
    ],
)
def test_webhook_secrets_that_do_not_do(given_secrets, words):
    with pytest.raises(ValueError, match=words) as caught:
        check_webhook_secrets(given_secrets)
    assert not any(secret and secret in str(caught.value) for secret in given_secrets)


NEAR_MISSES = [
    ("STRIPE_WEBHOOK_SECRETS", "STRIPE_WEBHOOK_SECRET"),
    ("STRIPE_SECERT_KEY", "STRIPE_SECRET_KEY"),
    ("STRIPE_APIKEY", "STRIPE_API_KEY"),
    ("STRIPE_KEY", "STRIPE_SECRET_KEY"),
    ("STRIPE_ENDPOINT_SECRET", "STRIPE_WEBHOOK_SECRET"),
    ("DATABASE_URI", "DATABASE_URL"),
    ("DATABASE_DSN", "DATABASE_URL"),
    ("GATEWAY_PROT", "GATEWAY_PORT"),
    ("BILLING_ADRESS", "BILLING_ADDRESS"),
]


@pytest.mark.parametrize(("name", "meant"), NEAR_MISSES)
def test_near_misses_are_hinted_at(name, meant):
    assert unread_names([name, "HOME"]) == {name: meant}


@pytest.mark.parametrize(
    "name",
    [
        "STRIPE_PUBLISHABLE_KEY",
        "STRIPE_ACCOUNT",
        "DATABASE_POOL_SIZE",
        "DATABASE_PASSWORD",
        "GATEWAY_TIMEOUT",
        "stripe_key",
        "DB",
    ],
)
def test_names_of_others_are_left_alone(name):
    assert unread_names([name]) == {}


def test_nearest_is_meant():
    assert meant_name("GATEWAY_PATH", GATEWAY_NAMES) == "GATEWAY_PATHS"
    assert meant_name("GATEWAY_PATH", []) is None


def test_no_setting_is_taken_for_another():
    assert unread_names([*NAMES_IN_SHARED_ENVIRONMENTS, *known_names()], known_names()) == {}
    assert unread_names(known_names()) == {}, "the gateway, which does not know the service's own"


def test_the_names_are_those_that_are_read():
    of_gateway = {name.upper() for name in GatewaySettings.model_fields}
    assert {name for name in of_gateway if name.startswith("GATEWAY_")} == GATEWAY_NAMES
    alone = {"FRONTEND_URL", "HTTPS_PROXY", "NO_PROXY"}
    assert (
        of_gateway | {name for name in known_names() if not name.startswith("BILLING_")} - alone
        == NAMES_IN_SHARED_ENVIRONMENTS
    )
