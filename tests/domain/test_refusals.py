"""Every reason has its place in the order of refusals, and every refusal is made where they all are."""

import ast
from collections import Counter
from pathlib import Path

import billing_service
from billing_service.domain.refusals import Reason
from billing_service.domain.refusals.precedence import AT_ANY_TIME, PRECEDENCE

PACKAGE = Path(billing_service.__file__).parent


def test_every_reason_has_its_place():
    placed = Counter(reason for stage in PRECEDENCE for reason in stage.reasons)
    assert placed.keys() | AT_ANY_TIME == set(Reason)
    assert not placed.keys() & AT_ANY_TIME
    assert {reason: times for reason, times in placed.items() if times > 1} == {Reason.INVALID_FIELD: 3}


def test_what_callers_are_refused_for_is_made_in_one_folder():
    made = {
        path.relative_to(PACKAGE).parts[:2]
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"Refusal", "Failure"}
    }
    assert made == {("domain", "refusals")}
