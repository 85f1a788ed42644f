"""A fingerprint says what a request means; a key remembers it."""

import itertools

import pytest

from billing_service.domain.refusals import Reason, Refusal
from billing_service.ledger.keys import IdempotencyKey, fingerprint
from billing_service.storage.rows.keys import StoredKey

DIFFERENT = [
    ("acme", 1, "a", {"k": "v"}),
    ("Acme", 1, "a", {"k": "v"}),
    ("acme", 2, "a", {"k": "v"}),
    ("acme", -1, "a", {"k": "v"}),
    ("acme", "1", "a", {"k": "v"}),
    ("acme", None, "a", {"k": "v"}),
    ("acme", 1, "", {"k": "v"}),
    ("acme", 1, "a ", {"k": "v"}),
    ("acme", 1, "a", {}),
    ("acme", 1, "a", {"k": "w"}),
    ("acme", 1, "a", {"K": "v"}),
    ("acme", 1, "a", {"k": "v", "l": ""}),
    ("acme", 1, "a"),
    ("ac", "me", 1, "a", {"k": "v"}),
    (),
]


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(DIFFERENT, 2)))
def test_other_meanings_have_other_fingerprints(one, other):
    assert fingerprint(*one) != fingerprint(*other)


def test_the_order_of_a_map_means_nothing():
    assert fingerprint("acme", {"a": "1", "b": {"c": 2, "d": 3}}) == fingerprint(
        "acme", {"b": {"d": 3, "c": 2}, "a": "1"}
    )


def test_fingerprints_stay_as_they_are():
    """They are stored for ever: another digest would refuse every retry of a request made before the change."""
    assert (
        fingerprint("acme", 1_000_000, 1, "Amélie 🙂", {"b": "2", "a": "1"}).hex() == "08898382dabc7834e6f7a0ac50a47958"
    )


def test_a_key_of_another_request_is_refused():
    key = IdempotencyKey("acme", "k", "web/Deduct", fingerprint("one"))
    with pytest.raises(Refusal) as refused:
        key.check(StoredKey(fingerprint("other"), b"reply", ""))
    assert refused.value.reason is Reason.IDEMPOTENCY_KEY_REUSED
    stored = StoredKey(fingerprint("one"), b"reply", "")
    assert key.check(stored) is stored


def test_a_key_is_scoped():
    assert IdempotencyKey("acme", "k", "web/Deduct", b"").id == ("acme", "k", "web/Deduct")
