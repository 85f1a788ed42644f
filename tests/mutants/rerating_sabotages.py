"""Sabotages of re-rating."""

from tests.mutants.sabotage import Sabotage

RULES = "billing_service.domain.spending.rerating"
COMMAND = "billing_service.commands.spending.rerate_usage"
ROWS = "billing_service.storage.rows.rerating"
TARGETS = "domain/test_rerating.py"
CHOSEN = "commands/test_priced_usages.py"
WIRE = "end_to_end/test_rerate_usage.py"
STANDING = "billing_service.domain.spending.standing"
MOVING = "billing_service.domain.spending.corrections"
CORRECTING = "billing_service.commands.spending.correct_charges"
CASES = "domain/test_corrections.py"
EFFECT = "end_to_end/test_correct_charges.py"

RERATING = (
    Sabotage(
        "what was undone is charged anew",
        "M27",
        f"{RULES}:target_of.target",
        "ceil(new_price * standing.share)",
        "new_price",
        (f"{TARGETS}::test_what_a_charge_should_come_to", f"{WIRE}::test_a_window_by_another_card[sqlite]"),
    ),
    Sabotage(
        "what could not be collected is collected after all",
        "M27",
        f"{RULES}:target_of",
        "standing.charged < standing.amount",
        "standing.charged < 0",
        (f"{TARGETS}::test_what_a_charge_should_come_to",),
    ),
    Sabotage(
        "an hour's price becomes another hour's",
        "M27",
        f"{RULES}:price_again.occurred_us",
        "sent.occur_time_us if basis is TimeBasis.OCCURRED else None",
        "sent.occur_time_us",
        (f"{TARGETS}::test_the_time_that_chose_the_price_chooses_it_again",),
    ),
    Sabotage(
        "all cards are rated again",
        "M27",
        f"{COMMAND}:priced_usages",
        "usage is None or window.from_version not in ('', record.rate_card_version)",
        "usage is None",
        (f"{CHOSEN}::test_a_card_that_only_looks_named_is_another",),
    ),
    Sabotage(
        "usage outside the window is counted",
        "M27",
        f"{ROWS}:_IN_RANGE",
        "transactions.c.create_time_us < bindparam('end_us')",
        "transactions.c.create_time_us < bindparam('end_us') + literal_column('86400000000')",
        (f"{WIRE}::test_only_the_window_and_the_card_that_were_asked_for[sqlite]",),
    ),
    Sabotage(
        "parts overlap",
        "M27",
        f"{COMMAND}:price_part",
        "after = found.last_id",
        "after = found.last_id[:-1]",
        (f"{WIRE}::test_parts_add_up_to_the_whole[sqlite]",),
    ),
    Sabotage(
        "a reversal after a correction undoes nothing of the usage",
        "M31",
        f"{STANDING}:StandingCharge.undo",
        "self.share *= Fraction(self.net - amount, self.net)",
        "self.share -= Fraction(amount, self.charged)",
        (f"{CASES}::test_whatever_was_done_before_the_last_price_is_what_counts",),
    ),
    Sabotage(
        "what a correction gave back comes back again",
        "M31",
        "billing_service.commands.spending.reverse_deduction:reverse.effect.deduction",
        "DeductionToReverse(original, before, changes)",
        "DeductionToReverse(original, before)",
        (f"{EFFECT}::test_what_was_undone_is_not_given_back_again[sqlite]",),
    ),
    Sabotage(
        "a card corrects a charge again and again",
        "M32",
        f"{RULES}:target_of",
        "if standing.decided:\n    return standing.net",
        "",
        (f"{EFFECT}::test_each_card_decides_a_charge_once[sqlite]",),
    ),
    Sabotage(
        "an account's part of a re-rating forgets what was decided",
        "M32",
        f"{CORRECTING}:correct_account.effect",
        "(deduction_id, version) in changed.decided",
        "False",
        (f"{EFFECT}::test_each_card_decides_a_charge_once[sqlite]",),
    ),
    Sabotage(
        "what was charged too much is lost with an expired lot",
        "M33",
        f"{MOVING}:_give_back",
        "lot.has_expired(posting.now_us) and not lot.ended_to",
        "False",
        (f"{CASES}::test_into_a_lot_that_ran_out_comes_nothing_but_a_promotional_lot_in_its_stead",),
    ),
    Sabotage(
        "a spent bonus comes back by a correction",
        "M33",
        f"{MOVING}:_give_back",
        "lot.has_expired(posting.now_us) and not lot.ended_to",
        "lot.has_expired(posting.now_us)",
        (f"{CASES}::test_a_lot_that_was_taken_back_passes_on_what_a_correction_gives_back",),
    ),
    Sabotage(
        "a correction takes from a frozen account",
        "M33",
        f"{MOVING}:correct.available",
        "0 if account.frozen else max(account.spendable(now_us) - account.debt, 0)",
        "max(account.spendable(now_us) - account.debt, 0)",
        (f"{EFFECT}::test_what_is_charged_besides_comes_from_what_is_available[sqlite]",),
    ),
    Sabotage(
        "a correction counts at limits",
        "M33",
        "billing_service.domain.spending.limits:count_decided",
        "if transaction.kind is TransactionKind.CORRECTION:\n    continue",
        "",
        (f"{EFFECT}::test_the_receipt_and_the_limits_know_corrections[sqlite]",),
    ),
    Sabotage(
        "corrections are not proven",
        "M31",
        "billing_service.integrity.corrections_check:CorrectionsCheck.compared",
        "self._moved.keys() | stored.keys()",
        "self._moved.keys() & stored.keys()",
        ("integrity/test_corrections.py::test_what_is_stored_of_corrections_is_proven",),
    ),
)
