"""Sabotages of what clawbacks take, and of what comes back of debt."""

from tests.mutants.sabotage import Sabotage

TAKING = "billing_service.domain.sales.clawbacks"
SETTLED = "billing_service.domain.ledger.settled_debt"
FOLLOWING = "billing_service.commands.clawbacks.purchases"
CLAWING = "domain/test_clawbacks.py"
BACK = "domain/test_reinstatements.py"
PAYING = "domain/test_settled_debt.py"
RULES = "end_to_end/test_rules_of_clawbacks.py"
OLDER = "money/test_older_program_stories.py"
VERIFIED = "money/test_verified.py::test_tampering_with_what_was_taken_back_shows"

CLAWBACKS = (
    Sabotage(
        "what ran out is booked as of its booking",
        "M8",
        "billing_service.domain.ledger.expiry:book_expired",
        "Posting(account, now_us, effective_us=end_us)",
        "Posting(account, now_us)",
        ("domain/test_granting.py::test_what_ran_out_is_booked_once",),
    ),
    Sabotage(
        "paying debt shakes off an expiry",
        "M7",
        f"{SETTLED}:lot_of_unknown",
        "min([posting.now_us + lifetime_us, *ends_us])",
        "None",
        (f"{PAYING}::test_credits_of_an_unknown_payer_are_promotional_and_end_after_a_month",),
    ),
    Sabotage(
        "what comes back outlives the lot that paid",
        "M7",
        f"{SETTLED}:lot_of_unknown",
        "min([posting.now_us + lifetime_us, *ends_us])",
        "posting.now_us + lifetime_us",
        (f"{PAYING}::test_what_has_no_room_ends_no_later_than_the_lot_that_paid_last",),
    ),
    Sabotage(
        "nobody knows who paid a debt",
        "M7",
        "billing_service.domain.spending.reversals:give_back_debt_of",
        "give_back_debt(posting, Place.USAGE, amount, payments, unknown, ids=ids)",
        "give_back_debt(posting, Place.USAGE, amount, (), unknown, ids=ids)",
        (f"{PAYING}::test_bought_credits_that_paid_are_bought_credits_again",),
    ),
    Sabotage(
        "a payer is given back twice",
        "M7",
        f"{SETTLED}:recent_payments.gone",
        "min(amount, returned[source])",
        "0",
        (f"{PAYING}::test_who_paid_is_read_from_the_newest_on",),
    ),
    Sabotage(
        "a payer is given back more than it paid",
        "M7",
        f"{SETTLED}:give_back_debt.part",
        "paid if lot.ended_to else min(paid, lot.room)",
        "left if lot.ended_to or left else min(paid, lot.room)",
        (f"{PAYING}::test_the_last_payer_gets_back_first_and_no_more_than_it_paid",),
    ),
    Sabotage(
        "history is walked without an end",
        "M7",
        "billing_service.ledger.settled_debt:payments_of",
        "LINKS_MAX",
        "LINKS_MAX**9",
        (f"{RULES}::test_who_paid_is_known_as_far_as_history_is_walked",),
    ),
    Sabotage(
        "a month, whatever the settings say",
        "M7",
        "billing_service.bootstrap:_environment.spending",
        (
            "SpendingTerms(debt_max=settings.debt_max_credits * MICROCREDITS_PER_CREDIT, "
            "reversal_window_us=settings.reversal_window_s * US_PER_S, "
            "usage_age_max_us=settings.usage_age_max_s * US_PER_S, "
            "returned_lifetime_us=settings.returned_credits_lifetime_s * US_PER_S, "
            "late_capture_us=settings.late_capture_s * US_PER_S, windows=Windows(zone_of(settings.time_zone)))"
        ),
        (
            "SpendingTerms(debt_max=settings.debt_max_credits * MICROCREDITS_PER_CREDIT, "
            "reversal_window_us=settings.reversal_window_s * US_PER_S, "
            "usage_age_max_us=settings.usage_age_max_s * US_PER_S, "
            "late_capture_us=settings.late_capture_s * US_PER_S, windows=Windows(zone_of(settings.time_zone)))"
        ),
        (f"{RULES}::test_how_long_such_credits_last_is_a_setting[sqlite]",),
    ),
    Sabotage(
        "what expired is owed",
        "M8",
        f"{TAKING}:claw_back.expired",
        "min(left, sum(lot.expired for lot in lots) - expired_taken)",
        "0",
        (
            f"{CLAWING}::test_what_expired_is_taken_before_anything_is_owed",
            f"{RULES}::test_what_expired_is_never_owed[sqlite-swept]",
        ),
    ),
    Sabotage(
        "what expired is taken again and again",
        "M8",
        f"{TAKING}:claw_back.expired",
        "sum(lot.expired for lot in lots) - expired_taken",
        "sum(lot.expired for lot in lots)",
        (f"{CLAWING}::test_what_expired_is_taken_once",),
    ),
    Sabotage(
        "what expired is set aside",
        "M8",
        f"{TAKING}:claw_back",
        "amount - expired",
        "amount",
        (f"{CLAWING}::test_what_expired_is_taken_before_anything_is_owed",),
    ),
    Sabotage(
        "the sweep decides what is owed",
        "M8",
        f"{TAKING}:claw_back",
        "book_expired(account, lots, now_us=now_us, ids=ids)",
        "",
        (
            f"{CLAWING}::test_what_expired_is_taken_before_anything_is_owed",
            f"{RULES}::test_what_expired_is_never_owed[sqlite-unswept]",
        ),
    ),
    Sabotage(
        "the sweep forgets what it took",
        "M8",
        "billing_service.domain.ledger.posting:Posting.expire_lot",
        "lot.expired += lot.remaining",
        "",
        (f"{CLAWING}::test_what_expired_is_taken_before_anything_is_owed",),
    ),
    Sabotage(
        "debt comes back last",
        "M8",
        f"{TAKING}:Taken.first",
        ("lots = min(amount - debt, self.lots)\nreturn Taken(lots, amount - debt - lots, debt)"),
        (
            "lots = min(amount, self.lots)\nexpired = min(amount - lots, self.expired)\nreturn Taken(lots, expired, "
            "amount - lots - expired)"
        ),
        (f"{BACK}::test_what_comes_back_is_what_was_taken_debt_first",),
    ),
    Sabotage(
        "settled debt of an unknown payer comes back without end",
        "M8",
        f"{TAKING}:reinstate.unknown",
        (
            "posting.into_new_lot("
            "lot_of_unknown(posting, left, payments, lifetime_us=lifetime_us, ids=ids), Place.REVERSED)"
        ),
        "back_into_lot(posting, lot, Place.REVERSED, left, ids)",
        (f"{BACK}::test_settled_debt_of_an_unknown_payer_ends_before_long",),
    ),
    Sabotage(
        "a purchase forgets what it owed",
        "M8",
        f"{FOLLOWING}:_take",
        "purchase.reversed_debt += taken.debt",
        "",
        (f"{RULES}::test_debt_that_was_settled_meanwhile_is_usable_when_the_money_came_back[sqlite-swept]",),
    ),
    Sabotage(
        "a purchase forgets what had expired",
        "M8",
        f"{FOLLOWING}:_take",
        "purchase.reversed_expired += taken.expired",
        "",
        (f"{RULES}::test_what_expired_is_never_owed[sqlite-swept]",),
    ),
    Sabotage(
        "what expired is refundable until the sweep",
        "M8",
        "billing_service.commands.sales.refund:_quote.run_out",
        "lot.remaining if lot.has_expired(unit.now_us) else 0",
        "0",
        (f"{RULES}::test_what_expired_is_never_owed[sqlite-unswept]",),
    ),
    Sabotage(
        "a deduction undone after a clawback stays owed",
        "M8",
        "billing_service.commands.spending.reverse_deduction:reverse.effect",
        "yield from make_debt_good(environment, unit, command.account_id, reversal.transaction.entries)",
        "",
        (f"{RULES}::test_a_deduction_undone_after_a_clawback_is_not_owed_any_more[sqlite-swept]",),
    ),
    Sabotage(
        "what an older program let expire is not counted",
        "M8",
        "billing_service.storage.rows.catching_up:read_missed",
        "lot.expired += expired[lot_id]",
        "pass",
        (f"{OLDER}::test_what_the_older_sweep_expired_is_no_debt[sqlite-older]",),
    ),
    Sabotage(
        "debt of an older program's clawback is not counted",
        "M8",
        "billing_service.storage.rows.catching_up:_recount",
        "purchase.reversed_expired, purchase.reversed_debt = since.taken.expired, since.taken.debt",
        "pass",
        (f"{OLDER}::test_debt_of_an_older_clawback_comes_back_first[sqlite]",),
    ),
    Sabotage(
        "verify counts what is not caught up with",
        "M8",
        "billing_service.integrity.lots_check:LotsCheck.follow",
        "counts = transaction.version <= self._caught_up_version",
        "counts = True",
        (f"{OLDER}::test_a_bonus_that_the_older_program_took_is_restored[sqlite-False]",),
    ),
    Sabotage(
        "a bonus that an older program took is left to it",
        "M9",
        "billing_service.storage.rows.catching_up:catch_up",
        "hidden = yield HIDE_FALLEN(earned_by[0], purchase_id)",
        "hidden = 0",
        (
            f"{OLDER}::test_a_bonus_that_the_older_program_took_is_restored",
            f"{OLDER}::test_a_bonus_that_the_older_program_took_is_kept_by_nobody",
        ),
    ),
    Sabotage(
        "a deduction overlooks what an older program wrote",
        "M9",
        "billing_service.ledger.posting:post_batch",
        "batch.leave_out(account.account_id for account in list(accounts.values()) if account.behind)",
        "",
        (f"{OLDER}::test_a_deduction_after_the_older_sweep_forgets_nothing",),
    ),
    Sabotage(
        "an older program restores a bonus that fell",
        "M4",
        "billing_service.commands.clawbacks.bonuses:_take",
        'referral.purchase_id, referral.fallen_purchase_id = "", purchase_id',
        "pass",
        (f"{OLDER}::test_the_older_program_restores_no_bonus_that_fell[sqlite]",),
    ),
    Sabotage(
        "verify overlooks what expired",
        "M8",
        "billing_service.integrity.lots_check:LotsCheck.compared",
        'f"lot {lot_id} expired", self._expired[lot_id] - unexpired.get(lot_id, 0), lot.expired',
        'f"lot {lot_id} expired", 0, 0',
        (f"{VERIFIED}[sqlite-expired raised]",),
    ),
    Sabotage(
        "verify overlooks what a purchase owed",
        "M8",
        "billing_service.integrity.account_check:AccountCheck.end",
        'self._compare_reversed("purchase", self._purchases.taken(), stored.reversed_purchases)',
        "",
        (f"{VERIFIED}[sqlite-less was owed]",),
    ),
    Sabotage(
        "a refund that Stripe made after it refused it is lost",
        "P12",
        "billing_service.ledger.provider_step:settle_intent",
        (
            "if stored is None:\n"
            "    yield from record_key(unit, key, reply, resource_id)\n"
            "elif stored.resource_id == resource_id:\n"
            "    yield from answer_key(key.id, reply)"
        ),
        ("if True:\n    yield from answer_key(key.id, reply)"),
        ("stripe_events/test_calls_at_once.py::test_a_refund_that_stripe_makes_after_it_refused_it",),
    ),
)
