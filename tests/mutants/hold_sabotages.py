"""Defects in holds: what they reserve, what captures charge, how they end."""

from tests.mutants.sabotage import Sabotage

HOLDS = "billing_service.domain.ledger.holds"
DECIDING = "billing_service.domain.spending.holds"
CAPTURES = "billing_service.domain.spending.captures"
RULES = "end_to_end/test_rules_of_holds.py"
ENDED = "end_to_end/test_rules_of_ended_holds.py"

HOLD_SABOTAGES = (
    Sabotage(
        "when a hold ends is not written",
        "M19",
        f"{HOLDS}:add_hold",
        "account.writes_holds_end = True",
        "",
        (f"{ENDED}::test_what_an_ended_hold_reserved_is_there_again_at_once[sqlite-False]",),
    ),
    Sabotage(
        "what a hold gives back keeps an expiry that is over",
        "M20",
        f"{HOLDS}:_return",
        "lot.ended_to or not lot.has_expired(posting.effective_us)",
        "True",
        (f"{ENDED}::test_a_lot_that_ran_out_under_a_hold_is_gone_when_the_hold_ends[sqlite-release]",),
    ),
    Sabotage(
        "a release pays no debt",
        "M21",
        f"{HOLDS}:return_legs",
        "posting.settle_debt()",
        "",
        (f"{RULES}::test_a_dispute_makes_debt_of_what_is_held_and_its_release_pays[sqlite]",),
    ),
    Sabotage(
        "an ended hold gives everything back",
        "M19",
        f"{HOLDS}:_book_end",
        "min(max(told - hold.captured, 0), hold.left)",
        "0",
        (f"{ENDED}::test_what_an_ended_hold_reserved_is_there_again_at_once[sqlite-False]",),
    ),
    Sabotage(
        "who touches an account books no ended hold",
        "M19",
        "billing_service.ledger.posting:_Batch.fetch",
        "book_ended_holds(account, now_us=account.moment(self._clock_us), ids=self._ids)",
        "",
        (f"{ENDED}::test_what_an_ended_hold_reserved_is_there_again_at_once[sqlite-False]",),
    ),
    Sabotage(
        "a process that is behind sees a hold open that another saw end",
        "M19",
        "billing_service.domain.ledger.account:Account.moment",
        "self.last_time_us if 0 < self.last_time_us - clock_us <= CLOCKS_APART_MAX_US else clock_us",
        "clock_us",
        (f"{ENDED}::test_two_clocks_and_one_hold[sqlite]",),
    ),
    Sabotage(
        "a hold is extended without end",
        "M20",
        f"{DECIDING}:extend_hold",
        "hold.create_time_us + HOLD_LIFETIME_MAX_US",
        "now_us + HOLD_LIFETIME_MAX_US",
        (f"{ENDED}::test_a_hold_shields_nothing_for_longer_than_a_day[sqlite]",),
    ),
    Sabotage(
        "an extension may shorten",
        "M20",
        f"{DECIDING}:extend_hold",
        "max(hold.expire_time_us, now_us + lifetime_us)",
        "now_us + lifetime_us",
        (f"{ENDED}::test_a_hold_shields_nothing_for_longer_than_a_day[sqlite]",),
    ),
    Sabotage(
        "an extension while debt stands",
        "M21",
        f"{DECIDING}:extend_hold",
        "available < additional or _owes(account, now_us)",
        "available < additional",
        (f"{RULES}::test_a_dispute_makes_debt_of_what_is_held_and_its_release_pays[sqlite]",),
    ),
    Sabotage(
        "a frozen account holds",
        "M23",
        f"{DECIDING}:hold_credits",
        "account.frozen",
        "False",
        (f"{RULES}::test_a_frozen_account_captures_and_releases_and_holds_nothing_new[sqlite]",),
    ),
    Sabotage(
        "what is above a hold is charged to a frozen account",
        "M23",
        f"{CAPTURES}:_from_available",
        "account.frozen",
        "False",
        (f"{RULES}::test_a_frozen_account_captures_and_releases_and_holds_nothing_new[sqlite]",),
    ),
    Sabotage(
        "debt above a hold has no bound",
        "M17",
        f"{CAPTURES}:_from_available",
        "min(amount - from_lots, max(bound - max(account.debt - offered, 0), 0))",
        "amount - from_lots",
        (f"{RULES}::test_debt_above_a_hold_has_the_bound_of_all_debt[sqlite]",),
    ),
    Sabotage(
        "a late capture may be repeated",
        "M22",
        f"{CAPTURES}:_capture_late",
        "hold.late_captured = True",
        "",
        (f"{ENDED}::test_a_late_capture_is_an_ordinary_charge_once[sqlite-1-80-80-left0]",),
    ),
    Sabotage(
        "a capture's key is its own",
        "M18",
        "billing_service.api.servicers.holds:capture_of",
        "_key(request, call, 'DeductCredits', *meaning, charged_by_other=_deducted)",
        "_key(request, call, 'CaptureHold', *meaning, charged_by_other=_deducted)",
        (f"{RULES}::test_a_usage_that_one_method_charged_no_other_charges_again[sqlite]",),
    ),
    Sabotage(
        "a bonus that comes back from a hold is not made good",
        "M20",
        "billing_service.ledger.posting:_post_locked",
        "yield from batch.note_returns(account)",
        "pass",
        (f"{ENDED}::test_a_bonus_under_a_hold_does_not_survive_the_refund_of_what_earned_it[sqlite]",),
    ),
    Sabotage(
        "verify overlooks what is held",
        "M16",
        "billing_service.integrity.account_check:AccountCheck.end",
        "self._holds.compared(stored, places)",
        "()",
        ("integrity/test_verify.py::test_tampering_shows[sqlite-hold raised]",),
    ),
)
