"""One column of a card made of litellm's map."""

from billing_service.rate_import.reports import Fate
from tests.rate_import.price_samples import imported


def column(entry, key="p/m", tier="", **attributes):
    """Words and prices of one column of an entry that is imported."""
    outcome, entries = imported(entry, key)
    assert outcome.fate is Fate.IMPORTED, outcome
    found = [
        one
        for one in entries[0].columns
        if (one.service_tier, dict(one.attributes)) == (tier, attributes) and not one.hours
    ]
    return found[0] if found else None
