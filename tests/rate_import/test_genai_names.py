"""Which names lead to a model of genai-prices' data."""

import pytest

from billing_service.domain.catalogue.rate_cards import Rule
from billing_service.rate_import.genai_names import Names, clause_fits
from billing_service.rate_import.reports import NotImportableError
from tests.rate_import.genai_models import model, report_of

CLAUSES = [
    ({"equals": "M"}, "m", True),
    ({"equals": "m"}, "m2", False),
    ({"starts_with": "M"}, "m2", True),
    ({"ends_with": "2"}, "m2", True),
    ({"contains": "X"}, "axb", True),
    ({"contains": "X"}, "ab", False),
    ({"regex": r"^m-\d{4}$"}, "m-2026", True),
    ({"regex": r"^m-\d{4}$"}, "m-x", False),
    ({"or": [{"equals": "a"}, {"equals": "b"}]}, "b", True),
    ({"and": [{"starts_with": "a"}, {"ends_with": "c"}]}, "abc", True),
    ({"and": [{"starts_with": "a"}, {"ends_with": "c"}]}, "ab", False),
]


@pytest.mark.parametrize(("clause", "text", "fits"), CLAUSES)
def test_clauses(clause, text, fits):
    assert clause_fits(clause, text) is fits


@pytest.mark.parametrize("clause", [{}, {"equals": "a", "contains": "b"}, "a", {"sounds_like": "a"}])
def test_clauses_that_are_none(clause):
    with pytest.raises(NotImportableError):
        clause_fits(clause, "a")


def test_names_lead_to_the_first_model_that_fits():
    first, second = (
        model("a", match={"or": [{"equals": "a"}, {"starts_with": "b"}]}),
        model("b", match={"or": [{"equals": "b"}, {"equals": "c"}]}),
    )
    names = Names([first, second])
    assert (names.find("B"), names.find("c"), names.find("d")) == (first, second, None)
    report = report_of(first, second)
    assert report.card.find("p", "c").entry.model == "c"
    assert report.card.find("p", "b") is None


def test_other_names_are_aliases_and_wide_clauses_make_no_wide_patterns():
    report = report_of(model(match={"or": [{"equals": "m"}, {"equals": "m-latest"}, {"contains": "m"}]}))
    assert report.card.find("p", "m-latest").rule is Rule.ALIAS
    assert report.card.find("p", "m-2026-01-31").rule is Rule.DATED
    assert report.card.find("p", "m-turbo") is None
    assert report.card.wide_patterns() == []


def test_a_name_of_exactly_one_spelling_has_no_dated_pattern():
    report = report_of(model())
    assert report.card.find("p", "m-2026-01-31") is None
    dated = report_of(model(match={"or": [{"equals": "m"}, {"regex": r"^m-\d{4}-\d{2}-\d{2}$"}]}))
    assert dated.card.find("p", "m-20260131").rule is Rule.DATED
