"""Sabotages of what a referral gives, and of what it takes back."""

from sabotage import Sabotage

REFERRALS = "billing_service/domain/referrals.py"
TAKEN = "billing_service/domain/bonuses.py"
QUOTES = "billing_service/domain/reversals.py"
ACCOUNT = "billing_service/domain/account.py"
FOLLOWING = "billing_service/commands/bonuses.py"
STANDING = "domain/test_referrals.py"
TAKING = "domain/test_bonuses.py"
QUOTING = "domain/test_reversals.py"
RULES = "end_to_end/test_rules_of_bonuses.py"

BONUSES = (
    Sabotage(
        "a spent bonus is refunded beside the purchase",
        "M5",
        QUOTES,
        "_coverable_minor(purchase, stake.spent_microcredits)",
        "_coverable_minor(purchase, 0)",
        (
            f"{QUOTING}::test_quotes_where_a_referral_is_at_stake",
            f"{RULES}::test_a_spent_bonus_is_not_refunded_beside_the_purchase[sqlite]",
        ),
    ),
    Sabotage(
        "a quote forgets what the bonus would owe",
        "M5",
        QUOTES,
        "    debt += max(0, stake.spent_microcredits",
        "    debt += 0 * max(0, stake.spent_microcredits",
        (f"{QUOTING}::test_quotes_where_a_referral_is_at_stake",),
    ),
    Sabotage(
        "a refund makes a referral fall that could stay",
        "M5",
        QUOTES,
        "min(_coverable_minor(purchase, 0), stake.standing_refund_minor)",
        "min(_coverable_minor(purchase, 0), purchase.remaining_minor)",
        (f"{QUOTING}::test_the_largest_refund_is_the_largest_whatever_is_at_stake",),
    ),
    Sabotage(
        "what was spent of a bonus is not owed",
        "M5",
        TAKEN,
        "    if owed:\n        posting.borrow(Place.BONUSES, owed)\n",
        "",
        (f"{TAKING}::test_a_buyer_owes_its_bonus_whole",),
    ),
    Sabotage(
        "a spent bonus spares the purchase",
        "M5",
        TAKEN,
        "part = 0 if lot.has_expired(now_us) else min(",
        "part = 0 if lot.remaining else min(",
        (f"{TAKING}::test_a_buyer_owes_its_bonus_whole",),
    ),
    Sabotage(
        "what a bonus lost to its expiry is owed",
        "M5",
        TAKEN,
        "    spent = bonus.spent\n",
        "    spent = bonus.spent + bonus.expired\n",
        (f"{TAKING}::test_what_a_bonus_lost_to_its_expiry_counts_as_given_back",),
    ),
    Sabotage(
        "a cent keeps the bonuses",
        "M6",
        REFERRALS,
        ">= minimum_minor * paid_minor\n",
        "> 0\n",
        (
            f"{STANDING}::test_a_referral_stands_while_enough_stays_paid",
            f"{RULES}::test_a_cent_keeps_no_bonus[sqlite]",
        ),
    ),
    Sabotage(
        "all goes back and the bonuses stay",
        "M6",
        REFERRALS,
        "    if reversed_minor and reversed_minor >= paid_minor:\n        return False\n",
        "",
        (
            f"{STANDING}::test_a_referral_stands_while_enough_stays_paid",
            f"{RULES}::test_without_a_minimum_something_must_stay_paid[sqlite]",
        ),
    ),
    Sabotage(
        "tax earns bonuses",
        "M6",
        "billing_service/commands/completion.py",
        "decide_first_purchase(policy, purchase.paid_for_credits_minor, rewarded)",
        "decide_first_purchase(policy, purchase.paid_minor, rewarded)",
        (f"{RULES}::test_tax_earns_no_bonus[sqlite-70-50-4-None]",),
    ),
    Sabotage(
        "bonuses are there at once",
        "M6",
        "billing_service/settings/groups/referrals.py",
        '"BILLING_REFERRAL_VESTING_DELAY_S", 1_209_600,',
        '"BILLING_REFERRAL_VESTING_DELAY_S", 0,',
        (f"{RULES}::test_bonuses_wait_two_weeks_unless_settings_say_otherwise[sqlite]",),
    ),
    Sabotage(
        "a referral that fell is down for good",
        "M6",
        FOLLOWING,
        "if is_due and referral.state is ReferralState.REVERSED:",
        "if is_due is None:",
        (
            f"{RULES}::test_a_refund_begun_at_stripe_takes_the_bonus_as_well[sqlite]",
            f"{RULES}::test_a_bonus_that_is_due_again_takes_up_what_comes_back[sqlite]",
        ),
    ),
    Sabotage(
        "a bonus that is due again is whole, whatever was taken",
        "M6",
        TAKEN,
        "posting.into_lot(lot, Place.BONUSES, taken.lot)",
        "posting.into_lot(lot, Place.BONUSES, capacity)",
        (f"{TAKING}::test_there_and_back_is_where_it_began",),
    ),
    Sabotage(
        "a bonus that is due again forgets when it was promised for",
        "M6",
        TAKEN,
        "effective_time_us=due_us if due_us > now_us else AT_ONCE_US",
        "effective_time_us=AT_ONCE_US",
        (f"{TAKING}::test_there_and_back_is_where_it_began",),
    ),
    Sabotage(
        "a lot that was taken back keeps what returns",
        "M4",
        ACCOUNT,
        "        if lot.ended_to:\n            self.entries.append",
        "        if lot.ended_to and not amount:\n            self.entries.append",
        (f"{TAKING}::test_an_ended_lot_keeps_nothing_that_comes_back",),
    ),
    Sabotage(
        "a bonus is taken back and its lot goes on",
        "M4",
        ACCOUNT,
        "        self.succeed(lot, place)\n        return taken\n",
        "        return taken\n",
        (f"{TAKING}::test_an_ended_lot_keeps_nothing_that_comes_back",),
    ),
    Sabotage(
        "what is taken back ends later than it did",
        "M4",
        ACCOUNT,
        "        if not lot.has_expired(self.now_us):\n            lot.expire_time_us",
        "        if lot.remaining == 0:\n            lot.expire_time_us",
        (f"{TAKING}::test_an_expiry_only_ever_moves_to_now",),
    ),
    Sabotage(
        "the end of a lot is not stored",
        "M4",
        "billing_service/storage/ledger_rows.py",
        "            if lot.lot_id in account.rewritten:\n",
        "            if lot.lot_id in account.empty_before & account.rewritten:\n",
        (f"{RULES}::test_a_bonus_parked_outside_of_its_lot_does_not_survive[sqlite-1000-1000-1000-0-False]",),
    ),
    Sabotage(
        "nothing follows a lot that was taken back",
        "M4",
        ACCOUNT,
        "            if is_lot(lot.ended_to):\n",
        "            if is_lot(lot.ended_to) and not amount:\n",
        (f"{TAKING}::test_what_comes_back_to_an_old_lot_goes_to_the_new_one",),
    ),
    Sabotage(
        "a deduction undone after the fall frees nothing that was taken in its stead",
        "M4",
        "billing_service/commands/reverse_deduction.py",
        "        yield from note_returns(unit)\n",
        "",
        (f"{RULES}::test_a_bonus_parked_outside_of_its_lot_does_not_survive[sqlite-1000-400-500-0-False]",),
    ),
    Sabotage(
        "what came back before a bonus is due again is forgotten",
        "M4",
        FOLLOWING,
        "    noted = yield from note_returns(unit)\n",
        "    noted: dict[str, int] = {}\n",
        ("money/test_stories.py::test_a_refund_that_comes_to_nothing_changes_nothing[sqlite-3-ends-vested-refused]",),
    ),
    Sabotage(
        "verify overlooks lots that go on",
        "M4",
        "billing_service/operations/lots_check.py",
        "self._taken.get(lot.source_id, 0) > self._filled[lot_id], False",
        "False, False",
        ("money/test_verified.py::test_tampering_with_what_was_taken_back_shows[sqlite-a lot that was taken back is open again]",),
    ),
)
