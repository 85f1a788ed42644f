"""Entries of a catalogue: each fault is named by its entry and field, and a file that is no catalogue by its name."""

from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.catalogs import FILE_BYTES_MAX, load_catalog
from billing_service.domain.catalogue.package_entries import CatalogInvalid, catalog_from_entries
from billing_service.domain.catalogue.packages import CustomAmounts

GOOD = {
    "currency": "usd",
    "packages": [
        {"code": "small", "name": "Small", "credits": 1_000, "price_minor": 1_000},
        {"code": "large", "name": "Large", "credits": 2_000, "price_minor": 1_500},
    ],
}
ABSENT = object()

ENTRY_FAULTS = [
    ("code", ABSENT, "code is missing"),
    ("code", "", "code must not be empty"),
    ("code", "Large", "must match"),
    ("code", "with space", "must match"),
    ("code", "x" * 65, "at most 64"),
    ("code", 7, "code must be text"),
    ("code", "small", "already taken"),
    ("name", ABSENT, "name is missing"),
    ("name", "  ", "name must not be empty"),
    ("name", "x" * 251, "at most 250"),
    ("name", "two\nlines", "printable"),
    ("description", "x" * 501, "at most 500"),
    ("description", 1, "description must be text"),
    ("credits", ABSENT, "credits is missing"),
    ("credits", 0, "credits must be from 1"),
    ("credits", -5, "credits must be from 1"),
    ("credits", 1_000_000_001, "credits must be from 1"),
    ("credits", 10.5, "credits must be a whole number"),
    ("credits", True, "credits must be a whole number"),
    ("credits", "1000", "credits must be a whole number"),
    ("price_minor", ABSENT, "price_minor is missing"),
    ("price_minor", 0, "price_minor must be from 1"),
    ("price_minor", -1, "price_minor must be from 1"),
    ("price_minor", 100_000_000, "price_minor must be from 1"),
    ("price_minor", 9.99, "price_minor must be a whole number"),
    ("active", 1, "active must be true or false"),
    ("display_order", -1, "display_order must be from 0"),
    ("display_order", "first", "display_order must be a whole number"),
    ("currency", "eur", "currency must be the catalogue's, 'usd', not 'eur'"),
    ("currency", "USD", "currency must be the catalogue's"),
    ("discount", 10, "unknown field 'discount'"),
    ("stripe_price_id", "prod_x1", "must match"),
    ("stripe_product_id", "price_x1", "must match"),
]


@pytest.mark.parametrize(("field", "value", "words"), ENTRY_FAULTS)
def test_a_fault_of_an_entry_is_named(field, value, words):
    document = deepcopy(GOOD)
    entry = document["packages"][1]
    if value is ABSENT:
        del entry[field]
    else:
        entry[field] = value
    with pytest.raises(CatalogInvalid) as caught:
        catalog_from_entries(document)
    [problem] = caught.value.problems
    assert words in problem
    assert problem.startswith("package 2")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"packages": GOOD["packages"]}, "currency must be"),
        ({"currency": "USD", "packages": GOOD["packages"]}, "currency must be"),
        ({"currency": 840, "packages": GOOD["packages"]}, "currency must be"),
        ({"currency": "usd"}, "at least one entry"),
        ({"currency": "usd", "packages": []}, "at least one entry"),
        ({"currency": "usd", "packages": {"code": "x"}}, "at least one entry"),
        ({"currency": "usd", "packages": ["small"]}, "package 1: must be a table"),
        ({**GOOD, "version": 2}, "unknown field 'version'"),
    ],
)
def test_a_fault_of_the_catalogue_is_named(document, words):
    with pytest.raises(CatalogInvalid) as caught:
        catalog_from_entries(document)
    assert any(words in problem for problem in caught.value.problems)


def test_all_faults_are_told_at_once():
    document = {
        "currency": "usd",
        "packages": [{"code": "a", "name": "A", "credits": 0, "price_minor": 0}, {"code": "b", "colour": "red"}],
    }
    with pytest.raises(CatalogInvalid) as caught:
        catalog_from_entries(document)
    assert len(caught.value.problems) == 6


def test_a_price_that_stripe_would_round_is_refused():
    document = deepcopy(GOOD)
    document["currency"] = "kwd"
    document["packages"][0]["price_minor"] = 1_005
    with pytest.raises(CatalogInvalid, match="multiple of 10"):
        catalog_from_entries(document)


@pytest.mark.parametrize("content", ["currency = ", "= 1", b"\xff\xfe", "x" * (FILE_BYTES_MAX + 1), None])
def test_a_file_that_is_no_catalogue_is_named(tmp_path: Path, content):
    path = tmp_path / "shop.toml"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CatalogInvalid, match=r"shop\.toml"):
        load_catalog(path)


@pytest.mark.parametrize("name", ["", "nope", "../default", "default.json"])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(CatalogInvalid, match="default, five_tier"):
        load_catalog(name)


def test_a_deployments_own_file_loads(tmp_path: Path):
    path = tmp_path / "shop.toml"
    path.write_text(
        'currency = "eur"\n[[packages]]\ncode = "z"\nname = "Z"\ncredits = 5\nprice_minor = 7\ndisplay_order = '
        '1\ncurrency = "eur"\n'
        '[[packages]]\ncode = "a"\nname = "A"\ncredits = 5\nprice_minor = 5\ndisplay_order = 1\nstripe_price_id = '
        '"price_1"\n'
        '[[packages]]\ncode = "first"\nname = "F"\ncredits = 5\nprice_minor = 5\ndisplay_order = 0\n'
        '[[packages]]\ncode = "old"\nname = "O"\ncredits = 5\nprice_minor = 5\nactive = false\n'
    )
    catalog = load_catalog(str(path))
    assert [p.code for p in catalog.on_sale] == ["first", "a", "z"]
    assert catalog.packages["z"].discount_percent(CustomAmounts()) == 0, (
        "dearer than list price is no negative discount"
    )
    assert catalog.package_item("a").stripe_price_id == "price_1"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=8,
)
FIELDS = [
    "code",
    "name",
    "credits",
    "price_minor",
    "description",
    "active",
    "display_order",
    "currency",
    "stripe_price_id",
]


@given(
    currency=st.just("usd") | JSON,
    packages=JSON | st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=9), max_size=4),
)
def test_whatever_a_file_holds_only_the_typed_error_comes(currency, packages):
    try:
        catalog_from_entries({"currency": currency, "packages": packages})
    except CatalogInvalid as error:
        assert error.problems  # noqa: PT017 - both ways are right; which one depends on the example
