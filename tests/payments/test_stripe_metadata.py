"""Of the caller's metadata Stripe is sent what it takes; ours is always there, whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_service.payments.objects.customer import CONTACT_VERSION_FIELD, read_customer
from billing_service.payments.stripe.metadata import with_callers

OURS = {"purchase_id": "pur_1", "account_id": "acme"}
NAMES = st.text(max_size=45) | st.sampled_from(["purchase_id", "account_id", "Purchase_id", "a[b]"])
MANY = st.dictionaries(NAMES, st.text(max_size=510), max_size=70)


@pytest.mark.parametrize(
    ("callers", "sent"),
    [
        ({}, {}),
        ({"order": "7"}, {"order": "7"}),
        ({"purchase_id": "pur_2", "account_id": "other", "order": "7"}, {"order": "7"}),
        ({"Purchase_id": "pur_2"}, {"Purchase_id": "pur_2"}),
        ({"n" * 40: "v" * 500}, {"n" * 40: "v" * 500}),
        ({"n" * 41: "v", "order": "7"}, {"order": "7"}),
        ({"long": "v" * 501, "order": "7"}, {"order": "7"}),
        ({"empty": "", "": "unnamed", "order": "7"}, {"order": "7"}),
        ({"a[b]": "1", "a[": "2", "]": "3", "order": "7"}, {"order": "7"}),
        ({"ключ": "значение\nв строках"}, {"ключ": "значение\nв строках"}),
        ({f"k{number:02}": "v" for number in range(50)}, {f"k{number:02}": "v" for number in range(48)}),
        ({f"k{number:02}": "v" for number in reversed(range(50))}, {f"k{number:02}": "v" for number in range(48)}),
    ],
)
def test_what_is_sent(callers, sent):
    assert with_callers(OURS, callers) == sent | OURS


def test_each_of_ours_takes_a_place_of_the_callers():
    marked = OURS | {"mark": "0123456789abcdef"}
    callers = {f"k{number:02}": "v" for number in range(50)} | {"mark": "forged"}
    assert with_callers(marked, callers) == {f"k{number:02}": "v" for number in range(47)} | marked


@given(MANY)
def test_nothing_that_stripe_refuses_is_sent_and_nothing_else_stays_behind(callers):
    sent = with_callers(OURS, callers)
    assert sent == with_callers(OURS, dict(reversed(callers.items())))
    assert sent.items() >= OURS.items()
    assert len(sent) <= 50
    for name in sent.keys() - OURS.keys():
        assert sent[name] == callers[name]
    left = {name for name in callers if name not in sent and 0 < len(name) <= 40 and 0 < len(callers[name]) <= 500}
    assert not left or len(sent) == 50 or all({"[", "]"} & set(name) for name in left)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("3", 3),
        ("0", 0),
        ("007", 7),
        (None, 0),
        ("", 0),
        ("-1", 0),
        ("1.5", 0),
        (" 2", 0),
        ("\u0663", 0),
        ("9" * 16, 0),
        ("three", 0),
    ],
)
def test_a_version_is_read_as_it_is_written(text, version):
    sent = {"object": "customer", "id": "cus_1", "metadata": {CONTACT_VERSION_FIELD: text}}
    assert read_customer(sent).contact_version == version
