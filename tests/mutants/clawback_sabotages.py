"""Sabotages of what clawbacks take, and of what comes back of debt."""

from sabotage import Sabotage

TAKING = "billing_service/domain/takebacks.py"
SETTLED = "billing_service/domain/settled_debt.py"
FOLLOWING = "billing_service/commands/reversals.py"
CLAWING = "domain/test_takebacks.py"
BACK = "domain/test_reinstatements.py"
PAYING = "domain/test_settled_debt.py"
RULES = "end_to_end/test_rules_of_clawbacks.py"
VERIFIED = "money/test_verified.py::test_tampering_with_what_was_taken_back_shows"

CLAWBACKS = (
    Sabotage(
        "paying debt shakes off an expiry",
        "M7",
        SETTLED,
        "expire_time_us=ends_us if paid_last is None else min(ends_us, paid_last)",
        "expire_time_us=None",
        (f"{PAYING}::test_credits_of_an_unknown_payer_are_promotional_and_end_after_a_month",),
    ),
    Sabotage(
        "what comes back outlives the lot that paid",
        "M7",
        SETTLED,
        "expire_time_us=ends_us if paid_last is None else min(ends_us, paid_last)",
        "expire_time_us=ends_us",
        (f"{PAYING}::test_what_has_no_room_ends_no_later_than_the_lot_that_paid_last",),
    ),
    Sabotage(
        "nobody knows who paid a debt",
        "M7",
        "billing_service/domain/deduction_reversals.py",
        "give_back_debt(posting, Place.USAGE, amount, payments, unknown, ids=ids)",
        "give_back_debt(posting, Place.USAGE, amount, (), unknown, ids=ids)",
        (f"{PAYING}::test_bought_credits_that_paid_are_bought_credits_again",),
    ),
    Sabotage(
        "a payer is given back twice",
        "M7",
        SETTLED,
        "                gone = min(amount, returned[source])\n",
        "                gone = 0\n",
        (f"{PAYING}::test_who_paid_is_read_from_the_newest_on",),
    ),
    Sabotage(
        "a payer is given back more than it paid",
        "M7",
        SETTLED,
        "min(left, paid if lot.ended_to else",
        "min(left, left if lot.ended_to or left else",
        (f"{PAYING}::test_the_last_payer_gets_back_first_and_no_more_than_it_paid",),
    ),
    Sabotage(
        "history is walked without an end",
        "M7",
        "billing_service/commands/settled_debt.py",
        "len(history) < LINKS_MAX",
        "len(history) < LINKS_MAX**9",
        (f"{RULES}::test_who_paid_is_known_as_far_as_history_is_walked",),
    ),
    Sabotage(
        "a month, whatever the settings say",
        "M7",
        "billing_service/bootstrap.py",
        "        returned_lifetime_us=settings.returned_credits_lifetime_s * 1_000_000,\n",
        "",
        (f"{RULES}::test_how_long_such_credits_last_is_a_setting[sqlite]",),
    ),
    Sabotage(
        "what expired is owed",
        "M8",
        TAKING,
        "    expired = min(left, sum(lot.expired for lot in lots) - expired_taken)\n",
        "    expired = 0\n",
        (
            f"{CLAWING}::test_what_expired_is_taken_before_anything_is_owed",
            f"{RULES}::test_what_expired_is_never_owed[sqlite-swept]",
        ),
    ),
    Sabotage(
        "what expired is taken again and again",
        "M8",
        TAKING,
        "sum(lot.expired for lot in lots) - expired_taken)",
        "sum(lot.expired for lot in lots))",
        (f"{CLAWING}::test_what_expired_is_taken_once",),
    ),
    Sabotage(
        "what expired is set aside",
        "M8",
        TAKING,
        "posting.set_aside(amount - expired)",
        "posting.set_aside(amount)",
        (f"{CLAWING}::test_what_expired_is_taken_before_anything_is_owed",),
    ),
    Sabotage(
        "the sweep decides what is owed",
        "M8",
        TAKING,
        "        posting.expire_lot(lot)\n",
        "",
        (f"{CLAWING}::test_what_expired_is_taken_before_anything_is_owed", f"{RULES}::test_what_expired_is_never_owed[sqlite-unswept]"),
    ),
    Sabotage(
        "the sweep forgets what it took",
        "M8",
        "billing_service/domain/account.py",
        "            lot.expired += lot.remaining\n",
        "",
        (f"{CLAWING}::test_what_expired_is_taken_before_anything_is_owed",),
    ),
    Sabotage(
        "debt comes back last",
        "M8",
        TAKING,
        "        lots = min(amount - debt, self.lots)\n        return Taken(lots, amount - debt - lots, debt)\n",
        "        lots = min(amount, self.lots)\n        expired = min(amount - lots, self.expired)\n        return Taken(lots, expired, amount - lots - expired)\n",
        (f"{BACK}::test_what_comes_back_is_what_was_taken_debt_first",),
    ),
    Sabotage(
        "settled debt comes back into a lot that has expired",
        "M8",
        TAKING,
        "        if lot.has_expired(now_us) or lot.ended_to:\n",
        "        if lot.ended_to:\n",
        (f"{BACK}::test_settled_debt_of_an_unknown_payer_is_usable",),
    ),
    Sabotage(
        "a purchase forgets what it owed",
        "M8",
        FOLLOWING,
        "    purchase.reversed_debt += taken.debt\n",
        "",
        (f"{RULES}::test_debt_that_was_settled_meanwhile_is_usable_when_the_money_came_back[sqlite-swept]",),
    ),
    Sabotage(
        "a purchase forgets what had expired",
        "M8",
        FOLLOWING,
        "    purchase.reversed_expired += taken.expired\n",
        "",
        (f"{RULES}::test_what_expired_is_never_owed[sqlite-swept]",),
    ),
    Sabotage(
        "what expired is refundable until the sweep",
        "M8",
        "billing_service/commands/refund.py",
        "run_out = lot.remaining if lot.has_expired(unit.now_us) else 0",
        "run_out = 0",
        (f"{RULES}::test_what_expired_is_never_owed[sqlite-unswept]",),
    ),
    Sabotage(
        "a deduction undone after a clawback stays owed",
        "M8",
        "billing_service/commands/reverse_deduction.py",
        "        yield from make_debt_good(unit, command.account_id, reversal.transaction)\n",
        "",
        (f"{RULES}::test_a_deduction_undone_after_a_clawback_is_not_owed_any_more[sqlite-swept]",),
    ),
    Sabotage(
        "verify overlooks what expired",
        "M8",
        "billing_service/operations/lots_check.py",
        "self._expired[lot_id], lot.expired\n",
        "0, 0\n",
        (f"{VERIFIED}[sqlite-expired raised]",),
    ),
    Sabotage(
        "verify overlooks what a purchase owed",
        "M8",
        "billing_service/operations/account_check.py",
        '        self._compare_reversed("purchase", self._purchases.taken(), stored.reversed_purchases)\n',
        "",
        (f"{VERIFIED}[sqlite-less was owed]",),
    ),
    Sabotage(
        "a refund that Stripe made after it refused it is lost",
        "P12",
        "billing_service/commands/unit.py",
        "    if stored is None:\n        yield from spend_key(unit, key, reply, resource_id)\n    elif stored.resource_id == resource_id:\n",
        "    if True:\n",
        ("stripe_events/test_calls_at_once.py::test_a_refund_that_stripe_makes_after_it_refused_it",),
    ),
)
