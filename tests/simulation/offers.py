"""What accounts offered while requests about them were served: every answer must have been true at one of these
moments."""

from tests.simulation.model_account import ModelAccount
from tests.simulation.model_holds import present
from tests.simulation.model_limits import lefts
from tests.simulation.service import SPENDING


def note_offers(servings, accounts, now_us):
    """As of a moment that the service's clock may say now, or that something was decided at."""
    for serving in servings:
        serving.latest_us = max(serving.latest_us, now_us)
        for account_id, offers in serving.offers.items():
            account = accounts.get(account_id) or ModelAccount()
            moment_us = account.moment(now_us)
            shown = present(account, moment_us)
            available, owable = shown.available(moment_us), shown.owable(moment_us, SPENDING.debt_max)
            offers.add((account.version, available, account.frozen, owable))
            serving.lefts[account_id] |= lefts(shown, moment_us)
