"""Which proxy is on the way to Stripe, and which environments do not start."""

import pytest

from billing_service.settings import SettingsInvalid, load_settings
from tests.settings.settings_examples import GOOD, LIVE

PROXY = "http://user:canary@proxy.example:3128"
UNUSABLE = [
    "socks5://canary@proxy.example:1080",
    "socks5h://proxy.example:1080",
    "proxy.example:3128",
    "http://",
    "http://:3128",
    "http://canary@proxy.example:port",
    "canary",
]


@pytest.mark.parametrize("proxy", UNUSABLE)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_that_stripe_can_not_be_reached_through_does_not_start(name, proxy):
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(GOOD | {name: proxy})
    (problem,) = caught.value.problems
    assert problem.startswith("HTTPS_PROXY: must be http://host:port")
    assert "canary" not in problem


@pytest.mark.parametrize(
    "exemption", [{"STRIPE_API_BASE": "http://127.0.0.1:12111"}, {"NO_PROXY": "api.stripe.com"}, {"no_proxy": "*"}]
)
@pytest.mark.parametrize("proxy", [*UNUSABLE, PROXY])
def test_one_that_is_on_no_way_is_no_matter(proxy, exemption):
    assert load_settings(GOOD | {"HTTPS_PROXY": proxy} | exemption).stripe_proxy is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None),
        ({"HTTP_PROXY": PROXY, "http_proxy": PROXY}, None),
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other:1"}, PROXY),
        ({"HTTPS_PROXY": PROXY, "ALL_PROXY": "http://other:1", "all_proxy": "http://other:2"}, PROXY),
        ({"ALL_PROXY": PROXY}, PROXY),
        ({"HTTPS_PROXY": "https://proxy.example"}, "https://proxy.example"),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "stripe.com"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": ".stripe.com, db.internal"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "API.STRIPE.COM:443"}, None),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "api.stripe.com:8443"}, PROXY),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "pi.stripe.com,stripe.co,127.0.0.1,10.0.0.0/8"}, PROXY),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "stripe.com", "NO_PROXY": "db.internal"}, None),
        ({"HTTPS_PROXY": PROXY, "STRIPE_API_BASE": "https://10.1.2.3", "NO_PROXY": "10.0.0.0/8"}, None),
        ({"HTTPS_PROXY": PROXY, "STRIPE_API_BASE": "http://localhost:1"}, None),
        ({"HTTPS_PROXY": PROXY, "STRIPE_API_BASE": "http://[::1]:1"}, None),
    ],
)
def test_the_proxy_to_stripe(given, expected):
    assert load_settings(GOOD | given).stripe_proxy == expected


def test_beside_a_live_key_it_is_used_too_and_its_password_is_not_shown():
    settings = load_settings(GOOD | LIVE | {"HTTPS_PROXY": PROXY})
    assert settings.stripe_proxy == PROXY
    assert "canary@" not in f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
