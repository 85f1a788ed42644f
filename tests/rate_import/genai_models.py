"""Models as genai-prices writes them, and their import."""

from decimal import Decimal

from billing_service.rate_import.reports import Fate
from tests.rate_import.price_samples import genai_report, loaded

UNITS = loaded("genai_sample.json")["units"]
PRICES = {"input_mtok": Decimal(1), "output_mtok": Decimal(2)}


def model(name="m", **more):
    return {"id": name, "match": {"equals": name}, "prices": PRICES} | more


def report_of(*models, provider="p", units=UNITS):
    return genai_report([{"id": provider, "models": list(models)}], units)


def columns(*models, name="m"):
    report = report_of(*models)
    assert report.outcomes[f"p/{name}"].fate is Fate.IMPORTED, report.outcomes
    return next(entry for entry in report.card.entries if entry.model == name).columns
