"""Sabotages of past balances."""

from tests.mutants.sabotage import Sabotage

PAST = "billing_service.domain.ledger.past"
SHOWN = "billing_service.commands.accounts.past_balance"
ROWS = "billing_service.storage.rows.past"
DOMAIN = "domain/test_past.py"
TOLD = "end_to_end/test_past_balance.py"

PAST_BALANCES = (
    Sabotage(
        "a hold whose end was booked later counts as held",
        "M37",
        f"{PAST}:count_ended",
        "transaction.effective_time_us <= time_us",
        "False",
        (f"{DOMAIN}::test_a_hold_that_ended_counts_although_its_end_was_booked_later",),
    ),
    Sabotage(
        "a clock that was set back brings back what was undone",
        "M37",
        f"{PAST}:Rewind.step",
        "(*self._before, transaction)",
        "(transaction,)",
        (f"{DOMAIN}::test_the_state_at_a_time_is_that_of_a_replay",),
    ),
    Sabotage(
        "a snapshot forgets how late the account had been before it",
        "M37",
        f"{PAST}:SnapshotMaker.end",
        "max(reached_us, self._latest_us[state.version // self._every])",
        "self._latest_us[state.version // self._every]",
        (f"{DOMAIN}::test_each_snapshot_is_the_state_of_a_replay",),
    ),
    Sabotage(
        "a past balance is as frozen as the account is now",
        "M37",
        f"{SHOWN}:_shown",
        "was_frozen(account_id, time_us)",
        "was_frozen(account_id, 2**62)",
        (f"{TOLD}::test_each_balance_that_was_shown_is_shown_again",),
    ),
    Sabotage(
        "a lot that was taken back since had ended all the time",
        "M37",
        f"{SHOWN}:_lot_then",
        "ends.get(lot.lot_id, lot.expire_time_us)",
        "lot.expire_time_us",
        (f"{TOLD}::test_a_lot_taken_back_since_shows_when_it_would_have_ended",),
    ),
)
