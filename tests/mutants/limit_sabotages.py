"""Sabotages of spend limits: what has room, what counts, where it is given back, who sets them."""

from tests.mutants.sabotage import Sabotage

LIMITS = "billing_service.domain.spending.limits"
MODEL = "domain/test_spend_limits.py"
TOLD = "end_to_end/test_spend_limits.py"
ENDED = "end_to_end/test_limits_of_ended_holds.py"
BOUND = "end_to_end/test_bound_spenders.py"

LIMITING = (
    Sabotage(
        "a spender's limit counts nothing",
        "M25",
        f"{LIMITS}:_named",
        "(ACCOUNT_ITSELF, *spender_ids)",
        "(ACCOUNT_ITSELF,)",
        (MODEL,),
    ),
    Sabotage(
        "a new day keeps what the last one used",
        "M25",
        f"{LIMITS}:standing",
        "limit.used if limit.window_start_us == start_us else 0",
        "limit.used if start_us >= 0 else 0",
        (MODEL,),
    ),
    Sabotage(
        "a reversal gives back what counted in a window that has ended",
        "M25",
        f"{LIMITS}:give_back",
        "used and counted_us >= max(limit.window_start_us, limit.set_time_us)",
        "used",
        (f"{ENDED}::test_what_was_charged_above_a_hold_is_given_back_in_the_window_of_its_capture[sqlite]",),
    ),
    Sabotage(
        "what was charged above a hold is given back where the hold counted",
        "M25",
        "billing_service.domain.spending.reversals:DeductionToReverse.above_hold",
        "min(amount, max(above - self.already_reversed, 0))",
        "0",
        (f"{ENDED}::test_what_was_charged_above_a_hold_is_given_back_in_the_window_of_its_capture[sqlite]",),
    ),
    Sabotage(
        "a limit is not changed while a hold has ended that nobody booked",
        "M25",
        "billing_service.storage.rows.spend_limits:count_change",
        "account.limits_version += 1",
        "",
        (f"{ENDED}::test_limits_change_while_a_hold_has_ended_that_nobody_booked[sqlite]",),
    ),
    Sabotage(
        "what an ended hold gives back is written at a limit that was removed",
        "M25",
        "billing_service.storage.rows.spend_limits:set_limit",
        "account.changed_limits.pop((limit.spender_id, limit.window), None)",
        "",
        (f"{ENDED}::test_limits_change_while_a_hold_has_ended_that_nobody_booked[sqlite]",),
    ),
    Sabotage(
        "what is taken up to the room goes past it",
        "M25",
        "billing_service.domain.spending.deductions:_let_through",
        "room(account, spender_ids, amount, windows, now_us) if mode is DeductionMode.UP_TO_AVAILABLE else amount",
        "amount",
        (MODEL,),
    ),
    Sabotage(
        "a hold counts for nobody",
        "M25",
        f"{LIMITS}:moved",
        "(destination == Place.USAGE or lot_held(destination)) and not was_held",
        "destination == Place.USAGE and not was_held",
        (f"{TOLD}::test_a_hold_counts_whole_and_what_it_gives_back_is_taken_off[sqlite]",),
    ),
    Sabotage(
        "a limit that is set is not heeded by who has cached the account",
        "M25",
        "billing_service.storage.rows.spend_limits:set_limit",
        "yield from count_change(account)",
        "",
        (f"{TOLD}::test_a_limit_counts_from_when_it_is_set_and_a_change_keeps_what_is_used[sqlite]",),
    ),
    Sabotage(
        "a reversal is not counted for its spenders",
        "M25",
        "billing_service.commands.spending.reverse_deduction:_give_back_limits",
        "(charge.spender_ids, charge.count_time_us) if charge else ((), original.create_time_us)",
        "((), original.create_time_us)",
        (f"{TOLD}::test_a_reversal_gives_back_where_its_charge_counted[sqlite]",),
    ),
    Sabotage(
        "verification takes what a spender used as it is stored",
        "M25",
        "billing_service.integrity.limits_check:_Tally.expected",
        "least if used < least else most",
        "used",
        ("end_to_end/test_limits_proven.py",),
    ),
    Sabotage(
        "a bound key leaves its spenders out",
        "M26",
        "billing_service.api.validation:spenders",
        "return tuple(bound)",
        "return ()",
        (f"{BOUND}::test_a_bound_key_counts_for_its_spenders_first[sqlite]",),
    ),
    Sabotage(
        "a bound key sets its own limit",
        "M26",
        "billing_service.api.servicers.limits:Limiting.set_spend_limit",
        "raise spender_not_allowed()",
        "pass",
        (f"{BOUND}::test_a_bound_key_counts_for_its_spenders_first[sqlite]",),
    ),
)
