"""Imported cards price usages to the microcredit as the libraries do, on the sample: `known_costs.json` has the
libraries' own answers."""

from dataclasses import replace
from fractions import Fraction

import pytest

from tests.rate_import.price_samples import cost_usd, loaded, priced, sample_reports

REPORTS = sample_reports()
KNOWN = loaded("known_costs.json")
ROWS_MIN = 500


def test_there_are_costs_of_both_libraries_and_of_every_imported_entry():
    assert len(KNOWN) > ROWS_MIN
    for library, report in REPORTS.items():
        priced_names = {(row["provider"], row["model"]) for row in KNOWN if row["library"] == library}
        found = {report.card.find(*name).entry.model for name in priced_names}
        tokens = {
            entry.model
            for entry in report.card.entries
            if any(measure.kind <= 11 for column in entry.columns for measure in column.prices)
        }
        assert tokens - found == set()


@pytest.mark.parametrize("library", REPORTS)
def test_costs_are_the_library_s_own_to_the_last_digit(library):
    rows = [row for row in KNOWN if row["library"] == library]
    wrong = [
        (row, found) for row in rows if (found := cost_usd(priced(REPORTS[library].card, row))) != Fraction(row["usd"])
    ]
    assert wrong == []


@pytest.mark.parametrize("library", REPORTS)
@pytest.mark.parametrize(("ppm", "column"), [(0, "microcredits"), (150_000, "microcredits_15")])
def test_amounts_are_rounded_up_once(library, ppm, column):
    card = replace(REPORTS[library].card, markup_ppm=ppm)
    wrong = [row for row in KNOWN if row["library"] == library and priced(card, row).amount_microcredits != row[column]]
    assert wrong == []
