"""What is for sale: faults are named by entry, discounts are derived, purchases get a snapshot."""

from dataclasses import replace

import pytest

from billing_service.catalogs import catalog_names, load_catalog
from billing_service.domain.catalogue.package_entries import catalog_from_entries
from billing_service.domain.catalogue.packages import CustomAmounts, PurchaseItem, catalog_of
from billing_service.domain.refusals import Reason, Refusal


def test_a_package_that_is_unknown_or_not_active_is_not_sold():
    catalog = load_catalog()
    retired = catalog_of("usd", {"starter": replace(catalog.packages["starter"], active=False)})
    for shop, code in [(catalog, "nope"), (catalog, ""), (catalog, "STARTER"), (retired, "starter")]:
        with pytest.raises(Refusal) as caught:
            shop.package_item(code)
        assert caught.value.reason is Reason.UNKNOWN_PACKAGE
        assert caught.value.metadata == {"package_code": code}
    assert retired.on_sale == ()


@pytest.mark.parametrize("amount_minor", [-100, 0, 99, 1_000_001])
def test_a_custom_amount_outside_the_limits_is_refused(amount_minor):
    with pytest.raises(Refusal) as caught:
        load_catalog().custom_item(amount_minor, CustomAmounts())
    assert caught.value.reason is Reason.INVALID_FIELD
    assert caught.value.violations == (("custom_amount_minor", "must be from 100 to 1000000"),)


def shop_in(currency, price_minor=1_000):
    return catalog_from_entries(
        {"currency": currency, "packages": [{"code": "a", "name": "A", "credits": 1_000, "price_minor": price_minor}]}
    )


@pytest.mark.parametrize("currency", ["usd", "eur", "inr", "jpy", "krw", "kwd", "isk", "ugx"])
def test_without_amounts_stated_nothing_is_sold_by_amount_and_nothing_is_discounted(currency):
    catalog = shop_in(currency, 500)
    assert catalog.packages["a"].discount_percent(None) == 0
    with pytest.raises(Refusal) as caught:
        catalog.custom_item(1_000, None)
    assert caught.value.metadata == {"field": "custom_amount_minor"}
    assert repr(currency) in caught.value.message


@pytest.mark.parametrize(
    ("currency", "custom", "amount_minor", "sold", "description"),
    [
        ("usd", CustomAmounts(), 1_234, 1_234_000_000, "1,234 credits"),
        ("eur", CustomAmounts(100, 90_000, 1_080_000), 105, 113_400_000, "113.4 credits"),
        ("inr", CustomAmounts(8_500, 8_500_000, 11_765), 8_501, 100_014_265, "100.014265 credits"),
        ("krw", CustomAmounts(1_500, 15_000_000, 71_000), 1_501, 106_571_000, "106.571 credits"),
        ("kwd", CustomAmounts(300, 3_000_000, 325_000), 310, 100_750_000, "100.75 credits"),
        ("isk", CustomAmounts(15_000, 90_000_000, 7_200), 15_100, 108_720_000, "108.72 credits"),
    ],
)
def test_what_an_amount_buys_in_its_currency(currency, custom, amount_minor, sold, description):
    item = shop_in(currency).custom_item(amount_minor, custom)
    assert (item.amount_minor, item.currency, item.credits_microcredits, item.description) == (
        amount_minor,
        currency,
        sold,
        description,
    )


@pytest.mark.parametrize(
    ("currency", "amount_minor", "step"),
    [("kwd", 1_005, 10), ("tnd", 1_001, 10), ("isk", 1_010, 100), ("ugx", 1_099, 100)],
)
def test_a_custom_amount_that_stripe_would_refuse_is_refused(currency, amount_minor, step):
    with pytest.raises(Refusal) as caught:
        shop_in(currency).custom_item(amount_minor, CustomAmounts())
    assert caught.value.violations == (("custom_amount_minor", f"must be a multiple of {step} in {currency!r}"),)


@pytest.mark.parametrize(
    ("price_minor", "rate", "percent"),
    [(1_000, 1_000_000, 0), (900, 1_000_000, 10), (901, 1_000_000, 9), (1_001, 1_000_000, 0)],
)
def test_a_discount_is_held_against_the_list_price(price_minor, rate, percent):
    assert (
        shop_in("usd", price_minor).packages["a"].discount_percent(CustomAmounts(microcredits_per_minor=rate))
        == percent
    )


def test_a_discount_in_a_currency_without_cents():
    assert shop_in("krw", 10_000).packages["a"].discount_percent(CustomAmounts(1, 100, 80_000)) == 20


@pytest.mark.parametrize("currency", ["eur", "USD", "us", " usd"])
def test_another_currency_is_refused(currency):
    with pytest.raises(Refusal) as caught:
        load_catalog().require_currency(currency)
    assert caught.value.reason is Reason.INVALID_FIELD


@pytest.mark.parametrize(("least", "most"), [(0, 10), (-1, 10), (10, 9)])
def test_limits_that_no_amount_can_meet_are_refused(least, most):
    with pytest.raises(ValueError, match="limits"):
        CustomAmounts(least, most)


@pytest.mark.parametrize(("most", "rate"), [(10, 0), (10, -1), (10**9, 10**6 + 1), (1, 10**15 + 1)])
def test_rates_that_no_purchase_can_bring_are_refused(most, rate):
    with pytest.raises(ValueError, match="microcredits"):
        CustomAmounts(1, most, rate)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        (
            "default",
            [
                ("starter", "Starter Pack", 1_000, 1_000, 0),
                ("standard", "Standard Pack", 5_000, 4_500, 10),
                ("pro", "Pro Pack", 10_000, 8_000, 20),
                ("enterprise", "Enterprise Pack", 50_000, 35_000, 30),
            ],
        ),
        (
            "five_tier",
            [
                ("starter", "Starter", 1_000, 1_000, 0),
                ("basic", "Basic", 5_500, 4_500, 18),
                ("pro", "Pro", 13_500, 10_000, 25),
                ("business", "Business", 35_000, 22_500, 35),
                ("enterprise", "Enterprise", 120_000, 70_000, 41),
            ],
        ),
    ],
)
def test_the_catalogues_that_come_with_the_service(name, rows):
    catalog = load_catalog(name)
    assert catalog.currency == "usd"
    on_sale = [
        (p.code, p.name, p.credits_microcredits // 1_000_000, p.price_minor, p.discount_percent(CustomAmounts()))
        for p in catalog.on_sale
    ]
    assert on_sale == rows
    assert name in catalog_names()


def test_a_catalogue_can_not_be_changed():
    with pytest.raises(TypeError):
        load_catalog().packages["free"] = None


def test_a_package_and_a_custom_amount_become_snapshots():
    catalog = load_catalog()
    catalog.require_currency("")
    catalog.require_currency("usd")
    assert catalog.package_item("standard") == PurchaseItem(
        "standard", "Standard Pack", "5,000 credits, 10 % off", 5_000_000_000, 4_500, "usd", None
    )
    for amount_minor in (100, 1_234, 1_000_000):
        item = catalog.custom_item(amount_minor, CustomAmounts())
        assert (item.package_code, item.amount_minor, item.credits_microcredits) == (
            "",
            amount_minor,
            amount_minor * 1_000_000,
        )
    assert item.description == "1,000,000 credits"
