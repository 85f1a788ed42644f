"""Sabotages of what a referral gives, and of what it takes back."""

from tests.mutants.sabotage import Sabotage

REFERRALS = "billing_service.domain.promotions.referrals"
TAKEN = "billing_service.domain.promotions.bonuses"
QUOTES = "billing_service.domain.sales.reversals"
ENDED_LOTS = "billing_service.domain.ledger.ended_lots"
FOLLOWING = "billing_service.commands.clawbacks.bonuses"
STANDING = "domain/test_referrals.py"
TAKING = "domain/test_bonuses.py"
QUOTING = "domain/test_reversals.py"
RULES = "end_to_end/test_rules_of_bonuses.py"
LIMITS = "end_to_end/test_limits_of_bonuses.py"

BONUSES = (
    Sabotage(
        "a spent bonus is refunded beside the purchase",
        "M5",
        f"{QUOTES}:quote_unused_only.falling_minor",
        "stake.spent_microcredits",
        "0",
        (
            f"{QUOTING}::test_quotes_where_a_referral_is_at_stake",
            f"{RULES}::test_a_spent_bonus_is_not_refunded_beside_the_purchase[sqlite]",
        ),
    ),
    Sabotage(
        "a quote forgets what the bonus would owe",
        "M5",
        f"{QUOTES}:quote_amount",
        "max(0, stake.spent_microcredits - (purchase.left_microcredits - from_lots))",
        "0 * max(0, stake.spent_microcredits - (purchase.left_microcredits - from_lots))",
        (f"{QUOTING}::test_quotes_where_a_referral_is_at_stake",),
    ),
    Sabotage(
        "a refund makes a referral fall that could stay",
        "M5",
        f"{QUOTES}:quote_unused_only",
        "min(_coverable_minor(purchase, 0), stake.standing_refund_minor)",
        "min(_coverable_minor(purchase, 0), purchase.remaining_minor)",
        (f"{QUOTING}::test_the_largest_refund_is_the_largest_whatever_is_at_stake",),
    ),
    Sabotage(
        "what was spent of a bonus is not owed",
        "M5",
        f"{TAKEN}:claw_back_bonus",
        ("if owed:\n    posting.borrow(Place.BONUSES, owed)"),
        "",
        (f"{TAKING}::test_a_buyer_owes_its_bonus_whole",),
    ),
    Sabotage(
        "a spent bonus spares the purchase",
        "M5",
        f"{TAKEN}:claw_back_bonus.part",
        "lot.has_expired(now_us)",
        "lot.remaining",
        (f"{TAKING}::test_a_buyer_owes_its_bonus_whole",),
    ),
    Sabotage(
        "what a bonus lost to its expiry is owed",
        "M5",
        f"{TAKEN}:claw_back_bonus.spent",
        "bonus.spent",
        "bonus.spent + bonus.expired",
        (f"{TAKING}::test_what_a_bonus_lost_to_its_expiry_counts_as_given_back",),
    ),
    Sabotage(
        "a cent keeps the bonuses",
        "M6",
        f"{REFERRALS}:stands",
        "paid_for_credits_minor * (paid_minor - reversed_minor) >= minimum_minor * paid_minor",
        "paid_for_credits_minor * (paid_minor - reversed_minor) > 0",
        (
            f"{STANDING}::test_a_referral_stands_while_enough_stays_paid",
            f"{RULES}::test_a_cent_keeps_no_bonus[sqlite]",
        ),
    ),
    Sabotage(
        "all goes back and the bonuses stay",
        "M6",
        f"{REFERRALS}:stands",
        ("if reversed_minor and reversed_minor >= paid_minor:\n    return False"),
        "",
        (
            f"{STANDING}::test_a_referral_stands_while_enough_stays_paid",
            f"{RULES}::test_without_a_minimum_something_must_stay_paid[sqlite]",
        ),
    ),
    Sabotage(
        "tax earns bonuses",
        "M6",
        "billing_service.commands.sales.completion:_decide_referral.outcome",
        "purchase.paid_for_credits_minor",
        "purchase.paid_minor",
        (f"{RULES}::test_tax_earns_no_bonus[sqlite-70-50-4-None]",),
    ),
    Sabotage(
        "a spent bonus frees the cap of its referrer",
        "M10",
        "billing_service.storage.rows.purchases:COUNT_REWARDS",
        "referrals.c.referrer_taken < referrals.c.bonus",
        "referrals.c.state == literal_column(\"'REWARDED'\")",
        (f"{LIMITS}::test_a_bonus_that_was_spent_counts_towards_the_cap_though_its_purchase_went_back[sqlite]",),
    ),
    Sabotage(
        "a bonus without room stops the sale",
        "M10",
        "billing_service.commands.sales.completion:_bonus",
        "if not account.has_room(amount):\n    return ''",
        "",
        (
            f"{LIMITS}::test_a_referrer_without_room_stops_no_sale[sqlite]",
            f"{LIMITS}::test_a_buyer_with_room_for_the_credits_alone_gets_them[sqlite]",
        ),
    ),
    Sabotage(
        "bonuses are there at once",
        "M6",
        "billing_service.settings.groups.referrals:ReferralSettings.referral_vesting_delay_s",
        "1_209_600",
        "0",
        (f"{RULES}::test_bonuses_wait_two_weeks_unless_settings_say_otherwise[sqlite]",),
    ),
    Sabotage(
        "a referral that fell is down for good",
        "M6",
        f"{FOLLOWING}:follow_referral",
        "is_due and referral.state is ReferralState.REVERSED",
        "is_due is None",
        (
            f"{RULES}::test_a_refund_begun_at_stripe_takes_the_bonus_as_well[sqlite]",
            f"{RULES}::test_a_bonus_that_is_due_again_takes_up_what_comes_back[sqlite]",
        ),
    ),
    Sabotage(
        "a bonus that is due again is whole, whatever was taken",
        "M6",
        f"{TAKEN}:restore_bonus",
        "posting.into_lot(lot, Place.BONUSES, taken.lot)",
        "posting.into_lot(lot, Place.BONUSES, capacity)",
        (f"{TAKING}::test_there_and_back_is_where_it_began",),
    ),
    Sabotage(
        "debt of a bonus that is due again, which nobody is known to have paid, comes back without end",
        "M8",
        f"{TAKEN}:restore_bonus",
        "_give_back_debt(posting, taken.debt, payments, lifetime_us=lifetime_us, ids=ids)",
        "posting.into_lot(lot, Place.BONUSES, taken.debt)",
        (f"{TAKING}::test_settled_debt_of_an_unknown_payer[restored]",),
    ),
    Sabotage(
        "a bonus that is due again forgets when it was promised for",
        "M6",
        f"{TAKEN}:_successor",
        "due_us if due_us > now_us else AT_ONCE_US",
        "AT_ONCE_US",
        (f"{TAKING}::test_there_and_back_is_where_it_began",),
    ),
    Sabotage(
        "a lot that was taken back keeps what returns",
        "M4",
        f"{ENDED_LOTS}:back_into_lot",
        (
            "if lot.ended_to:\n"
            "    posting.account.has_passed_on = True\n"
            "    posting.entries.append(Entry(source, lot.lot_id, amount))\n"
            "    if is_lot(lot.ended_to):\n"
            "        back_into_lot(posting, posting.account.known_lot(lot.ended_to), lot.lot_id, amount, ids)\n"
            "    else:\n"
            "        posting.entries.append(Entry(lot.lot_id, lot.ended_to, amount))\n"
            "    return"
        ),
        (
            "if lot.ended_to and not amount:\n"
            "    posting.entries.append(Entry(source, lot.lot_id, amount))\n"
            "    if is_lot(lot.ended_to):\n"
            "        back_into_lot(posting, posting.account.known_lot(lot.ended_to), lot.lot_id, amount, ids)\n"
            "    else:\n"
            "        posting.entries.append(Entry(lot.lot_id, lot.ended_to, amount))\n"
            "    return"
        ),
        (f"{TAKING}::test_an_ended_lot_keeps_nothing_that_comes_back",),
    ),
    Sabotage(
        "a bonus is taken back and its lot goes on",
        "M4",
        f"{ENDED_LOTS}:end_lot",
        "succeed(posting, lot, place)",
        "",
        (f"{TAKING}::test_an_ended_lot_keeps_nothing_that_comes_back",),
    ),
    Sabotage(
        "what is taken back ends later than it did",
        "M4",
        f"{ENDED_LOTS}:end_lot",
        "not lot.has_expired(posting.now_us)",
        "lot.remaining == 0",
        (f"{TAKING}::test_an_expiry_only_ever_moves_to_now",),
    ),
    Sabotage(
        "the end of a lot is not stored",
        "M4",
        "billing_service.storage.rows.ledger:_lot_calls",
        "account.rewritten",
        "account.empty_before & account.rewritten",
        (f"{RULES}::test_a_bonus_parked_outside_of_its_lot_does_not_survive[sqlite-1000-1000-1000-0-False]",),
    ),
    Sabotage(
        "nothing follows a lot that was taken back",
        "M4",
        f"{ENDED_LOTS}:back_into_lot",
        "is_lot(lot.ended_to)",
        "is_lot(lot.ended_to) and not amount",
        (f"{TAKING}::test_what_comes_back_to_an_old_lot_goes_to_the_new_one",),
    ),
    Sabotage(
        "a deduction undone after the fall frees nothing that was taken in its stead",
        "M4",
        "billing_service.commands.spending.reverse_deduction:reverse.effect",
        "yield from unit.note_returns()",
        "",
        (f"{RULES}::test_a_bonus_parked_outside_of_its_lot_does_not_survive[sqlite-1000-400-500-0-False]",),
    ),
    Sabotage(
        "what came back before a bonus is due again is forgotten",
        "M4",
        f"{FOLLOWING}:follow_referral",
        ("yield from unit.note_returns()\nreferral = yield from locked_referral(unit, purchase.account_id)"),
        "referral = yield from locked_referral(unit, purchase.account_id)",
        ("money/test_stories.py::test_a_refund_that_comes_to_nothing_changes_nothing[sqlite-3-ends-vested-refused]",),
    ),
    Sabotage(
        "verify overlooks lots that go on",
        "M4",
        "billing_service.integrity.lots_check:LotsCheck.compared",
        "self._taken.get(lot.source_id, 0) > came",
        "False",
        (
            (
                "money/test_verified.py::test_tampering_with_what_was_taken_back_shows"
                "[sqlite-a lot that was taken back is open again]"
            ),
        ),
    ),
)
