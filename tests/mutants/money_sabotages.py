"""Sabotages of what credits may do: spending, lots, debt, refunds, referrals."""

from tests.mutants.sabotage import Sabotage

SPENDING = "billing_service.domain.spending.deductions"
LOTS = "billing_service.domain.ledger.lots"
REFUND = "billing_service.commands.sales.refund"
STEP = "billing_service.ledger.provider_step"
COMPLETION = "billing_service.commands.sales.completion"
REFERRAL = "billing_service.commands.promotions.apply_referral"
PURCHASES = "billing_service.domain.sales.purchases"
DEDUCTING = "domain/test_spending.py"
REFUNDING = "end_to_end/test_refund.py"
REFERRING = "end_to_end/test_apply_referral.py"
REVERSALS = "billing_service.domain.spending.reversals"
UNDOING = "domain/test_spending_reversals.py"
RULES = "end_to_end/test_rules_of_money.py"

MONEY = (
    Sabotage(
        "no guard against overdraft",
        "P2",
        f"{SPENDING}:_check_may_owe",
        "shortfall > 0",
        "shortfall > BALANCE_MAX",
        (f"{DEDUCTING}::test_short_of_credits",),
    ),
    Sabotage(
        "a deduction of nothing spends no key",
        "M2",
        "billing_service.ledger.posting:_Batch._post",
        'self.keys.append(key_row(key, reply, "", now_us))',
        ('if account.transactions[-1].entries:\n    self.keys.append(key_row(key, reply, "", now_us))'),
        ("ledger/test_group_commit.py::test_nothing_to_take_is_a_deduction_of_nothing",),
    ),
    Sabotage(
        "an event that was replayed by hand keeps no answer",
        "M2",
        "billing_service.stripe_events.inbox:replay_event",
        "return await environment.store.write(lambda: once(environment.sources, request, [], effect, detail=detail))",
        (
            "now = await environment.store.read(lambda: read_event(event_id))\n"
            "assert now is not None and effect and detail\n"
            "return Answer(command.encode(now, processed.outcome), replayed=False)"
        ),
        (f"{RULES}::test_what_changes_nothing_is_answered_once_as_well[sqlite]",),
    ),
    Sabotage(
        "any transaction may have lost its entries",
        "P40",
        "billing_service.integrity.account_check:AccountCheck._follow.moves_nothing",
        "transaction.kind in MAY_MOVE_NOTHING and transaction.amount == 0",
        "True",
        ("integrity/test_verify.py::test_tampering_shows",),
    ),
    Sabotage(
        "whoever may deduct may undo what others deducted",
        "M3",
        f"{REVERSALS}:check_may_reverse",
        "original.caller != caller",
        "original.caller and not caller",
        (f"{UNDOING}::test_callers_undo_what_they_did_and_only_for_a_while",),
    ),
    Sabotage(
        "deductions are undone however old they are",
        "M3",
        f"{REVERSALS}:check_may_reverse",
        "now_us - original.create_time_us",
        "original.create_time_us - now_us",
        (f"{UNDOING}::test_callers_undo_what_they_did_and_only_for_a_while",),
    ),
    Sabotage(
        "every caller undoes like an operator",
        "M3",
        "billing_service.api.requests:caller",
        "Scope.ADMIN",
        "Scope.DEDUCT",
        (f"{RULES}::test_a_caller_undoes_its_own_deductions_for_a_while[sqlite]",),
    ),
    Sabotage(
        "debt without end",
        "M1",
        f"{SPENDING}:_check_may_owe.shortfall",
        "max(bound - still_owed, 0)",
        "(max(bound - still_owed, 0) if mode is DeductionMode.REJECT else amount)",
        (f"{DEDUCTING}::test_debt_has_an_end", f"{RULES}::test_a_debt_that_is_allowed_has_a_bound[sqlite]"),
    ),
    Sabotage(
        "the bound of debt that was set is not the one that counts",
        "M1",
        f"{SPENDING}:SpendingTerms.debt_bound",
        "self.debt_max if own_debt_max < 0 else own_debt_max",
        "self.debt_max",
        (f"{DEDUCTING}::test_debt_has_an_end",),
    ),
    Sabotage(
        "the bound of debt in the settings is never looked at",
        "M1",
        "billing_service.commands.environment:Environment.__post_init__",
        "LedgerWriter(self.store, self.clock_us, self.ids, changes=self.changes, terms=self.spending, "
        "monotonic=how.monotonic, **bounds)",
        "LedgerWriter(self.store, self.clock_us, self.ids, changes=self.changes, monotonic=how.monotonic, **bounds)",
        (f"{RULES}::test_the_bound_of_debt_is_a_setting[sqlite]",),
    ),
    Sabotage(
        "frozen accounts spend",
        "P2",
        f"{SPENDING}:deduct",
        ("if account.frozen:\n    raise account_frozen()"),
        "",
        (f"{DEDUCTING}::test_a_frozen_account_spends_nothing",),
    ),
    Sabotage(
        "amounts without a limit",
        "P3",
        "billing_service.domain.ledger.amounts:AMOUNT_MAX",
        "1_000_000_000_000_000",
        "2**63 - 1",
        ("api/test_validation.py::test_amounts_out_of_range",),
    ),
    Sabotage(
        "balances without a limit",
        "P3",
        "billing_service.domain.ledger.account:Account.has_room",
        "self.balance + self.debt + amount",
        "amount",
        ("domain/test_granting.py::test_an_account_holds_no_more_than_its_limit",),
    ),
    Sabotage(
        "a lot is spendable at its last moment",
        "P41",
        f"{LOTS}:Lot.spendable",
        "self.expire_time_us > now_us",
        "self.expire_time_us >= now_us",
        ("domain/test_burn_down.py::test_a_lot_is_spendable_from_its_begin_to_before_its_end",),
    ),
    Sabotage(
        "expiry is booked a moment late",
        "P41",
        f"{LOTS}:Lot.has_expired",
        "self.expire_time_us <= now_us",
        "self.expire_time_us < now_us",
        ("domain/test_burn_down.py::test_a_lot_is_spendable_from_its_begin_to_before_its_end",),
    ),
    Sabotage(
        "paid credits go first",
        "P4",
        f"{LOTS}:burn_down_order",
        "lot.category",
        "-lot.category",
        ("domain/test_burn_down.py::test_free_credits_go_first_and_paid_ones_stay",),
    ),
    Sabotage(
        "a grant leaves debt standing",
        "P41",
        "billing_service.domain.ledger.granting:grant",
        "posting.settle_debt()",
        "",
        ("domain/test_granting.py::test_a_grant_settles_debt_first",),
    ),
    Sabotage(
        "debt paid without its entry's effect",
        "P1",
        "billing_service.domain.ledger.posting:Posting.settle_debt",
        "account.balance += paid",
        "",
        ("domain/test_granting.py::test_a_grant_settles_debt_first",),
    ),
    Sabotage(
        "a deduction is reversed again and again",
        "P4",
        f"{REVERSALS}:DeductionToReverse.wanted.reversible",
        "self.standing().net",
        "self.standing().charged",
        ("domain/test_spending_reversals.py::test_never_more_than_was_taken",),
    ),
    Sabotage(
        "a reversal is not remembered",
        "P4",
        "billing_service.commands.spending.reverse_deduction:reverse.effect",
        "before + reversal.amount",
        "reversal.amount",
        ("end_to_end/test_spending_by_callers.py::test_reversals_in_parts_return_to_where_it_came_from[sqlite]",),
    ),
    Sabotage(
        "reversal targets rounded down",
        "P4",
        "billing_service.domain.sales.reversals:target_credits",
        "-(-credits_microcredits * reversed_minor // paid_minor)",
        "credits_microcredits * reversed_minor // paid_minor",
        ("domain/test_reversals.py::test_target_is_the_share_rounded_up",),
    ),
    Sabotage(
        "credits not set aside before Stripe is asked",
        "P4",
        f"{REFUND}:_set_aside.followed",
        "True",
        "False",
        ("end_to_end/test_refunds_and_stripe.py::test_frozen_while_stripe_is_at_it_and_back_when_it_fails[sqlite]",),
    ),
    Sabotage(
        "credits given back though Stripe's answer is unknown",
        "P4",
        f"{STEP}:provider_step",
        "said = await _asked(begun, ask, next_attempt, find_made)",
        (
            "try:\n"
            "    said = await _asked(begun, ask, next_attempt, find_made)\n"
            "except ProviderUnavailable as unavailable:\n"
            '    await give_up(begun.intent, ProviderRefused("", ""))\n    raise unavailable'
        ),
        ("end_to_end/test_stripe_is_down.py::test_refunds_are_made_once_whatever_stripe_does[sqlite]",),
    ),
    Sabotage(
        "a resumed refund does not look for itself at Stripe",
        "P4",
        f"{STEP}:_asked",
        "await find_made(begun.intent) if begun.resumed and find_made is not None else None",
        "None",
        (
            "end_to_end/test_stripe_is_down.py::test_a_refund_resumed_after_stripe_forgot_the_key_is_not_made_again[sqlite]",
        ),
    ),
    Sabotage(
        "a refund asks for the payment seen when its call came",
        "P8",
        f"{REFUND}:_begin.start",
        "RefundIntent(purchase, refund)",
        "RefundIntent(seen, refund)",
        (
            "stripe_events/test_calls_at_once.py::test_a_refund_that_begins_as_the_payment_arrives_asks_for_that_payment[sqlite]",
        ),
    ),
    Sabotage(
        "credits wait for the clock that gave them",
        "P47",
        "billing_service.domain.ledger.granting:new_lot",
        "AT_ONCE_US",
        "now_us",
        ("domain/test_spending.py::test_credits_are_there_before_the_clock_that_gave_them",),
    ),
    Sabotage(
        "an old update of a refund counts",
        "P30b",
        "billing_service.commands.sales.refund_update:apply_refund_update",
        "update.status.rank > refund.status.rank",
        "update.status.rank >= 0",
        (
            "end_to_end/test_event_orders.py::test_a_refund_of_ours_ends_as_stripe_says_whatever_the_order[sqlite-failed-end1]",
        ),
    ),
    Sabotage(
        "completed purchases can be undone",
        "P5",
        f"{PURCHASES}:_transitions.rows",
        "(completed,) * len(columns)",
        "(completed, awaiting, failed, completed, expired, canceled)",
        ("domain/test_purchases.py::test_money_always_completes_and_nothing_undoes_it",),
    ),
    Sabotage(
        "a completed purchase grants again",
        "P5",
        f"{COMPLETION}:apply_update",
        "purchase.status is PurchaseStatus.COMPLETED and before is not PurchaseStatus.COMPLETED",
        "purchase.status is PurchaseStatus.COMPLETED",
        ("end_to_end/test_event_orders.py::test_delayed_money_in_every_order[sqlite-succeeded-3-1100]",),
    ),
    Sabotage(
        "both bonuses with every purchase",
        "P6",
        f"{COMPLETION}:_complete",
        "referral is not None and referral.state is ReferralState.PENDING",
        "referral is not None",
        (f"{REFERRING}::test_one_first_purchase_is_rewarded_however_many_are_paid_at_once[sqlite]",),
    ),
    Sabotage(
        "an account refers itself",
        "P6",
        f"{REFERRAL}:bind_referral",
        "referrer == account_id",
        "not referrer",
        (f"{REFERRING}::test_no_circle_closes[sqlite-1]",),
    ),
    Sabotage(
        "circles of referrals",
        "P6",
        f"{REFERRAL}:bind_referral",
        "account_id in above or len(above) >= ANCESTORS_MAX",
        "len(above) >= ANCESTORS_MAX",
        (f"{REFERRING}::test_no_circle_closes[sqlite-3]",),
    ),
    Sabotage(
        "a second referrer replaces the first",
        "P6",
        f"{REFERRAL}:bind_referral",
        ("if (yield from count_completed(account_id)):\n    raise referral_too_late()"),
        ("if (yield from count_completed(account_id)) < 0:\n    raise referral_too_late()"),
        (f"{REFERRING}::test_bound_once_and_in_time[sqlite]",),
    ),
)
