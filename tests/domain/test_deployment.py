"""Marks: nobody makes one without the key, and none is good for anything but the one object of the one deployment."""

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing_service.domain.deployment import MARK_CHARACTERS, MARK_FIELD, Deployment, MarkKind, Mode

DEPLOYMENT = Deployment("dep_1", bytes(range(32)), Mode.TEST, 0)
VECTORS = [
    ("dep_1", MarkKind.PURCHASE, "pur_1", "99c85f0eee650b79e6955d8ef423828b"),
    ("dep_1", MarkKind.REFUND, "ref_1", "f590e3eee6c3a255fa9f351ff81b9d37"),
    ("dep_1", MarkKind.CUSTOMER, "Zo\u00eb \N{SNOWMAN}", "a6d81e0e3833bbfac35d5104295ce60a"),
    ("dep_2", MarkKind.PURCHASE, "pur_1", "c88acc0bfbd9c740182cd43dc6b1e270"),
]
"""Marks stand at Stripe for years: a later program must make the same ones."""


@pytest.mark.parametrize(
    "mark",
    ["", "x", "a" * MARK_CHARACTERS, DEPLOYMENT.mark(MarkKind.PURCHASE, "pur_1")[:-1], "\N{SNOWMAN}" * MARK_CHARACTERS],
)
def test_what_is_not_the_mark_proves_nothing(mark):
    assert not DEPLOYMENT.made(MarkKind.PURCHASE, "pur_1", mark)


def test_a_mark_is_good_for_one_object_of_one_deployment():
    others = [
        DEPLOYMENT,
        replace(DEPLOYMENT, deployment_id="dep_2"),
        replace(DEPLOYMENT, mark_key=bytes(32)),
    ]
    made = {deployment.mark(kind, own_id) for deployment in others for kind in MarkKind for own_id in ("x", "y", "")}
    assert len(made) == len(others) * len(MarkKind) * 3


@pytest.mark.parametrize(("deployment_id", "kind", "own_id", "mark"), VECTORS)
def test_marks_stay_what_they_are(deployment_id, kind, own_id, mark):
    deployment = replace(DEPLOYMENT, deployment_id=deployment_id)
    assert deployment.mark(kind, own_id) == mark
    assert deployment.made(kind, own_id, mark)
    assert not deployment.made(kind, own_id, mark.upper())


WORDS = st.lists(st.sampled_from(["a", "b", *MarkKind]), max_size=4).map("".join)


@given(st.lists(st.tuples(WORDS, st.sampled_from(MarkKind), WORDS), min_size=2, max_size=4, unique=True))
@example([("dep", MarkKind.PURCHASE, "purchase1"), ("deppurchase", MarkKind.PURCHASE, "1")])
def test_no_two_sayings_are_one(said):
    """However the parts are cut: `a` + `bc` is not `ab` + `c`."""
    marks = [
        replace(DEPLOYMENT, deployment_id=deployment_id).mark(kind, own_id) for deployment_id, kind, own_id in said
    ]
    assert all(one != other for one, other in combinations(marks, 2))


def test_the_mode_is_no_part_of_a_mark_and_the_key_is_never_shown():
    assert replace(DEPLOYMENT, mode=Mode.LIVE).mark(MarkKind.REFUND, "ref_1") == DEPLOYMENT.mark(
        MarkKind.REFUND, "ref_1"
    )
    assert "mark_key" not in repr(DEPLOYMENT)
    assert len(MARK_FIELD) <= 40
