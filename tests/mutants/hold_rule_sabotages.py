"""More defects in holds, limits and sessions: what is above a hold, what comes late, what is priced, who may."""

from tests.mutants.sabotage import Sabotage

HOLDS = "billing_service.domain.ledger.holds"
DECIDING = "billing_service.domain.spending.holds"
CAPTURES = "billing_service.domain.spending.captures"
PRICED = "billing_service.api.servicers.priced_holds"
RULES = "end_to_end/test_rules_of_holds.py"
ENDED = "end_to_end/test_rules_of_ended_holds.py"
USED = "end_to_end/test_holds_of_usage.py"
LIMITED = "end_to_end/test_spend_limits.py"
HISTORY = "history/test_histories_of_holds.py::test_a_history_of_holds_is_linearizable[sqlite]"
GROWN = "end_to_end/test_limits_of_ended_holds.py::test_what_a_hold_grows_by_has_its_limits[sqlite]"
CORNERS = "domain/test_holds.py"
MACHINE = "domain/test_holds_machine.py"
UP_TO = f"{RULES}::test_up_to_available_reserves_what_is_there[sqlite]"
LATE = f"{ENDED}::test_a_late_capture_is_an_ordinary_charge_once"

HOLD_RULES = (
    Sabotage(
        "a hold draws on what pays a debt",
        "M16",
        f"{DECIDING}:_holdable",
        "account.debt, 0",
        "0, 0",
        (f"{CORNERS}::test_a_hold_takes_nothing_of_what_pays_a_debt",),
    ),
    Sabotage(
        "a frozen account's holds grow",
        "M23",
        f"{DECIDING}:extend_hold",
        "account.frozen",
        "False",
        (f"{RULES}::test_a_frozen_account_captures_and_releases_and_holds_nothing_new[sqlite]",),
    ),
    Sabotage(
        "a hold takes less than its least",
        "M16",
        f"{DECIDING}:hold_credits",
        "available < wanted and terms.mode is HoldMode.UP_TO_AVAILABLE and available >= terms.minimum",
        "available < wanted and terms.mode is HoldMode.UP_TO_AVAILABLE",
        (UP_TO,),
    ),
    Sabotage(
        "a final capture keeps the rest",
        "M16",
        f"{CAPTURES}:capture_hold",
        "if final:\n    end_hold(posting, hold, ids)",
        "pass",
        (f"{RULES}::test_captures_draw_the_holds_lots_and_the_last_one_gives_back_the_rest[sqlite]",),
    ),
    Sabotage(
        "what is held comes back in the order in which it was drawn",
        "M16",
        f"{HOLDS}:return_legs",
        "reversed(hold.legs)",
        "hold.legs",
        (f"{CORNERS}::test_what_is_held_comes_back_in_the_reverse_of_the_order_in_which_it_was_drawn",),
    ),
    Sabotage(
        "a capture up to its hold goes on to what is available",
        "M17",
        f"{CAPTURES}:capture_hold",
        "amount > of_legs and over_hold is not OverHold.UP_TO_HOLD",
        "amount > of_legs",
        (f"{RULES}::test_above_the_hold_each_policy_charges_its_own",),
    ),
    Sabotage(
        "what is available covers a part",
        "M17",
        f"{CAPTURES}:_from_available",
        "not allows_debt and from_lots + owed < amount",
        "False",
        (f"{RULES}::test_above_the_hold_each_policy_charges_its_own", MACHINE),
    ),
    Sabotage(
        "a capture that refuses more takes what it has",
        "M17",
        f"{CAPTURES}:capture_hold",
        "raise insufficient_credits(available=of_legs, required=amount, shortfall=amount - of_legs)",
        "pass",
        (f"{CORNERS}::test_a_capture_that_refuses_more_than_its_hold_takes_nothing_beside_it",),
    ),
    Sabotage(
        "the grace of a late capture has no end",
        "M22",
        f"{CAPTURES}:_capture_late",
        "now_us >= hold.expire_time_us + terms.late_capture_us",
        "False",
        (f"{ENDED}::test_after_the_grace_nothing_is_captured_any_more[sqlite]",),
    ),
    Sabotage(
        "a late capture up to its hold takes more",
        "M22",
        f"{CAPTURES}:_capture_late",
        "min(amount, uncaptured)",
        "amount",
        (LATE, "simulation/test_simulation.py::test_no_seed_contradicts_the_model[2]"),
    ),
    Sabotage(
        "a client takes a hold that has ended for one",
        "M22",
        "billing_client.holds:still_held",
        "answer.replayed and ends <= (now.seconds, now.nanos)",
        "False",
        (f"{ENDED}::test_a_replay_of_a_hold_says_that_it_has_ended[sqlite]",),
    ),
    Sabotage(
        "what was captured before does not count at the end of a hold",
        "M19",
        f"{HOLDS}:_book_end",
        "max(told - hold.captured, 0)",
        "told",
        (f"{ENDED}::test_what_was_captured_counts_towards_what_is_captured_at_the_end[sqlite]",),
    ),
    Sabotage(
        "a hold's end is booked as of when somebody noticed",
        "M20",
        f"{HOLDS}:_book_end",
        "Posting(account, now_us, effective_us=hold.expire_time_us)",
        "Posting(account, now_us)",
        (
            f"{ENDED}::test_a_lot_that_ran_out_under_a_hold_is_gone_when_the_hold_ends",
            "simulation/test_simulation.py::test_no_seed_contradicts_the_model[0]",
        ),
    ),
    Sabotage(
        "a usage without a price captures nothing",
        "M13",
        f"{PRICED}:_captured",
        "replace(operation, unpriced=unpriced, encode_reply=partial(_encode_unpriced, operation, unpriced))",
        "replace(operation, encode_reply=partial(_encode_unpriced, operation, unpriced))",
        (f"{USED}::test_a_usage_without_a_price_takes_all_of_its_hold",),
    ),
    Sabotage(
        "a capture is priced by the card in force",
        "P54",
        f"{PRICED}:PricedHolds._held",
        "cost.price.rate_card_version",
        '""',
        (f"{USED}::test_a_price_that_rises_changes_no_hold",),
    ),
    Sabotage(
        "who forgot a hold prices it by the card in force",
        "P54",
        f"{PRICED}:PricedHolds._capture_late",
        "await price_by_version(self._cards, usage, version) if version else await price_usage(self._cards, usage)",
        "await price_usage(self._cards, usage)",
        (f"{USED}::test_a_price_that_rises_changes_no_hold",),
    ),
    Sabotage(
        "a deduction passes the limit that would refuse it",
        "P55",
        "billing_service.domain.spending.limits:check_limits",
        "amount and stands.left < amount",
        "False",
        (f"{LIMITED}::test_a_limit_refuses_what_has_no_room_and_says_which[sqlite]", HISTORY),
    ),
    Sabotage(
        "an extension passes the limit",
        "P55",
        f"{DECIDING}:extend_hold",
        "check_limits(account, hold.spender_ids, additional, windows, now_us)",
        "",
        (GROWN,),
    ),
    Sabotage(
        "what is captured of what is available passes the limit",
        "P55",
        f"{CAPTURES}:capture_hold",
        "check_limits(account, hold.spender_ids, amount - of_legs, terms.windows, now_us)",
        "",
        (GROWN,),
    ),
    Sabotage(
        "limits are read apart from the account that they belong to",
        "P55",
        "billing_service.storage.rows.ledger:_expected",
        "account.limits_version",
        "0",
        (LIMITED,),
    ),
    Sabotage(
        "a day ends with UTC's wherever the deployment is",
        "M25",
        "billing_service.domain.spending.windows:Windows._start_us",
        "datetime(day.year, day.month, day.day, tzinfo=self._zone)",
        "datetime(day.year, day.month, day.day, tzinfo=UTC)",
        ("domain/test_windows.py::test_edges",),
    ),
    Sabotage(
        "five spenders are named",
        "M26",
        "billing_service.api.validation:spenders",
        "len(named) > SPENDERS_MAX",
        "False",
        ("end_to_end/test_bound_spenders.py",),
    ),
    Sabotage(
        "a session grows while it is being closed",
        "P53",
        "billing_service.api.streams.session_upkeep:Upkeep.finish",
        "self._is_finished = True",
        "",
        ("api/test_session_upkeep.py::test_a_session_that_is_being_closed_asks_for_no_more",),
    ),
    Sabotage(
        "what was taken back before it began holds up the next",
        "P32",
        "billing_service.api.late:begin_late",
        "late.answer.add_done_callback(end)",
        "",
        ("api/test_late.py::test_what_was_taken_back_before_its_first_step_is_told_and_forgets_nothing",),
    ),
)
